#pragma once

#include <string_view>

#include "base/error.h"

struct pg_result;

namespace millrace::postgres {

// What a five-character SQLSTATE means to us (PostgreSQL documentation, appendix A).
ErrorKind KindOfSqlState(std::string_view sqlstate);

// The error that a result carries, told as "<what>: <server's primary message>". Never the detail,
// which may hold row values.
Error ResultError(std::string_view what, const pg_result* result);

}  // namespace millrace::postgres
