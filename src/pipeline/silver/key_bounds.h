#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/type.h"

namespace millrace::silver {

// The values of the first key column in a batch, sorted: says of a data file by its bounds whether
// any of them can be inside. Integers, dates, times and texts; other types never rule a file out.
class KeyBounds {
 public:
  // `unordered`: equal keys may differ in their bytes (char(n)), so that bounds say nothing.
  KeyBounds(int32_t field_id, iceberg::TypePtr type, bool unordered)
      : field_id_(field_id), type_(std::move(type)), unknown_(unordered) {}

  // Row `row` of a decoded key column.
  void Add(const arrow::Array& column, int64_t row);
  void Sort();
  // After Sort.
  bool MayContain(const iceberg::DataFile& file) const;

 private:
  int32_t field_id_;
  iceberg::TypePtr type_;
  bool unknown_;  // no order to go by
  std::vector<int64_t> integers_;
  std::vector<std::string> texts_;
};

}  // namespace millrace::silver
