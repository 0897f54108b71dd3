#include "adapter/source_postgres/server/server_error.h"

#include <libpq-fe.h>

#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {

ErrorKind KindOfSqlState(std::string_view s) {
  const auto in_class = [s](std::string_view name) { return s.substr(0, 2) == name; };
  if (s == "42501") return ErrorKind::kPermission;
  if (in_class("28")) return ErrorKind::kPermission;  // authentication
  if (s == "55006") return ErrorKind::kUnavailable;   // object in use: the slot has another reader
  if (s == "58P01") return ErrorKind::kFenced;  // requested WAL segment has already been removed
  if (s == "42704" || s == "42P01" || s == "3F000") return ErrorKind::kNotFound;
  if (s == "42710" || s == "42P07") return ErrorKind::kAlreadyExists;
  if (s == "3D000") return ErrorKind::kInvalidInput;  // no such database
  if (s == "53100" || s == "53200") return ErrorKind::kOutOfSpace;
  if (s == "0A000") return ErrorKind::kUnsupported;
  // Connection lost, shutting down, too many connections, serialization and lock failures, I/O on
  // the server.
  if (s.empty() || in_class("08") || in_class("57") || in_class("53") || in_class("40") ||
      in_class("55") || in_class("58")) {
    return ErrorKind::kUnavailable;
  }
  return ErrorKind::kInternal;
}

Error ResultError(std::string_view what, const pg_result* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* primary =
      result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string message = primary != nullptr ? primary : "";
  if (message.empty() && result != nullptr)
    message = Trim(PQresultErrorMessage(result));  // libpq's own, no SQLSTATE
  return Fail(KindOfSqlState(state != nullptr ? state : ""), "{}: {}", what,
              message.empty() ? "no answer from the server" : message);
}

}  // namespace millrace::postgres
