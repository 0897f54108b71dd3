#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/partition.h"
#include "iceberg/schema.h"

// Table metadata (v2; v1 is not read, v3 is refused by name). Spec: "Table Metadata"; what readers
// enforce: Java's TableMetadata.
namespace millrace::iceberg {

using Properties = std::map<std::string, std::string>;

struct Snapshot {
  int64_t snapshot_id = 0;
  std::optional<int64_t> parent_snapshot_id;
  int64_t sequence_number = 0;
  int64_t timestamp_ms = 0;
  std::string manifest_list;
  Properties summary;  // "operation" included
  std::optional<int32_t> schema_id;
  json::Value::Object unknown = {};  // members we do not interpret: written back as read
};

json::Value ToJson(const Snapshot& snapshot);
Result<Snapshot> SnapshotFromJson(const json::Value& value);

struct SnapshotRef {
  int64_t snapshot_id = 0;
  std::string type = "branch";  // or "tag"
  std::optional<int64_t> min_snapshots_to_keep, max_snapshot_age_ms, max_ref_age_ms;
  bool operator==(const SnapshotRef&) const = default;
};

json::Value ToJson(const SnapshotRef& ref);
Result<SnapshotRef> SnapshotRefFromJson(const json::Value& value);

struct SnapshotLogEntry {
  int64_t timestamp_ms;
  int64_t snapshot_id;
};
struct MetadataLogEntry {
  int64_t timestamp_ms;
  std::string metadata_file;
};

struct TableMetadata {
  int format_version = 2;
  std::string table_uuid;
  std::string location;  // without a trailing slash
  int64_t last_sequence_number = 0;
  int64_t last_updated_ms = 0;
  int32_t last_column_id = 0;
  std::vector<Schema> schemas;
  int32_t current_schema_id = 0;
  std::vector<PartitionSpec> specs;
  int32_t default_spec_id = 0;
  int32_t last_partition_id = 999;
  std::vector<json::Value> sort_orders;  // kept as read; ours is the unsorted order 0 (M11)
  int32_t default_sort_order_id = 0;
  Properties properties;
  std::optional<int64_t> current_snapshot_id;
  std::vector<Snapshot> snapshots;
  std::vector<SnapshotLogEntry> snapshot_log;
  std::vector<MetadataLogEntry> metadata_log;
  std::map<std::string, SnapshotRef> refs;
  json::Value::Object
      unknown;  // members we do not interpret (statistics, ...): written back as read

  // REQUIRES: as ReadMetadata or Apply made it (both check that the current schema and default spec
  // exist).
  const Schema& CurrentSchema() const;
  const Schema* FindSchema(int32_t id) const;
  const PartitionSpec& DefaultSpec() const;
  const PartitionSpec* FindSpec(int32_t id) const;
  const Snapshot* CurrentSnapshot() const;  // nullptr when the table is empty
  const Snapshot* FindSnapshot(int64_t id) const;
};

std::string WriteMetadata(const TableMetadata& metadata);
json::Value ToJson(const TableMetadata& metadata);
// kCorrupt where readers would refuse it, kUnsupported for other format versions.
Result<TableMetadata> ReadMetadata(std::string_view text, std::string_view what);
Result<TableMetadata> MetadataFromJson(const json::Value& value, std::string_view what);
// What every reader enforces, as one check: references resolve, logs ascend, sequence numbers fit.
// kCorrupt names the first fault.
Status CheckMetadata(const TableMetadata& metadata);

// Whether a table property may not be set because it names a part of the metadata itself
// ("format-version", "uuid", ...).
bool IsReservedProperty(std::string_view key);

}  // namespace millrace::iceberg
