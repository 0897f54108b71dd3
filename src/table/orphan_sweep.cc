#include "table/orphan_sweep.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "base/log.h"
#include "base/uuid.h"

namespace millrace::table {
namespace {

constexpr Micros kGrace = kMicrosPerDay;

// What Iceberg writers make; statistics and whatever others put there are left alone.
bool MayBeOrphan(std::string_view path) {
  return path.ends_with(".parquet") || path.ends_with(".avro") || path.ends_with(".metadata.json");
}

// The URIs of all files that the table needs.
Result<std::unordered_set<std::string>> Named(ManifestCache& cache, const LoadedTable& table) {
  const iceberg::TableMetadata& metadata = table.metadata;
  std::unordered_set<std::string> named = {table.metadata_location};
  for (const iceberg::MetadataLogEntry& entry : metadata.metadata_log)
    named.insert(entry.metadata_file);
  for (const iceberg::Snapshot& snapshot : metadata.snapshots) {
    named.insert(snapshot.manifest_list);
    MR_ASSIGN(const auto rows, cache.List(snapshot));
    for (const iceberg::ManifestFile& row : rows) {
      if (!named.insert(row.path).second) continue;
      MR_ASSIGN(const auto entries, cache.Manifest(row, metadata));
      for (const iceberg::ManifestEntry& entry : *entries) {
        if (entry.status != iceberg::EntryStatus::kDeleted) named.insert(entry.file.path);
      }
    }
  }
  return named;
}

}  // namespace

Result<int64_t> RemoveOrphans(ObjectStore& store, ManifestCache& cache, Catalog& catalog,
                              const TableIdent& ident, Micros grace) {
  MR_ASSIGN(const LoadedTable table, catalog.LoadTable(ident));
  MR_ASSIGN(const std::string folder, store.Relative(table.metadata.location));
  MR_ASSIGN(const std::vector<ObjectInfo> objects, store.List(folder + "/"));
  Micros newest = 0;
  for (const ObjectInfo& object : objects) newest = std::max(newest, object.modified_at);
  std::vector<std::string> candidates;
  for (const ObjectInfo& object : objects) {
    if (object.modified_at < newest - grace && MayBeOrphan(object.path))
      candidates.push_back(object.path);
  }
  if (candidates.empty()) return 0;
  MR_ASSIGN(const auto named, Named(cache, table));
  int64_t removed = 0;
  for (const std::string& path : candidates) {
    if (named.contains(store.Absolute(path))) continue;
    MR_TRY(store.Delete(path));
    ++removed;
  }
  return removed;
}

void OrphanSweep::Pass(const std::vector<TableIdent>& tables) {
  const Micros now = clock_.Now();
  std::vector<TableIdent> due;
  for (const TableIdent& table : tables) {
    const auto next = next_.find(table);
    // A clock that was stepped back does not put it off.
    if (next == next_.end() || next->second <= now || next->second > now + kMicrosPerDay)
      due.push_back(table);
  }
  if (due.empty()) return;
  // At random, so that processes that live for one pass come to all of them, too.
  const TableIdent& table = due[RandomBits() % due.size()];
  next_[table] = now + kMicrosPerDay;
  const Result<int64_t> removed = RemoveOrphans(store_, cache_, catalog_, table, kGrace);
  if (!removed.ok()) {
    log::Warn("table", "{}: leftovers of killed writers stay: {}", table.ToString(),
              removed.error().message());
  } else if (*removed > 0) {
    log::Info("table", "{}: removed {} files that killed writers left", table.ToString(), *removed);
  }
}

}  // namespace millrace::table
