#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/bronze_commit.h"
#include "model/table_schema.h"
#include "port/clock.h"
#include "port/object_store.h"

// Bronze's log of commits over the object-store port: docs/formats/bronze.md. Readers need no lock
// and never see half a commit.
namespace millrace::commitlog {

// The commit by which a writer took its epoch, and how far the source was in by then: what the
// writer left behind is younger.
struct Claim {
  int64_t epoch = 0;
  int64_t number = 0;
  Micros commit_time = 0;  // of the last transaction in the log; 0: not known
};

// What a start needs to know, folded from the newest roll-up and the commits after it.
struct State {
  int64_t number = 0;  // newest commit; 0: the log is empty
  int64_t epoch = 0;
  std::string source, slot;
  std::optional<SourcePosition> position;
  SnapshotState snapshot = SnapshotState::kNone;
  std::vector<SnapshotRange> snapshot_ranges;   // what is in of a snapshot that runs
  std::map<std::string, int64_t> next_offsets;  // by topic
  std::vector<Claim> claims;                    // the newest `kKeptClaims`, ascending
};
inline constexpr size_t kKeptClaims = 8;

Result<State> Recover(ObjectStore& store);

// Commits number+1, number+2, ... in order, without gaps, at most `limit`; empty when there are
// none, which costs two look-ups. kCorrupt names a missing or damaged commit.
Result<std::vector<BronzeCommit>> ReadAfter(ObjectStore& store, int64_t number, size_t limit);

// Appends the decoded lines of a committed file. kCorrupt when the object is missing or its size or
// checksum is not what the commit says.
Status ReadFile(ObjectStore& store, const BronzeFile& file, ByteBuffer& out);

// kCorrupt when the stored bytes do not have the fingerprint they are named by.
Result<TableSchema> ReadSchema(ObjectStore& store, const std::string& topic,
                               const std::string& fingerprint);
Status WriteSchema(ObjectStore& store, const std::string& topic,
                   const TableSchema& schema);  // existing is OK

// The one writer. Opening takes the next epoch by putting an empty commit that claims it: from then
// on an older writer that wakes up loses its next put and learns why. After any error but
// kInvalidInput the writer is of no use: open a new one. Not thread-safe.
class Writer {
 public:
  // kInvalidInput when the log belongs to another source or slot name; kConflict when another
  // process keeps winning.
  static Result<Writer> Open(ObjectStore& store, const Clock& clock, const std::string& source,
                             const std::string& slot);

  const State& state() const { return state_; }
  int64_t epoch() const { return state_.epoch; }

  // Puts the next commit; number, epoch, writer, created_at, source and slot are filled in. On
  // success the state covers it. kFenced: a newer epoch exists, stop for good. An unknown outcome
  // is settled by reading back; kUnknownOutcome is returned only when even that fails. kInternal:
  // the files do not continue their topics' offsets; nothing was put.
  Status Append(BronzeCommit commit);
  // Rolls up when at least `every` commits came since the last roll-up, and checks the fence again
  // (kFenced as above). Then deletes commits that an earlier roll-up holds and that are older than
  // `kKeepCommits`.
  Status MaybeRollUp(int64_t every = 1000);

 private:
  Writer(ObjectStore& store, const Clock& clock) : store_(&store), clock_(&clock) {}
  Status Put(const BronzeCommit& commit);
  Result<bool> IsOurs(int64_t number, const std::string& text);
  Status CheckFence();
  Status DeleteOld(int64_t held_up_to);

  ObjectStore* store_;
  const Clock* clock_;
  std::string writer_id_;
  State state_;
  int64_t rolled_up_to_ = 0;
  int64_t oldest_ = 0;  // the oldest commit with an object of its own; 0: not looked up yet
  Micros fence_checked_at_ = 0;
};

// A commit lives this long as an object of its own, so that a writer that slept less collides with
// it.
inline constexpr Micros kKeepCommits = 7 * kMicrosPerDay;

// Deletes data objects that no commit names, that one of the last `kKeptClaims` writers before the
// newest wrote, and that were stored more than `grace` ago (a killed writer's leftovers). Looks
// only where those writers wrote, so that its cost follows what happened since, not the size of
// Bronze. Call it as the log's writer: the claim has fenced whoever might still name them.
Result<int64_t> RemoveOrphans(ObjectStore& store, const Clock& clock, Micros grace);

}  // namespace millrace::commitlog
