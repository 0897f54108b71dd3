#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::app {

// A row's key as people write it, as one value for each of `columns`: "42", "7,2026" in the key's
// order, or "id=7,year=2026" in any order. A backslash takes the next character as it is.
// kInvalidInput names the columns that are expected.
Result<std::vector<std::string>> ParseRowKey(std::string_view text,
                                             const std::vector<std::string>& columns);

// As SQL: an identifier, a literal.
std::string SqlIdentifier(std::string_view name);
std::string SqlLiteral(std::string_view text);

}  // namespace millrace::app
