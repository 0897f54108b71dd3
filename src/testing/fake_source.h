#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "port/source.h"

namespace millrace::testing {

// A database that lives as long as the test: what was committed in it, and how far its slot was
// confirmed.
struct FakeDatabase {
  struct Change {
    std::string topic;
    std::string value;  // JSON
  };
  using Transaction = std::vector<Change>;

  std::vector<Change> rows;  // the state before the slot was made: what a snapshot reads
  std::vector<Transaction> transactions;  // after it
  size_t batch_records = 7;               // a transaction with more spans batches
  int64_t now_ms = 1'800'000'000'000;

  std::mutex mutex;
  bool slot = false;
  Lsn confirmed = 0;
  // Called with each confirmation before it counts: the place to check that it is true.
  std::function<void(const SourcePosition&)> on_confirm;

  static constexpr Lsn kSlotLsn = 1000;
  // The position after so many transactions.
  static SourcePosition After(size_t transactions);
  // What a complete copy holds, by topic, in order; the snapshot's rows first.
  std::map<std::string, std::vector<std::string>> Expected() const;
};

// A source over it. Streams what is there, and with no `until_lsn` waits for stop. A snapshot sends
// one batch a row.
class FakeSource final : public Source {
 public:
  explicit FakeSource(FakeDatabase& database) : database_(&database) {}

  Status Prepare(const ResumePoint& resume, const std::function<Status()>& before_create) override;
  bool needs_snapshot() const override { return needs_snapshot_; }
  Status Snapshot(RecordSink& sink, const std::function<void(const SnapshotProgress&)>& progress,
                  std::stop_token stop) override;
  Status Stream(RecordSink& sink, std::optional<Lsn> until_lsn, std::stop_token stop) override;
  void Confirm(const SourcePosition& position) override;
  Result<Lsn> CurrentLsn() override;

 private:
  FakeDatabase* const database_;
  bool needs_snapshot_ = false;
  size_t next_ = 0;  // transaction to stream
};

// A batch of changes under a schema of one column.
RecordBatch MakeBatch(const std::vector<FakeDatabase::Change>& changes, int64_t timestamp_ms);

}  // namespace millrace::testing
