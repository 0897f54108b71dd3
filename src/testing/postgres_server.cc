#include "testing/postgres_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/format.h"

namespace millrace::testing {
namespace {

// Runs a shell command; its output, or an error with it.
Result<std::string> Run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return Fail(ErrorKind::kInternal, "cannot run a shell");
  std::string output;
  std::array<char, 4096> piece;
  while (const size_t n = fread(piece.data(), 1, piece.size(), pipe))
    output.append(piece.data(), n);
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  return Fail(ErrorKind::kInternal, "{}: {}", command, output);
}

std::string AsPostgres(const std::string& command) {
  return geteuid() == 0 ? "runuser -u postgres -- " + command : command;
}

std::string Binary(const std::string& name) {
  for (const char* version : {"18", "17", "16", "15", "14"}) {
    const std::string path = Format("/usr/lib/postgresql/{}/bin/{}", version, name);
    if (std::filesystem::exists(path)) return path;
  }
  return name;
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

}  // namespace

Result<std::unique_ptr<PostgresServer>> PostgresServer::Start(const std::string& settings) {
  char pattern[] = "/tmp/millrace-pg-XXXXXX";
  if (mkdtemp(pattern) == nullptr)
    return Fail(ErrorKind::kInternal, "cannot make a folder in /tmp");
  std::unique_ptr<PostgresServer> server(new PostgresServer(pattern, FreePort()));
  const std::string& folder = server->folder_;
  if (geteuid() == 0) MR_TRY(Run("chown postgres " + folder));
  MR_TRY(
      Run(AsPostgres(Format("{} -D {}/data -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync",
                            Binary("initdb"), folder))));
  std::ofstream(folder + "/data/postgresql.conf", std::ios::app) << Format(
      "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nfsync = off\n"
      "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\n{}\n",
      server->port_, folder, settings);
  MR_TRY(Run(
      AsPostgres(Format("{} -D {}/data -l {}/log -w start", Binary("pg_ctl"), folder, folder))));
  return server;
}

PostgresServer::~PostgresServer() {
  (void)Run(AsPostgres(Format("{} -D {}/data -m immediate stop", Binary("pg_ctl"), folder_)));
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string PostgresServer::Conninfo(const std::string& database, const std::string& user) const {
  return Format("host=127.0.0.1 port={} dbname={} user={}", port_, database, user);
}

Result<std::string> PostgresServer::Sql(const std::string& sql, const std::string& database) const {
  const std::string script = folder_ + "/script.sql";
  std::ofstream(script) << sql << "\n";
  return Run(Format("{} -X -q -A -t -v ON_ERROR_STOP=1 -f {} '{}'", Binary("psql"), script,
                    Conninfo(database)));
}

Status PostgresServer::Restart(const std::string& mode) {
  MR_TRY(
      Run(AsPostgres(Format("{0} -D {1}/data -m {2} -w stop", Binary("pg_ctl"), folder_, mode))));
  MR_TRY(Run(AsPostgres(Format("{0} -D {1}/data -l {1}/log -w start", Binary("pg_ctl"), folder_))));
  return {};
}

}  // namespace millrace::testing
