#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "model/snapshot_range.h"
#include "port/record_sink.h"

namespace millrace {

// What a source must go on from: the last thing that Bronze committed.
struct ResumePoint {
  std::optional<SourcePosition> position;  // nullopt: nothing committed yet
  bool snapshot_running =
      false;  // Bronze recorded that we began a snapshot with our own slot and did not finish it
  std::vector<SnapshotRange> snapshot_ranges =
      {};  // what Bronze holds of that snapshot; with a position
};

struct SnapshotProgress {
  std::string table;
  int64_t rows = 0;
  int64_t estimated_rows = 0;  // -1 unknown
  int64_t total_rows = 0;      // of all tables so far
  int64_t tables_done = 0, tables_total = 0;
  bool finished = false;  // the whole snapshot
};

// A database whose changes we carry. Errors: kUnavailable (retry with backoff), kFenced (slot lost
// or ahead of us, another cluster or timeline: changes are missing), kPermission, kInvalidInput,
// kUnsupported.
class Source {
 public:
  virtual ~Source() = default;

  // Prepares slot and publications. Calls `before_create` (which durably records "snapshot
  // running") after the checks and before anything is left behind on the server.
  virtual Status Prepare(const ResumePoint& resume,
                         const std::function<Status()>& before_create) = 0;
  // True when a snapshot has to be read before streaming: of a slot that Prepare made, or the rest
  // of one that was broken off.
  virtual bool needs_snapshot() const = 0;
  // Reads all tables at one consistent point with several workers, or what is left of them at a
  // later one, after the changes up to there. Batches tell which parts they complete; the last one
  // has ends_snapshot and ends_at set.
  virtual Status Snapshot(RecordSink& sink,
                          const std::function<void(const SnapshotProgress&)>& progress,
                          std::stop_token stop) = 0;
  // Streams until stop is asked for (OK) or an error; with `until_lsn`, returns OK once everything
  // before that LSN has been handed over. Batches carry ends_at at transaction ends and, when idle,
  // at keepalives.
  virtual Status Stream(RecordSink& sink, std::optional<Lsn> until_lsn, std::stop_token stop) = 0;
  // Everything up to `position` is durable downstream: the slot may move. Thread-safe, returns at
  // once, sent with the next status update.
  virtual void Confirm(const SourcePosition& position) = 0;
  // The server's current WAL flush position: `until_lsn` for a run that ends.
  virtual Result<Lsn> CurrentLsn() = 0;
};

}  // namespace millrace
