#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>
#include <vector>

#include "adapter/source_postgres/server/connection.h"
#include "adapter/source_postgres/server/options.h"
#include "adapter/source_postgres/server/slot.h"
#include "adapter/source_postgres/tables/catalog.h"
#include "adapter/source_postgres/tables/pending_rows.h"
#include "adapter/source_postgres/tables/publication.h"
#include "base/result.h"

namespace millrace::postgres {

// Tables that come into being (or into the list of tables to capture) while we stream. A thread of
// its own looks for them, adds them to the publication and opens a snapshot in which their rows can
// be read; the reader of the stream takes them over at the right place.
//
// A table whose columns the stream no longer tells apart (reconcile.h) is taken for new, too.
//
// A table is *pending* from its ALTER PUBLICATION until its rows are durable downstream. That is
// written into the publication's comment in the same transaction, so that a killed process finds it
// again. Works on publications that we made only; others are never changed from here.
class TableWatcher final : public PendingRows {
 public:
  struct Arrival {
    std::vector<TableEntry> tables;
    CreatedSlot
        slot;  // a temporary one: what commits before its consistent point is in the snapshot
    std::unique_ptr<Connection> holder;  // keeps slot and snapshot alive
    // Rows may have been handed over before: by a process that was killed, or before somebody took
    // the table out of the publication.
    bool again = false;
  };

  explicit TableWatcher(const PostgresSourceOptions& options);
  // Breaks off what the thread waits for. Takes a mark away that was waiting for that.
  ~TableWatcher() override;
  void Start();

  // --- for the reader of the stream; thread-safe ---
  // Whether the stream's rows of this table have to wait for its snapshot.
  bool IsPending(uint32_t relation_oid) const override;
  // An arrival to be read, or nullptr; costs a load. It stays until Done.
  Arrival* ready() const { return ready_.load(std::memory_order_acquire); }
  // The table's rows are no longer to be had from the stream alone, since something that committed
  // at `commit_lsn`: takes it for new. Its mark is durable before WaitReady returns.
  void Renew(uint32_t relation_oid, Lsn commit_lsn) override;
  // Until the pending table's arrival is ready, or it is not pending any more. An arrival without
  // it gives way to one with the tables of both. The failure of the last look; kCancelled when
  // asked to stop.
  Status WaitReady(uint32_t relation_oid, std::stop_token stop);
  // Until the first look is over, or stop was asked for.
  void WaitFirstLook(std::stop_token stop);
  // The arrival was read, and is durable downstream when a position of at least `covered_by` is.
  void Done(const EventPosition& covered_by);
  void Confirmed(const SourcePosition& position);

 private:
  // Lets the destructor cancel what runs on a connection.
  class Cancellable {
   public:
    Cancellable(TableWatcher& watcher, Connection* connection);
    ~Cancellable();

   private:
    TableWatcher& watcher_;
  };

  void Run(std::stop_token stop);
  Status Look();
  Status Arrive(std::unique_ptr<Arrival> arrival);
  Result<std::unique_ptr<Arrival>> Announce();
  Status ClearMark();
  Status WaitSettled(uint32_t relation_oid, std::stop_token stop);
  Result<std::vector<TableEntry>> Wanted(const std::vector<TableEntry>& all);

  const PostgresSourceOptions& options_;
  std::unique_ptr<Connection> connection_;  // the thread's
  std::set<std::string> refused_;           // tables told of once
  std::set<uint32_t> carried_;              // tables that Bronze has, or will have, rows of
  std::string last_warning_;                // so that a lasting failure is told once

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Connection* running_ = nullptr;  // what the thread waits for
  bool finished_ = false;          // the thread
  bool first_look_over_ = false;
  Status last_look_;
  std::set<uint32_t> pending_;     // rows of these wait
  std::map<uint32_t, Lsn> renew_;  // asked for by Renew, not in an arrival yet
  std::unique_ptr<Arrival> arrival_;
  std::atomic<Arrival*> ready_{nullptr};
  // Arrivals that were read: their last position and tables, which stay marked until that is
  // durable downstream.
  std::optional<EventPosition> covered_by_;
  std::set<uint32_t> covered_;
  bool durable_ = false;
  std::jthread thread_;
};

}  // namespace millrace::postgres
