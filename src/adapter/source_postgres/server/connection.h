#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/source_postgres/server/options.h"
#include "base/result.h"

struct pg_conn;
struct pg_result;

namespace millrace::postgres {

// The rows of a query. Views live as long as the object.
class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result) {}
  ~Rows();
  Rows(Rows&& other) noexcept : result_(std::exchange(other.result_, nullptr)) {}
  Rows& operator=(Rows&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
  }

  int size() const;
  bool empty() const { return size() == 0; }
  bool IsNull(int row, int column) const;
  std::string_view Text(int row, int column) const;  // "" for NULL
  std::string String(int row, int column) const { return std::string(Text(row, column)); }
  bool Bool(int row, int column) const { return Text(row, column) == "t"; }
  int64_t Int(int row, int column) const;  // 0 for NULL or what is no integer

 private:
  pg_result* result_;
};

// One connection to the server, as every part of this folder needs it: UTF-8, UTC, ISO dates, no
// statement or idle timeouts. Not thread-safe. Errors carry the server's primary message (never its
// detail, which may hold row values) and a kind from its SQLSTATE.
class Connection {
 public:
  enum class Mode { kSql, kReplication };
  static Result<std::unique_ptr<Connection>> Open(const PostgresSourceOptions& options, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Parameters are text, $1 and on; a replication connection takes none.
  Result<Rows> Query(const std::string& sql, const std::vector<std::string>& parameters = {});
  Status Execute(const std::string& sql);
  enum class CopyFormat { kText, kBinary };
  // Runs a COPY ... TO STDOUT; `row` gets what the server sends in one piece, in a buffer that it
  // may change: of the text format a row without its line feed. Stops at its first error.
  Status CopyOut(const std::string& sql, const std::function<Status(char* data, size_t size)>& row,
                 CopyFormat format = CopyFormat::kText);
  // Asks the server to give up what it is doing for this connection. From any thread, while another
  // waits for a query's end.
  void Cancel();

  int server_version() const;  // 150018
  int server_pid() const;      // of the process that serves this connection
  std::string database() const;
  std::string user() const;
  pg_conn* raw() { return connection_; }
  // The error that the connection itself is in.
  Error ConnectionError(std::string_view what) const;

 private:
  explicit Connection(pg_conn* connection) : connection_(connection) {}
  pg_conn* connection_;
};

std::string QuoteIdentifier(std::string_view name);  // "we""ird"
std::string QuoteLiteral(std::string_view text);  // 'it''s', and E'...' where there are backslashes
std::string QualifiedIdentifier(std::string_view schema, std::string_view table);

}  // namespace millrace::postgres
