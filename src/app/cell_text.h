#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>

namespace millrace::app {

// One value of an Arrow column as text: numbers in full, times in ISO 8601, bytes as \x and
// hexadecimal digits, lists and structs as JSON. REQUIRES: not null.
std::string CellText(const arrow::Array& column, int64_t row);
// The same as JSON: numbers and booleans bare (NaN and infinities as strings), everything else a
// string, list or object; null for null.
std::string CellJson(const arrow::Array& column, int64_t row);
// Whether people expect the values on the right of their column.
bool IsNumeric(const arrow::DataType& type);

}  // namespace millrace::app
