#include "base/byte_buffer.h"
#include "base/format.h"
#include "table/scan.h"

namespace millrace::table {
namespace {

constexpr size_t kListRows = 16 << 10;  // about 6 MB

// A node of a map with its allocator's share, beside the pair.
constexpr size_t kNodeBytes = 48;

size_t BytesOf(const std::string& text) {
  return text.capacity() < sizeof(std::string) / 2 ? 0 : text.capacity() + 1;
}

// What an entry takes in memory: most of it is in the nodes of its metrics, so it grows with the
// table's columns.
size_t BytesOf(const iceberg::ManifestEntry& entry) {
  const iceberg::DataFile& file = entry.file;
  size_t bytes = sizeof(entry) + BytesOf(file.path) + BytesOf(file.format);
  if (file.referenced_data_file) bytes += BytesOf(*file.referenced_data_file);
  bytes += file.partition.capacity() * sizeof(iceberg::Literal);
  bytes += file.split_offsets.capacity() * sizeof(int64_t);
  for (const auto* counts :
       {&file.column_sizes, &file.value_counts, &file.null_value_counts, &file.nan_value_counts}) {
    bytes += counts->size() * (kNodeBytes + sizeof(std::pair<const int32_t, int64_t>));
  }
  for (const auto* bounds : {&file.lower_bounds, &file.upper_bounds}) {
    for (const auto& [id, bound] : *bounds)
      bytes += kNodeBytes + sizeof(std::pair<const int32_t, std::string>) + BytesOf(bound);
  }
  return bytes;
}

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
  if (list_rows_ + rows.size() > kListRows) {
    lists_.clear();
    list_rows_ = 0;
  }
  auto kept = std::make_shared<const std::vector<iceberg::ManifestFile>>(rows);
  if (lists_.emplace(snapshot.manifest_list, std::move(kept)).second) list_rows_ += rows.size();
  return rows;
}

Result<ManifestCache::Entries> ManifestCache::Manifest(const iceberg::ManifestFile& row,
                                                       const iceberg::TableMetadata& metadata) {
  {
    std::lock_guard lock(mutex_);
    if (const auto found = manifests_.find(row.path); found != manifests_.end()) {
      newest_first_.splice(newest_first_.begin(), newest_first_, found->second);
      return found->second->entries;
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

size_t ManifestCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void ManifestCache::Keep(const std::string& path, Entries entries) {
  size_t bytes = path.size();
  for (const iceberg::ManifestEntry& entry : *entries) bytes += BytesOf(entry);
  std::lock_guard lock(mutex_);
  if (bytes > capacity_ || manifests_.contains(path)) return;
  while (bytes_ + bytes > capacity_) {
    bytes_ -= newest_first_.back().bytes;
    manifests_.erase(newest_first_.back().path);
    newest_first_.pop_back();
  }
  newest_first_.push_front({path, std::move(entries), bytes});
  manifests_[path] = newest_first_.begin();
  bytes_ += bytes;
}

}  // namespace millrace::table
