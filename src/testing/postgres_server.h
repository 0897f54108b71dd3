#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace millrace::testing {

// A PostgreSQL of one's own in a temporary folder, on a free port of 127.0.0.1, with wal_level =
// logical and without fsync. Runs as user postgres when we are root. Stopped and deleted at the
// end.
class PostgresServer {
 public:
  // `settings`: lines of postgresql.conf, later ones win.
  static Result<std::unique_ptr<PostgresServer>> Start(const std::string& settings = "");
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  int port() const { return port_; }
  // libpq keywords for the superuser.
  std::string Conninfo(const std::string& database = "postgres",
                       const std::string& user = "postgres") const;
  // Runs SQL with psql; the rows as unaligned text, one a line. The first failing statement ends
  // it.
  Result<std::string> Sql(const std::string& sql, const std::string& database = "postgres") const;
  Status Restart(const std::string& mode = "fast");  // pg_ctl's shutdown mode

 private:
  PostgresServer(std::string folder, int port) : folder_(std::move(folder)), port_(port) {}
  std::string folder_;
  int port_;
};

}  // namespace millrace::testing
