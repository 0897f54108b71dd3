#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "adapter/source_postgres/connection.h"
#include "adapter/source_postgres/options.h"
#include "base/result.h"
#include "model/position.h"

namespace millrace::postgres {

// Reads a backlog through PostgreSQL's SQL interface to logical decoding instead of
// START_REPLICATION. A walsender sends each message for itself, which is most of its work; one COPY
// of pg_logical_slot_get_binary_changes gives the same messages more than twice as fast
// (docs/decisions/0006). Works on a temporary copy of the slot: the slot itself moves with what is
// confirmed, as ever.
class CatchUp {
 public:
  // `from`: where our copy begins to read. The connection is an ordinary one of a role that may
  // replicate.
  static Result<std::unique_ptr<CatchUp>> Start(const PostgresSourceOptions& options,
                                                const std::string& publication_names, Lsn from);

  // Gives all messages of transactions that commit before `end`, in the order and form of the
  // stream. The server gathers them before the first one comes: `end` bounds its memory. REQUIRES:
  // end is not beyond what the server has flushed.
  Status ReadTo(Lsn end, const std::function<Status(Lsn lsn, std::string_view message)>& message,
                std::stop_token stop);

 private:
  CatchUp(std::unique_ptr<Connection> connection, std::string slot, std::string publication_names)
      : connection_(std::move(connection)),
        slot_(std::move(slot)),
        publication_names_(std::move(publication_names)) {}
  std::unique_ptr<Connection> connection_;
  const std::string slot_, publication_names_;
};

// Splits what COPY (FORMAT binary) of (pg_lsn, bytea) sends. Rows never span two pieces: the server
// sends them one by one.
class BinaryCopyReader {
 public:
  // kCorrupt when it is not of that form.
  Status Read(std::string_view piece,
              const std::function<Status(Lsn lsn, std::string_view message)>& row);

 private:
  bool header_read_ = false;
};

}  // namespace millrace::postgres
