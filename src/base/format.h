#pragma once

// Stands in for <format>, which libstdc++ 12 lacks. The one third-party header that our headers may
// see.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/result.h"

namespace millrace {

template <typename... Args>
std::string Format(fmt::format_string<Args...> pattern, Args&&... args) {
  return fmt::format(pattern, std::forward<Args>(args)...);
}

// An Error with a formatted message: Fail(ErrorKind::kNotFound, "table {} ...", name).
template <typename... Args>
Error Fail(ErrorKind kind, fmt::format_string<Args...> pattern, Args&&... args) {
  return Error(kind, fmt::format(pattern, std::forward<Args>(args)...));
}

}  // namespace millrace
