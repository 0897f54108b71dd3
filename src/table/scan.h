#pragma once

#include <list>
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

// Manifests and manifest lists by path; they are immutable. Keeps the manifests that were asked for
// last, as many as fit `capacity` bytes of memory (an estimate), so that what it holds does not
// grow with the number of files that a manifest lists. One above the capacity alone is not kept.
// Thread-safe.
class ManifestCache {
 public:
  static constexpr size_t kDefaultCapacity = 32 << 20;
  explicit ManifestCache(ObjectStore& store, size_t capacity = kDefaultCapacity)
      : store_(store), capacity_(capacity) {}

  Result<std::vector<iceberg::ManifestFile>> List(const iceberg::Snapshot& snapshot);
  using Entries = std::shared_ptr<const std::vector<iceberg::ManifestEntry>>;
  Result<Entries> Manifest(const iceberg::ManifestFile& row,
                           const iceberg::TableMetadata& metadata);
  // What a writer has just stored, so that the next reader need not fetch it. Entries with
  // everything inherited filled in.
  void Remember(const std::string& path, std::vector<iceberg::ManifestEntry> entries);

  // Bytes held in manifests, estimated.
  size_t bytes() const;

 private:
  void Keep(const std::string& path, Entries entries);

  struct Kept {
    std::string path;
    Entries entries;
    size_t bytes = 0;
  };
  using Rows = std::shared_ptr<const std::vector<iceberg::ManifestFile>>;
  ObjectStore& store_;
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::list<Kept> newest_first_;  // by when they were asked for
  std::map<std::string, std::list<Kept>::iterator> manifests_;
  size_t bytes_ = 0;
  std::map<std::string, Rows> lists_;  // of the snapshots in use; cleared when their rows are many
  size_t list_rows_ = 0;
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
