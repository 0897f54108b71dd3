#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace millrace {

// The Error of a failed file operation: "cannot <doing> '<path>': <why>; <cure>". `code` is the
// negative errno.
Error FileError(int code, std::string_view doing, const std::string& path);

}  // namespace millrace
