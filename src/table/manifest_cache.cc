#include <algorithm>

#include "base/byte_buffer.h"
#include "base/format.h"
#include "table/scan.h"

namespace millrace::table {
namespace {

constexpr size_t kLists = 512;

// Partition columns that the current schema dropped are looked up in the schema that still has
// them.
const iceberg::Schema& SchemaFor(const iceberg::TableMetadata& metadata,
                                 const iceberg::PartitionSpec& spec) {
  const auto has_all = [&spec](const iceberg::Schema& schema) {
    for (const iceberg::PartitionField& field : spec.fields) {
      if (schema.FindById(field.source_id) == nullptr) return false;
    }
    return true;
  };
  if (has_all(metadata.CurrentSchema())) return metadata.CurrentSchema();
  for (auto schema = metadata.schemas.rbegin(); schema != metadata.schemas.rend(); ++schema) {
    if (has_all(*schema)) return *schema;
  }
  return metadata.CurrentSchema();
}

}  // namespace

Result<std::vector<iceberg::ManifestFile>> ManifestCache::List(const iceberg::Snapshot& snapshot) {
  {
    std::lock_guard lock(mutex_);
    if (const auto found = lists_.find(snapshot.manifest_list); found != lists_.end())
      return *found->second;
  }
  MR_ASSIGN(const std::string path, store_.Relative(snapshot.manifest_list));
  ByteBuffer bytes;
  MR_TRY(store_.Get(path, bytes));
  MR_ASSIGN(auto rows, iceberg::ReadManifestList(bytes.view(), snapshot.manifest_list));
  std::lock_guard lock(mutex_);
  if (lists_.size() >= kLists) lists_.clear();
  lists_[snapshot.manifest_list] = std::make_shared<const std::vector<iceberg::ManifestFile>>(rows);
  return rows;
}

Result<ManifestCache::Entries> ManifestCache::Manifest(const iceberg::ManifestFile& row,
                                                       const iceberg::TableMetadata& metadata) {
  {
    std::lock_guard lock(mutex_);
    if (const auto found = manifests_.find(row.path); found != manifests_.end()) {
      found->second.used = ++clock_;
      return found->second.entries;
    }
  }
  const iceberg::PartitionSpec* spec = metadata.FindSpec(row.spec_id);
  if (spec == nullptr) {
    return Fail(ErrorKind::kCorrupt, "manifest '{}' has partition spec {}, which the table lacks",
                row.path, row.spec_id);
  }
  MR_ASSIGN(const std::string path, store_.Relative(row.path));
  ByteBuffer bytes;
  MR_TRY(store_.Get(path, bytes));
  MR_ASSIGN(auto entries,
            iceberg::ReadManifest(bytes.view(), row, SchemaFor(metadata, *spec), *spec));
  for (iceberg::ManifestEntry& entry : entries) entry.file.spec_id = row.spec_id;
  auto shared = std::make_shared<const std::vector<iceberg::ManifestEntry>>(std::move(entries));
  Keep(row.path, shared);
  return shared;
}

void ManifestCache::Remember(const std::string& path, std::vector<iceberg::ManifestEntry> entries) {
  Keep(path, std::make_shared<const std::vector<iceberg::ManifestEntry>>(std::move(entries)));
}

void ManifestCache::Keep(const std::string& path, Entries entries) {
  std::lock_guard lock(mutex_);
  while (manifests_.size() >= std::max<size_t>(capacity_, 1)) {
    auto oldest = manifests_.begin();
    for (auto at = manifests_.begin(); at != manifests_.end(); ++at) {
      if (at->second.used < oldest->second.used) oldest = at;
    }
    manifests_.erase(oldest);
  }
  manifests_[path] = {std::move(entries), ++clock_};
}

}  // namespace millrace::table
