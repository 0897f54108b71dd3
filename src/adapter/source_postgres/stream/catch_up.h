#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "adapter/source_postgres/server/connection.h"
#include "adapter/source_postgres/server/options.h"
#include "base/bounded_queue.h"
#include "base/byte_buffer.h"
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

  // Gives all messages of transactions that commit before `goal`, in the order and form of the
  // stream, in windows of `window` bytes of WAL from `from` on, and tells of each window's end.
  // The server gathers a window before the first message of it comes (`window` bounds its memory),
  // and is asked for it while those of the one before are still being handled. REQUIRES: goal is
  // not beyond what the server has flushed.
  using Message = std::function<Status(Lsn lsn, std::string_view message)>;
  using Reached = std::function<Status(Lsn end)>;
  Status ReadTo(Lsn from, Lsn goal, Lsn window, const Message& message, const Reached& reached,
                std::stop_token stop);

 private:
  CatchUp(std::unique_ptr<Connection> connection, std::string slot, std::string publication_names)
      : connection_(std::move(connection)),
        slot_(std::move(slot)),
        publication_names_(std::move(publication_names)) {}
  // What was fetched and not handled: rows as (lsn, size, message), and where a window ended.
  struct Piece {
    ByteBuffer rows;
    Lsn reached = 0;
  };
  Status FetchAll(Lsn from, Lsn goal, Lsn window, BoundedQueue<Piece>& pieces,
                  std::stop_token stop);
  Status Fetch(Lsn end, const Message& message, std::stop_token stop);
  static Status HandleAll(BoundedQueue<Piece>& pieces, const Message& message,
                          const Reached& reached, std::stop_token stop);

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
