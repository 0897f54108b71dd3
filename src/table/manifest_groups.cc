#include "table/manifest_groups.h"

#include <algorithm>

#include "table/pruning.h"

namespace millrace::table {
namespace {

constexpr int64_t kTargetBytes = 8 << 20;
constexpr int64_t kMaxEntries = 8192;
constexpr int64_t kFewEntries = 32;  // manifests up to this are always merged
constexpr size_t kManyManifests = 20;

bool SplitsByBoolean(const iceberg::TableMetadata& metadata, int32_t spec_id) {
  const iceberg::PartitionSpec* spec = metadata.FindSpec(spec_id);
  if (spec == nullptr || spec->fields.empty()) return false;
  if (spec->fields[0].transform.kind != iceberg::TransformKind::kIdentity) return false;
  const iceberg::TypePtr type = PartitionType(metadata, spec->fields[0]);
  return type != nullptr && type->id == iceberg::TypeId::kBoolean;
}

}  // namespace

ManifestGroup GroupOf(const iceberg::DataFile& file, const iceberg::TableMetadata& metadata) {
  ManifestGroup group;
  group.content = file.content == iceberg::FileContent::kData ? iceberg::ManifestContent::kData
                                                              : iceberg::ManifestContent::kDeletes;
  group.spec_id = file.spec_id;
  if (SplitsByBoolean(metadata, file.spec_id) && !file.partition.empty()) {
    const bool* value = std::get_if<bool>(&file.partition[0]);
    if (value != nullptr) group.part = *value ? "true" : "false";
  }
  return group;
}

ManifestGroup GroupOf(const iceberg::ManifestFile& manifest,
                      const iceberg::TableMetadata& metadata) {
  ManifestGroup group{manifest.content, manifest.spec_id, ""};
  if (!SplitsByBoolean(metadata, manifest.spec_id)) return group;
  group.part = "mixed";
  if (manifest.partitions.empty()) return group;
  const iceberg::FieldSummary& summary = manifest.partitions[0];
  if (summary.contains_null || !summary.lower_bound.has_value() ||
      summary.lower_bound != summary.upper_bound) {
    return group;
  }
  group.part = *summary.lower_bound == std::string(1, '\0') ? "false" : "true";
  return group;
}

std::vector<size_t> ChooseMerges(const std::vector<iceberg::ManifestFile>& kept,
                                 const ManifestGroup& group, size_t new_entries,
                                 const iceberg::TableMetadata& metadata) {
  const auto entries = [&kept](size_t i) -> int64_t {
    return kept[i].added_files + kept[i].existing_files;
  };
  std::vector<size_t> candidates;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (GroupOf(kept[i], metadata) == group && kept[i].length < kTargetBytes)
      candidates.push_back(i);
  }
  std::sort(candidates.begin(), candidates.end(),
            [&entries](size_t a, size_t b) { return entries(a) < entries(b); });
  const bool many = candidates.size() >= kManyManifests;
  int64_t total = static_cast<int64_t>(new_entries);
  int64_t bytes = 0;
  std::vector<size_t> chosen;
  for (const size_t i : candidates) {
    if (total + entries(i) > kMaxEntries || bytes + kept[i].length > kTargetBytes) break;
    if (!many && entries(i) > std::max(kFewEntries, total)) break;
    total += entries(i);
    bytes += kept[i].length;
    chosen.push_back(i);
  }
  return chosen;
}

}  // namespace millrace::table
