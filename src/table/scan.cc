#include "table/scan.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/format.h"
#include "table/pruning.h"

namespace millrace::table {
namespace {

using iceberg::EntryStatus;
using iceberg::FileContent;
using iceberg::ManifestEntry;

constexpr int32_t kFilePathId = 2147483546;

bool SamePartition(const iceberg::DataFile& a, const iceberg::DataFile& b) {
  if (a.spec_id != b.spec_id || a.partition.size() != b.partition.size()) return false;
  for (size_t i = 0; i < a.partition.size(); ++i) {
    const bool a_null = iceberg::IsNull(a.partition[i]), b_null = iceberg::IsNull(b.partition[i]);
    if (a_null != b_null) return false;
    if (!a_null && iceberg::Compare(a.partition[i], b.partition[i]) != 0) return false;
  }
  return true;
}

// Whether the path bounds leave room for `path`. Compared by prefix, since some writers cut both
// bounds (S3).
bool BoundsAllow(const iceberg::DataFile& deletes, std::string_view path) {
  const auto lower = deletes.lower_bounds.find(kFilePathId);
  if (lower != deletes.lower_bounds.end() && path.substr(0, lower->second.size()) < lower->second)
    return false;
  const auto upper = deletes.upper_bounds.find(kFilePathId);
  return upper == deletes.upper_bounds.end() ||
         path.substr(0, upper->second.size()) <= upper->second;
}

// The delete files of a snapshot, found by the data file they are about.
class DeleteIndex {
 public:
  void Add(SharedEntry entry) {
    const iceberg::DataFile& file = entry->file;
    if (file.content == FileContent::kPositionDeletes && file.referenced_data_file.has_value()) {
      by_path_[*file.referenced_data_file].push_back(std::move(entry));
    } else {
      others_.push_back(std::move(entry));
    }
  }

  // Spec, "Scan Planning": position deletes apply to data of the same or an older sequence number,
  // equality deletes to older only.
  Result<std::vector<SharedEntry>> For(const ManifestEntry& data) const {
    std::vector<SharedEntry> result;
    if (const auto found = by_path_.find(data.file.path); found != by_path_.end()) {
      for (const SharedEntry& entry : found->second) {
        if (Applies(*entry, data)) result.push_back(entry);
      }
    }
    for (const SharedEntry& shared : others_) {
      const ManifestEntry& entry = *shared;
      if (entry.file.content == FileContent::kEqualityDeletes) {
        const bool global = entry.file.partition.empty();
        if (*data.sequence_number < *entry.sequence_number &&
            (global || SamePartition(entry.file, data.file))) {
          return Fail(ErrorKind::kUnsupported,
                      "equality deletes ('{}') apply to it; rewrite its data files with the engine "
                      "that wrote them",
                      entry.file.path);
        }
      } else if (Applies(entry, data) && BoundsAllow(entry.file, data.file.path)) {
        result.push_back(shared);
      }
    }
    return result;
  }

 private:
  static bool Applies(const ManifestEntry& deletes, const ManifestEntry& data) {
    return *data.sequence_number <= *deletes.sequence_number &&
           SamePartition(deletes.file, data.file);
  }

  std::unordered_map<std::string_view, std::vector<SharedEntry>> by_path_;
  std::vector<SharedEntry> others_;
};

Result<const iceberg::Snapshot*> FindSnapshot(const iceberg::TableMetadata& metadata,
                                              std::optional<int64_t> id) {
  if (!id.has_value()) return metadata.CurrentSnapshot();
  const iceberg::Snapshot* snapshot = metadata.FindSnapshot(*id);
  if (snapshot == nullptr) {
    return Fail(ErrorKind::kNotFound,
                "snapshot {} of the table at {} does not exist or has expired", *id,
                metadata.location);
  }
  return snapshot;
}

}  // namespace

Result<ScanPlan> PlanScan(ManifestCache& cache, const iceberg::TableMetadata& metadata,
                          std::optional<int64_t> snapshot_id,
                          const std::vector<Predicate>& predicates) {
  ScanPlan plan;
  MR_ASSIGN(const iceberg::Snapshot* snapshot, FindSnapshot(metadata, snapshot_id));
  if (snapshot == nullptr) return plan;
  MR_ASSIGN(const Pruner pruner, Pruner::New(metadata, predicates));
  MR_ASSIGN(const std::vector<iceberg::ManifestFile> manifests, cache.List(*snapshot));
  DeleteIndex deletes;
  for (const iceberg::ManifestFile& row : manifests) {
    if (row.content == iceberg::ManifestContent::kData) {
      plan.files_total += row.added_files + row.existing_files;
    } else if (pruner.MayMatch(row)) {
      MR_ASSIGN(const auto entries, cache.Manifest(row, metadata));
      for (const ManifestEntry& entry : *entries) {
        if (entry.status != EntryStatus::kDeleted) deletes.Add(SharedEntry(entries, &entry));
      }
    }
  }
  for (const iceberg::ManifestFile& row : manifests) {
    if (row.content != iceberg::ManifestContent::kData || !pruner.MayMatch(row)) continue;
    MR_ASSIGN(const auto entries, cache.Manifest(row, metadata));
    for (const ManifestEntry& entry : *entries) {
      if (entry.status == EntryStatus::kDeleted || !pruner.MayMatch(entry.file)) continue;
      auto applying = deletes.For(entry);
      if (!applying.ok()) return applying.error().Wrap("table at " + metadata.location);
      plan.tasks.push_back({SharedEntry(entries, &entry), std::move(applying).value()});
    }
  }
  plan.files_skipped = plan.files_total - static_cast<int64_t>(plan.tasks.size());
  return plan;
}

}  // namespace millrace::table
