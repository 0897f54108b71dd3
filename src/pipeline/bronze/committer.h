#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "commitlog/commit_log.h"
#include "pipeline/bronze/open_file.h"
#include "port/object_store.h"

namespace millrace::bronze {

// What a commit says beside its files.
struct CommitMark {
  std::optional<SourcePosition> position;
  SnapshotState snapshot = SnapshotState::kNone;
  std::vector<SnapshotRange> snapshot_ranges = {};
};

// Makes files and commits durable, in the order that keeps the promise: schemas, data objects, the
// commit, then the confirmation. Not thread-safe.
class Committer {
 public:
  using Durable = std::function<void(const SourcePosition&)>;

  Committer(ObjectStore& store, commitlog::Writer log, Durable durable)
      : store_(&store), log_(std::move(log)), durable_(std::move(durable)) {}

  // Makes a table's schema durable; a second time costs nothing.
  Status StoreSchema(const Stream& stream);
  // Files that the next commit will name. Several at a time: a disk syncs eight files in little
  // more time than one.
  Status Store(std::vector<ClosedFile> files);
  // Commits what was stored since the last commit.
  Status Commit(const CommitMark& mark);
  Status MaybeRollUp(int64_t every) { return log_.MaybeRollUp(every); }

  const commitlog::State& state() const { return log_.state(); }

 private:
  Status Confirm(const CommitMark& mark);

  ObjectStore* const store_;
  commitlog::Writer log_;
  const Durable durable_;
  std::vector<BronzeFile> stored_;
  std::set<std::pair<std::string, std::string>> schemas_;  // topic and fingerprint that are durable
};

}  // namespace millrace::bronze
