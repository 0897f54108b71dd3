#pragma once

#include <map>
#include <string>
#include <vector>

#include "port/object_store.h"

namespace millrace::testing {

// What a reader of Bronze sees: the `value` of each committed line by topic, in the order of the
// log. Checks with EXPECT that offsets have no gap, that each file is what its commit says (size,
// checksum, counts) and that its schema is there.
std::map<std::string, std::vector<std::string>> ReadBronze(ObjectStore& store);

}  // namespace millrace::testing
