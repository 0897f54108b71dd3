#include "adapter/source_postgres/tables/table_watcher.h"

#include <algorithm>
#include <utility>

#include "adapter/source_postgres/tables/key_types.h"
#include "adapter/source_postgres/tables/topic_clash.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {

TableWatcher::TableWatcher(const PostgresSourceOptions& options) : options_(options) {
  for (const TableSchema& schema : options.known_schemas) carried_.insert(schema.relation_oid);
}

TableWatcher::Cancellable::Cancellable(TableWatcher& watcher, Connection* connection)
    : watcher_(watcher) {
  const std::lock_guard lock(watcher_.mutex_);
  watcher_.running_ = connection;
}
TableWatcher::Cancellable::~Cancellable() {
  const std::lock_guard lock(watcher_.mutex_);
  watcher_.running_ = nullptr;
}

TableWatcher::~TableWatcher() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  {
    // A new slot waits for all transactions that run, and an ALTER for locks: however long.
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(100), [&] { return finished_; })) {
      if (running_ != nullptr) running_->Cancel();
    }
  }
  thread_.join();
  if (connection_ != nullptr && LockMarks(*connection_, options_.publication).ok())
    (void)ClearMark();
}

void TableWatcher::Start() {
  thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

void TableWatcher::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    Status looked = Look();
    if (!looked.ok() && !stop.stop_requested()) {
      const std::string warning = looked.error().ToString();
      if (warning != last_warning_) log::Warn("capture", "looking for new tables: {}", warning);
      last_warning_ = warning;
      connection_.reset();
    }
    std::unique_lock lock(mutex_);
    last_look_ = std::move(looked);
    first_look_over_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, stop, options_.table_check_interval,
                      [&] { return !arrival_ && (durable_ || !renew_.empty()); });
  }
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

// The tables that are to be captured, without those whose key Silver could not compare.
Result<std::vector<TableEntry>> TableWatcher::Wanted(const std::vector<TableEntry>& all) {
  std::vector<TableEntry> wanted =
      SelectTables(all, options_.include_tables, options_.exclude_tables);
  const auto leave_out = [&](const std::map<uint32_t, std::string>& refused, const auto& why) {
    std::erase_if(wanted, [&](const TableEntry& table) {
      const auto found = refused.find(table.oid);
      if (found == refused.end()) return false;
      if (refused_.insert(table.QualifiedName()).second) {
        log::Warn("capture", "table {} is left out: {}", table.QualifiedName(), why(found->second));
      }
      return true;
    });
  };
  leave_out(TopicClashes(wanted), [](const std::string& other) {
    return Format("it would share a topic with {}", other);
  });
  MR_ASSIGN(const auto keys, ReadKeyColumns(*connection_));
  leave_out(UnfitKeys(keys), [](const std::string& why) { return why; });
  return wanted;
}

Status TableWatcher::Look() {
  {
    const std::lock_guard lock(mutex_);
    last_look_ = Status();
    if (arrival_ != nullptr) return {};  // one at a time
  }
  if (connection_ == nullptr) {
    MR_ASSIGN(connection_, Connection::Open(options_, Connection::Mode::kSql));
  }
  const Cancellable cancellable(*this, connection_.get());
  MR_TRY(LockMarks(*connection_, options_.publication));
  MR_TRY(ClearMark());
  MR_ASSIGN(std::unique_ptr<Arrival> arrival, Announce());
  MR_TRY(UnlockMarks(*connection_, options_.publication));
  return arrival == nullptr ? Status() : Arrive(std::move(arrival));
}

// Adds what is new to the publication and marks what is to be read; nullptr: nothing.
Result<std::unique_ptr<TableWatcher::Arrival>> TableWatcher::Announce() {
  MR_ASSIGN(const PublicationState main, ReadPublication(*connection_, options_.publication));
  MR_ASSIGN(const PublicationState insert_only,
            ReadPublication(*connection_, InsertPublication(options_.publication)));
  if (!main.managed) return std::unique_ptr<Arrival>();
  MR_ASSIGN(const auto all, ListTables(*connection_));
  MR_ASSIGN(const auto wanted, Wanted(all));

  std::map<uint32_t, Lsn> renew;
  std::set<uint32_t> covered;
  {
    const std::lock_guard lock(mutex_);
    renew = std::exchange(renew_, {});
    covered = covered_;
  }
  auto arrival = std::make_unique<Arrival>();
  std::set<uint32_t> pending;
  for (const TableEntry& table : wanted) {
    const std::string name = QualifiedIdentifier(table.schema, table.table);
    const bool marked =
        renew.contains(table.oid) ||
        (!covered.contains(table.oid) &&
         std::find(main.pending.begin(), main.pending.end(), table.oid) != main.pending.end());
    const bool published =
        (std::binary_search(main.tables.begin(), main.tables.end(), name) &&
         !LeavesOut(main, false)) ||
        (std::binary_search(insert_only.tables.begin(), insert_only.tables.end(), name) &&
         !LeavesOut(insert_only, true));
    const bool carried = !carried_.insert(table.oid).second;
    if (published && !marked) continue;
    arrival->tables.push_back(table);
    arrival->again |= marked || carried;
    pending.insert(table.oid);
  }
  PublicationPlan plan = PlanPublications(options_.publication, wanted, main, insert_only);
  covered.insert(pending.begin(), pending.end());
  if (!covered.empty() || !main.pending.empty())
    plan.statements.push_back(MarkPending(options_.publication, covered));
  {
    // Before the first of their rows can be in the stream.
    const std::lock_guard lock(mutex_);
    pending_ = pending;
    for (const auto& [oid, lsn] : renew_) pending_.insert(oid);  // asked for meanwhile
  }
  for (const std::string& statement : plan.statements) log::Info("capture", "{}", statement);
  MR_FAILPOINT("capture.before_tables_added");
  MR_TRY(ApplyPublications(*connection_, plan));
  MR_FAILPOINT("capture.tables_added");
  if (pending.empty()) arrival.reset();
  return arrival;
}

Status TableWatcher::Arrive(std::unique_ptr<Arrival> arrival) {
  MR_ASSIGN(arrival->holder, Connection::Open(options_, Connection::Mode::kReplication));
  {
    const Cancellable cancellable(*this, arrival->holder.get());
    MR_ASSIGN(arrival->slot, CreateTemporarySlot(*arrival->holder, options_.slot));
  }
  log::Info("capture", "{} new tables, their rows as of {}", arrival->tables.size(),
            FormatLsn(arrival->slot.consistent_point));
  const std::lock_guard lock(mutex_);
  arrival_ = std::move(arrival);
  ready_.store(arrival_.get(), std::memory_order_release);
  return {};
}

Status TableWatcher::ClearMark() {
  std::set<uint32_t> pending, covered;
  {
    const std::lock_guard lock(mutex_);
    if (!durable_) return {};
    pending = pending_;
    covered = covered_;
  }
  MR_ASSIGN(const PublicationState now, ReadPublication(*connection_, options_.publication));
  for (const uint32_t oid : now.pending) {
    if (!covered.contains(oid)) pending.insert(oid);  // marked by others: reread.h
  }
  MR_FAILPOINT("capture.before_mark_cleared");
  MR_TRY(connection_->Execute(MarkPending(options_.publication, pending)));
  MR_FAILPOINT("capture.mark_cleared");
  const std::lock_guard lock(mutex_);
  durable_ = false;
  covered_by_.reset();
  covered_.clear();
  return {};
}

bool TableWatcher::IsPending(uint32_t relation_oid) const {
  const std::lock_guard lock(mutex_);
  return pending_.contains(relation_oid);
}

void TableWatcher::Renew(uint32_t relation_oid, Lsn commit_lsn) {
  {
    const std::lock_guard lock(mutex_);
    renew_[relation_oid] = commit_lsn;
    pending_.insert(relation_oid);
  }
  changed_.notify_all();
}

Status TableWatcher::WaitReady(uint32_t relation_oid, std::stop_token stop) {
  while (true) {
    MR_TRY(WaitSettled(relation_oid, stop));
    std::unique_ptr<Arrival> without;
    {
      const std::lock_guard lock(mutex_);
      if (!pending_.contains(relation_oid)) return {};
      if (arrival_ == nullptr) return last_look_.error().Wrap("new tables");
      for (const TableEntry& table : arrival_->tables) {
        if (table.oid == relation_oid) return {};
      }
      // Made before this table was asked for, and its place in the stream is still to come. The
      // next one has its tables too: they are marked.
      ready_.store(nullptr);
      without = std::move(arrival_);
      renew_.try_emplace(relation_oid, 0);
    }
    changed_.notify_all();
  }
}

// Until there is an arrival, the table is pending no more, or the last look failed.
Status TableWatcher::WaitSettled(uint32_t relation_oid, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const auto settled = [&] {
    return arrival_ != nullptr || !pending_.contains(relation_oid) || !last_look_.ok();
  };
  if (!changed_.wait_for(lock, stop, std::chrono::seconds(10), settled) && !stop.stop_requested()) {
    log::Warn("capture",
              "the stream waits for a snapshot of new tables, which waits for the "
              "transactions that were open on the source when it was asked for");
  }
  if (!changed_.wait(lock, stop, settled)) {
    return Error(ErrorKind::kCancelled, "new tables: asked to stop");
  }
  return {};
}

void TableWatcher::WaitFirstLook(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return first_look_over_; });
}

void TableWatcher::Done(const EventPosition& covered_by) {
  const std::lock_guard lock(mutex_);
  pending_.clear();
  for (const TableEntry& table : arrival_->tables) {
    covered_.insert(table.oid);
    const auto asked = renew_.find(table.oid);
    if (asked != renew_.end() && asked->second < arrival_->slot.consistent_point)
      renew_.erase(asked);  // again, for something that the arrival had already
  }
  for (const auto& [oid, lsn] : renew_) pending_.insert(oid);
  ready_.store(nullptr);
  arrival_.reset();
  covered_by_ = covered_by;
  durable_ = false;
  changed_.notify_all();
}

void TableWatcher::Confirmed(const SourcePosition& position) {
  const std::lock_guard lock(mutex_);
  if (!covered_by_ || durable_ || position.last < *covered_by_) return;
  durable_ = true;
  changed_.notify_all();
}

}  // namespace millrace::postgres
