#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/metadata.h"
#include "port/object_store.h"

namespace millrace::table {

// Manifests and manifest lists by path; they are immutable. Keeps the `capacity` manifests that
// were asked for last. Thread-safe.
class ManifestCache {
 public:
  explicit ManifestCache(ObjectStore& store, size_t capacity = 512)
      : store_(store), capacity_(capacity) {}

  Result<std::vector<iceberg::ManifestFile>> List(const iceberg::Snapshot& snapshot);
  using Entries = std::shared_ptr<const std::vector<iceberg::ManifestEntry>>;
  Result<Entries> Manifest(const iceberg::ManifestFile& row,
                           const iceberg::TableMetadata& metadata);
  // What a writer has just stored, so that the next reader need not fetch it. Entries with
  // everything inherited filled in.
  void Remember(const std::string& path, std::vector<iceberg::ManifestEntry> entries);

 private:
  ObjectStore& store_;
  const size_t capacity_;
  void Keep(const std::string& path, Entries entries);

  struct Kept {
    Entries entries;
    uint64_t used = 0;
  };
  using Rows = std::shared_ptr<const std::vector<iceberg::ManifestFile>>;
  std::mutex mutex_;
  std::map<std::string, Kept> manifests_;
  std::map<std::string, Rows> lists_;  // of the snapshots in use; cleared when they grow many
  uint64_t clock_ = 0;
};

// column <op> literal, on top-level columns; a conjunction is a vector of them. A row whose column
// is null matches only kIsNull.
struct Predicate {
  enum class Op { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kIsNull, kNotNull };
  int32_t field_id;
  Op op;
  std::vector<iceberg::Literal> values;  // one; several for kIn; none for the null tests
};

// Shared with the cache, whose manifests are immutable.
using SharedEntry = std::shared_ptr<const iceberg::ManifestEntry>;

struct FileTask {
  SharedEntry entry;  // a live data file
  // Position delete files that apply to it (sequence, spec and partition checked).
  std::vector<SharedEntry> deletes;
};

struct ScanPlan {
  std::vector<FileTask> tasks;
  int64_t files_total = 0;    // live data files of the snapshot
  int64_t files_skipped = 0;  // left out because partition values or bounds exclude the predicates
};

// The live data files of a snapshot that may hold matching rows, pruned by partition summaries,
// partition values and column bounds. kUnsupported names the table when equality deletes apply to
// it. No snapshot: an empty plan.
Result<ScanPlan> PlanScan(ManifestCache& cache, const iceberg::TableMetadata& metadata,
                          std::optional<int64_t> snapshot_id,
                          const std::vector<Predicate>& predicates);

}  // namespace millrace::table
