#include "adapter/source_postgres/server/connection.h"

#include <libpq-fe.h>

#include "adapter/source_postgres/server/server_error.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

// Whatever the server, database or role has set for sessions: values print as docs/formats/types.md
// promises (names in regclass and the like in full), our SQL is read as written, row security is an
// error instead of missing rows, and no timeout cuts off what takes long.
constexpr std::string_view kSession =
    "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c timezone=UTC -c "
    "bytea_output=hex -c lc_monetary=C -c search_path= -c quote_all_identifiers=off "
    "-c standard_conforming_strings=on -c row_security=off "
    "-c default_transaction_isolation=read\\ committed "
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=0";

// Settings that not every version has, which the start-up packet could not carry.
std::string_view LaterSettings(int server_version) {
  if (server_version >= 170000) return "SET idle_session_timeout = 0; SET transaction_timeout = 0";
  if (server_version >= 140000) return "SET idle_session_timeout = 0";
  return "";
}

std::string Abbreviate(const std::string& sql) {
  return sql.size() <= 60 ? sql : sql.substr(0, 57) + "...";
}

}  // namespace

Rows::~Rows() { PQclear(result_); }
int Rows::size() const { return PQntuples(result_); }
bool Rows::IsNull(int row, int column) const { return PQgetisnull(result_, row, column) != 0; }
std::string_view Rows::Text(int row, int column) const {
  return {PQgetvalue(result_, row, column), static_cast<size_t>(PQgetlength(result_, row, column))};
}
int64_t Rows::Int(int row, int column) const {
  return ParseInt<int64_t>(Text(row, column)).value_or(0);
}

Result<std::unique_ptr<Connection>> Connection::Open(const PostgresSourceOptions& options,
                                                     Mode mode) {
  char* parse_error = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(options.conninfo.c_str(), &parse_error);
  if (parsed == nullptr) {
    // libpq's text may quote the string, and with it a password that somebody put there.
    PQfreemem(parse_error);
    return Fail(ErrorKind::kInvalidInput,
                "the source's connection string is not understood: use a postgresql:// URI or "
                "host=... dbname=...");
  }
  std::vector<std::string> keys, values;
  std::string session(kSession);
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::string_view(option->keyword) == "options") {
      session = Format("{} {}", option->val, kSession);
    } else {
      keys.emplace_back(option->keyword);
      values.emplace_back(option->val);
    }
  }
  PQconninfoFree(parsed);
  const auto set = [&](std::string key, std::string value, bool only_if_absent) {
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] != key) continue;
      if (!only_if_absent) values[i] = std::move(value);
      return;
    }
    keys.push_back(std::move(key));
    values.push_back(std::move(value));
  };
  if (!options.password.empty()) set("password", options.password.Reveal(), false);
  set("options", session, false);
  set("client_encoding", "UTF8", false);
  set("application_name", "millrace " + options.slot, true);
  set("connect_timeout", "10", true);
  set("keepalives_idle", "30", true);
  set("keepalives_interval", "10", true);
  set("keepalives_count", "3", true);
  if (mode == Mode::kReplication) set("replication", "database", false);

  std::vector<const char*> key_pointers, value_pointers;
  for (size_t i = 0; i < keys.size(); ++i) {
    key_pointers.push_back(keys[i].c_str());
    value_pointers.push_back(values[i].c_str());
  }
  key_pointers.push_back(nullptr);
  value_pointers.push_back(nullptr);
  std::unique_ptr<Connection> connection(
      new Connection(PQconnectdbParams(key_pointers.data(), value_pointers.data(), 0)));
  if (PQstatus(connection->connection_) == CONNECTION_OK) {
    const std::string later(LaterSettings(connection->server_version()));
    if (!later.empty()) MR_TRY(connection->Execute(later));
    return connection;
  }

  // A refused start-up packet has no result to take an SQLSTATE from; the text is all there is.
  const std::string message(Trim(PQerrorMessage(connection->connection_)));
  const auto says = [&message](std::string_view part) {
    return message.find(part) != std::string::npos;
  };
  ErrorKind kind = ErrorKind::kUnavailable;
  if (says("authentication failed") || says("pg_hba.conf") || says("no password supplied") ||
      says("permission denied") || says("must be superuser or replication role") ||
      says("role \"")) {
    kind = ErrorKind::kPermission;
  } else if (says("database \"") && says("does not exist")) {
    kind = ErrorKind::kInvalidInput;
  }
  if (mode == Mode::kReplication &&
      (says("replication role") || says("permission denied to start WAL sender"))) {
    return Fail(kind, "source database: {}; run as a superuser: ALTER ROLE {} REPLICATION", message,
                QuoteIdentifier(connection->user()));
  }
  return Fail(kind, "source database: {}", message);
}

Connection::~Connection() { PQfinish(connection_); }

Error Connection::ConnectionError(std::string_view what) const {
  const std::string message(Trim(PQerrorMessage(connection_)));
  return Fail(ErrorKind::kUnavailable, "{}: {}", what,
              message.empty() ? "connection to the source was lost" : message);
}

Result<Rows> Connection::Query(const std::string& sql, const std::vector<std::string>& parameters) {
  ResultPtr result;
  if (parameters.empty()) {
    result.reset(PQexec(connection_, sql.c_str()));
  } else {
    std::vector<const char*> values;
    for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
    result.reset(PQexecParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                              values.data(), nullptr, nullptr, 0));
  }
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    return ResultError(Abbreviate(sql), result.get());
  return Rows(result.release());
}

Status Connection::Execute(const std::string& sql) {
  MR_TRY(Query(sql));
  return {};
}

Status Connection::CopyOut(const std::string& sql, const std::function<Status(char*, size_t)>& row,
                           CopyFormat format) {
  {
    const ResultPtr start(PQexec(connection_, sql.c_str()));
    if (PQresultStatus(start.get()) != PGRES_COPY_OUT)
      return ResultError(Abbreviate(sql), start.get());
  }
  while (true) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection_, &buffer, 0);
    if (size < 0) break;  // -1: done, -2: error; the result tells which
    auto length = static_cast<size_t>(size);
    if (format == CopyFormat::kText && length > 0 && buffer[length - 1] == '\n') --length;
    Status status = row(buffer, length);
    PQfreemem(buffer);
    if (!status.ok())
      return status;  // the connection is left in the middle of its COPY: its owner closes it
  }
  while (true) {
    const ResultPtr end(PQgetResult(connection_));
    if (end == nullptr) return {};
    if (PQresultStatus(end.get()) != PGRES_COMMAND_OK)
      return ResultError(Abbreviate(sql), end.get());
  }
}

void Connection::Cancel() {
  PGcancel* cancel = PQgetCancel(connection_);
  if (cancel == nullptr) return;
  char message[256];
  (void)PQcancel(cancel, message, sizeof message);
  PQfreeCancel(cancel);
}

int Connection::server_version() const { return PQserverVersion(connection_); }
int Connection::server_pid() const { return PQbackendPID(connection_); }
std::string Connection::database() const { return PQdb(connection_); }
std::string Connection::user() const {
  return PQuser(connection_) != nullptr ? PQuser(connection_) : "";
}

std::string QuoteIdentifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string QuoteLiteral(std::string_view text) {
  std::string quoted = text.find('\\') == std::string_view::npos ? "'" : " E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + '\'';
}

std::string QualifiedIdentifier(std::string_view schema, std::string_view table) {
  return QuoteIdentifier(schema) + "." + QuoteIdentifier(table);
}

}  // namespace millrace::postgres
