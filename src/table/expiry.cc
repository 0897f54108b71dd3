#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/failpoint.h"
#include "table/snapshot_producer.h"

namespace millrace::table {
namespace {

constexpr int64_t kHourMs = 3'600'000;

// Snapshots that a tag names, or that a branch other than main reaches.
std::set<int64_t> Referenced(const iceberg::TableMetadata& metadata) {
  std::set<int64_t> ids;
  for (const auto& [name, ref] : metadata.refs) {
    ids.insert(ref.snapshot_id);
    if (name == "main" || ref.type != "branch") continue;
    const iceberg::Snapshot* at = metadata.FindSnapshot(ref.snapshot_id);
    while (at != nullptr && at->parent_snapshot_id.has_value()) {
      ids.insert(*at->parent_snapshot_id);
      at = metadata.FindSnapshot(*at->parent_snapshot_id);
    }
  }
  if (metadata.current_snapshot_id.has_value()) ids.insert(*metadata.current_snapshot_id);
  return ids;
}

using Manifests = std::unordered_map<std::string, iceberg::ManifestFile>;

// The manifests of those snapshots of `metadata` that `wanted` takes. A list that is gone already
// was dealt with by an earlier run.
template <typename Wanted>
Result<Manifests> ManifestsOf(ManifestCache& cache, const iceberg::TableMetadata& metadata,
                              Wanted wanted, bool may_be_gone) {
  Manifests manifests;
  for (const iceberg::Snapshot& snapshot : metadata.snapshots) {
    if (!wanted(snapshot)) continue;
    auto rows = cache.List(snapshot);
    if (!rows.ok() && may_be_gone && rows.error().kind() == ErrorKind::kNotFound) continue;
    if (!rows.ok()) return rows.error();
    for (iceberg::ManifestFile& row : *rows) {
      std::string path = row.path;
      manifests.emplace(std::move(path), std::move(row));
    }
  }
  return manifests;
}

// The files that only `gone` manifests list. Kept manifests are read only where their sequence
// numbers overlap.
Result<std::unordered_set<std::string>> UnreachableFiles(ManifestCache& cache,
                                                         const iceberg::TableMetadata& metadata,
                                                         const Manifests& gone,
                                                         const Manifests& kept) {
  std::unordered_set<std::string> files;
  int64_t lowest = INT64_MAX, highest = 0;
  for (const auto& [path, row] : gone) {
    auto entries = cache.Manifest(row, metadata);
    if (!entries.ok() && entries.error().kind() == ErrorKind::kNotFound) continue;
    if (!entries.ok()) return entries.error();
    for (const iceberg::ManifestEntry& entry : **entries) {
      files.insert(entry.file.path);
      lowest = std::min(lowest, entry.sequence_number.value_or(0));
      highest = std::max(highest, entry.sequence_number.value_or(INT64_MAX));
    }
  }
  for (const auto& [path, row] : kept) {
    if (files.empty()) break;
    if (row.added_files + row.existing_files == 0) continue;
    if (row.sequence_number < lowest || row.min_sequence_number > highest) continue;
    MR_ASSIGN(const auto entries, cache.Manifest(row, metadata));
    for (const iceberg::ManifestEntry& entry : *entries) {
      if (entry.status != iceberg::EntryStatus::kDeleted) files.erase(entry.file.path);
    }
  }
  return files;
}

}  // namespace

std::vector<iceberg::TableUpdate> ExpireSnapshots(const iceberg::TableMetadata& metadata,
                                                  const Retention& retention, Micros now) {
  std::vector<const iceberg::Snapshot*> newest_first;
  for (const iceberg::Snapshot& snapshot : metadata.snapshots) newest_first.push_back(&snapshot);
  std::sort(newest_first.begin(), newest_first.end(),
            [](const auto* a, const auto* b) { return a->sequence_number > b->sequence_number; });
  const std::set<int64_t> referenced = Referenced(metadata);
  const int64_t oldest_hour = now / 1000 / kHourMs - retention.keep_hours;
  std::set<int64_t> hours;
  std::vector<int64_t> expired;
  for (size_t i = 0; i < newest_first.size(); ++i) {
    const iceberg::Snapshot& snapshot = *newest_first[i];
    const int64_t hour = snapshot.timestamp_ms / kHourMs;
    const bool first_of_hour = hours.insert(hour).second;
    if (i < static_cast<size_t>(std::max(1, retention.keep_last))) continue;
    if (referenced.contains(snapshot.snapshot_id)) continue;
    if (first_of_hour && hour > oldest_hour) continue;
    expired.push_back(snapshot.snapshot_id);
  }
  // In batches: finding out what only old snapshots reach reads their manifests.
  const size_t due =
      std::max<size_t>(1, static_cast<size_t>(std::max(0, retention.keep_last)) / 10);
  if (expired.size() < due) return {};
  return {iceberg::update::RemoveSnapshots{std::move(expired)}};
}

Result<int64_t> DeleteUnreachable(ObjectStore& store, ManifestCache& cache,
                                  const iceberg::TableMetadata& before,
                                  const iceberg::TableMetadata& after) {
  const auto stays = [&after](const iceberg::Snapshot& s) {
    return after.FindSnapshot(s.snapshot_id) != nullptr;
  };
  const auto goes = [&stays](const iceberg::Snapshot& s) { return !stays(s); };
  std::vector<std::string> uris;
  if (std::any_of(before.snapshots.begin(), before.snapshots.end(), goes)) {
    MR_ASSIGN(Manifests gone, ManifestsOf(cache, before, goes, true));
    MR_ASSIGN(const Manifests kept, ManifestsOf(
                                        cache, after, [](const auto&) { return true; }, false));
    std::erase_if(gone, [&kept](const auto& item) { return kept.contains(item.first); });
    MR_ASSIGN(const auto files, UnreachableFiles(cache, before, gone, kept));
    // Lists last: while a list is there, a run that was cut short can be repeated.
    uris.assign(files.begin(), files.end());
    for (const auto& [path, row] : gone) uris.push_back(path);
    for (const iceberg::Snapshot& snapshot : before.snapshots) {
      if (goes(snapshot)) uris.push_back(snapshot.manifest_list);
    }
  }
  std::set<std::string> logged;
  for (const iceberg::MetadataLogEntry& entry : after.metadata_log)
    logged.insert(entry.metadata_file);
  for (const iceberg::MetadataLogEntry& entry : before.metadata_log) {
    if (!logged.contains(entry.metadata_file)) uris.push_back(entry.metadata_file);
  }
  MR_FAILPOINT("table.before_expiry_deletes");
  int64_t deleted = 0;
  for (const std::string& uri : uris) {
    const auto path = store.Relative(uri);
    if (!path.ok()) continue;
    MR_TRY(store.Delete(*path));
    ++deleted;
  }
  MR_FAILPOINT("table.after_expiry_deletes");
  return deleted;
}

}  // namespace millrace::table
