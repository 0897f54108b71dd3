#pragma once

#include <functional>
#include <string>
#include <vector>

#include "port/object_store.h"

namespace millrace::testing {

// One promise of port/object_store.h, checked with GoogleTest's EXPECT macros on a fresh, empty
// store. Every adapter's test runs all:
//   INSTANTIATE_TEST_SUITE_P(Memory, ..., ValuesIn(ObjectStoreContract()))
struct ObjectStorePromise {
  std::string name;  // as a test's name: letters only
  std::function<void(ObjectStore&)> check;
};
const std::vector<ObjectStorePromise>& ObjectStoreContract();

}  // namespace millrace::testing
