#include "iceberg/metadata.h"

#include <algorithm>

namespace millrace::iceberg {

const Schema* TableMetadata::FindSchema(int32_t id) const {
  const auto found = std::ranges::find(schemas, id, &Schema::schema_id);
  return found == schemas.end() ? nullptr : &*found;
}

const Schema& TableMetadata::CurrentSchema() const { return *FindSchema(current_schema_id); }

const PartitionSpec* TableMetadata::FindSpec(int32_t id) const {
  const auto found = std::ranges::find(specs, id, &PartitionSpec::spec_id);
  return found == specs.end() ? nullptr : &*found;
}

const PartitionSpec& TableMetadata::DefaultSpec() const { return *FindSpec(default_spec_id); }

const Snapshot* TableMetadata::FindSnapshot(int64_t id) const {
  const auto found = std::ranges::find(snapshots, id, &Snapshot::snapshot_id);
  return found == snapshots.end() ? nullptr : &*found;
}

const Snapshot* TableMetadata::CurrentSnapshot() const {
  return current_snapshot_id ? FindSnapshot(*current_snapshot_id) : nullptr;
}

bool IsReservedProperty(std::string_view key) {
  static constexpr std::string_view kReserved[] = {
      "format-version",      "uuid",
      "snapshot-count",      "current-snapshot-summary",
      "current-snapshot-id", "current-snapshot-timestamp-ms",
      "current-schema",      "default-partition-spec",
      "default-sort-order"};
  return std::ranges::find(kReserved, key) != std::end(kReserved);
}

}  // namespace millrace::iceberg
