#include <algorithm>

#include "iceberg/json_members.h"
#include "iceberg/metadata.h"

// Spec: "Appendix C: JSON serialization", table metadata. Member order as Java writes it.
namespace millrace::iceberg {
namespace {

constexpr std::string_view kKnown[] = {
    "format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms",
    "last-column-id", "current-schema-id", "schemas", "default-spec-id", "partition-specs",
    "last-partition-id", "default-sort-order-id", "sort-orders", "properties",
    "current-snapshot-id", "refs", "snapshots", "snapshot-log", "metadata-log",
    // what v1 repeated for its readers; replaced by the lists above
    "schema", "partition-spec"};

template <typename T>
json::Value::Array ListToJson(const std::vector<T>& items) {
  json::Value::Array array;
  for (const T& item : items) array.push_back(ToJson(item));
  return array;
}

// Reads each item of the array `key`; errors say which member they are in.
template <typename T, typename Read>
Result<std::vector<T>> ListFromJson(const json::Value& value, std::string_view key, bool required,
                                    Read read) {
  MR_ASSIGN(const json::Value::Array array, ArrayMember(value, key, required));
  std::vector<T> items;
  items.reserve(array.size());
  for (const json::Value& item : array) {
    Result<T> parsed = read(item);
    if (!parsed.ok()) return parsed.error().Wrap(key);
    items.push_back(*std::move(parsed));
  }
  if (required && items.empty()) return Fail(ErrorKind::kCorrupt, "'{}' is empty", key);
  return items;
}

std::string WithoutTrailingSlashes(std::string location) {
  while (location.size() > 1 && location.back() == '/' && !location.ends_with("://"))
    location.pop_back();
  return location;
}

Result<SnapshotLogEntry> SnapshotLogEntryFromJson(const json::Value& value) {
  SnapshotLogEntry entry{};
  MR_ASSIGN(entry.timestamp_ms, value.Int("timestamp-ms"));
  MR_ASSIGN(entry.snapshot_id, value.Int("snapshot-id"));
  return entry;
}

Result<MetadataLogEntry> MetadataLogEntryFromJson(const json::Value& value) {
  MetadataLogEntry entry{};
  MR_ASSIGN(entry.timestamp_ms, value.Int("timestamp-ms"));
  MR_ASSIGN(entry.metadata_file, value.String("metadata-file"));
  return entry;
}

Status CheckVersion(const json::Value& value) {
  MR_ASSIGN(const int64_t version, value.Int("format-version"));
  if (version == 2) return {};
  if (version == 1) {
    return Fail(
        ErrorKind::kUnsupported,
        "table format v1 is not read; upgrade the table to v2 with the engine that wrote it");
  }
  return Fail(ErrorKind::kUnsupported,
              "table format v{} is not supported; Millrace reads and writes v2", version);
}

Status ReadScalars(const json::Value& value, TableMetadata& m) {
  MR_ASSIGN(m.table_uuid, value.String("table-uuid"));
  MR_ASSIGN(std::string location, value.String("location"));
  m.location = WithoutTrailingSlashes(std::move(location));
  MR_ASSIGN(m.last_sequence_number, value.Int("last-sequence-number"));
  MR_ASSIGN(m.last_updated_ms, value.Int("last-updated-ms"));
  MR_ASSIGN(m.last_column_id, Int32Member(value, "last-column-id"));
  MR_ASSIGN(m.current_schema_id, Int32Member(value, "current-schema-id"));
  MR_ASSIGN(m.default_spec_id, Int32Member(value, "default-spec-id"));
  MR_ASSIGN(m.last_partition_id, Int32Member(value, "last-partition-id"));
  MR_ASSIGN(m.default_sort_order_id, Int32Member(value, "default-sort-order-id"));
  MR_ASSIGN(m.current_snapshot_id, OptionalInt(value, "current-snapshot-id"));
  if (m.current_snapshot_id == -1) m.current_snapshot_id.reset();  // how Java wrote "none"
  return {};
}

Status ReadRefs(const json::Value& value, TableMetadata& m) {
  if (const json::Value* refs = value.Find("refs"); refs != nullptr && refs->is_object()) {
    for (const auto& [name, item] : refs->AsObject()) {
      MR_ASSIGN(SnapshotRef ref, SnapshotRefFromJson(item));
      m.refs.emplace(name, std::move(ref));
    }
  } else if (m.current_snapshot_id) {  // written before refs existed
    m.refs["main"].snapshot_id = *m.current_snapshot_id;
  }
  return {};
}

Result<TableMetadata> FromJson(const json::Value& value) {
  if (!value.is_object()) return Fail(ErrorKind::kCorrupt, "table metadata is not a JSON object");
  MR_TRY(CheckVersion(value));
  TableMetadata m;
  MR_TRY(ReadScalars(value, m));
  MR_ASSIGN(m.schemas, ListFromJson<Schema>(value, "schemas", true, SchemaFromJson));
  MR_ASSIGN(m.specs,
            ListFromJson<PartitionSpec>(value, "partition-specs", true, PartitionSpecFromJson));
  MR_ASSIGN(m.sort_orders,
            ListFromJson<json::Value>(
                value, "sort-orders", true,
                [](const json::Value& order) -> Result<json::Value> { return order; }));
  MR_ASSIGN(m.properties, StringsMember(value, "properties"));
  MR_ASSIGN(m.snapshots, ListFromJson<Snapshot>(value, "snapshots", false, SnapshotFromJson));
  MR_ASSIGN(m.snapshot_log,
            ListFromJson<SnapshotLogEntry>(value, "snapshot-log", false, SnapshotLogEntryFromJson));
  MR_ASSIGN(m.metadata_log,
            ListFromJson<MetadataLogEntry>(value, "metadata-log", false, MetadataLogEntryFromJson));
  MR_TRY(ReadRefs(value, m));
  for (const auto& member : value.AsObject()) {
    if (std::ranges::find(kKnown, member.first) == std::end(kKnown)) m.unknown.push_back(member);
  }
  MR_TRY(CheckMetadata(m));
  return m;
}

}  // namespace

json::Value ToJson(const TableMetadata& m) {
  json::Value::Array snapshot_log;
  for (const SnapshotLogEntry& entry : m.snapshot_log) {
    snapshot_log.emplace_back(json::Value::Object{{"timestamp-ms", entry.timestamp_ms},
                                                  {"snapshot-id", entry.snapshot_id}});
  }
  json::Value::Array metadata_log;
  for (const MetadataLogEntry& entry : m.metadata_log) {
    metadata_log.emplace_back(json::Value::Object{{"timestamp-ms", entry.timestamp_ms},
                                                  {"metadata-file", entry.metadata_file}});
  }
  json::Value::Object refs;
  for (const auto& [name, ref] : m.refs) refs.emplace_back(name, ToJson(ref));

  json::Value::Object object{{"format-version", m.format_version},
                             {"table-uuid", m.table_uuid},
                             {"location", m.location},
                             {"last-sequence-number", m.last_sequence_number},
                             {"last-updated-ms", m.last_updated_ms},
                             {"last-column-id", m.last_column_id},
                             {"current-schema-id", m.current_schema_id},
                             {"schemas", ListToJson(m.schemas)},
                             {"default-spec-id", m.default_spec_id},
                             {"partition-specs", ListToJson(m.specs)},
                             {"last-partition-id", m.last_partition_id},
                             {"default-sort-order-id", m.default_sort_order_id},
                             {"sort-orders", m.sort_orders},
                             {"properties", ToJson(m.properties)}};
  // "No snapshot" is an absent member: -1, which Java once wrote, is refused by some readers.
  if (m.current_snapshot_id) object.emplace_back("current-snapshot-id", *m.current_snapshot_id);
  object.emplace_back("refs", std::move(refs));
  object.emplace_back("snapshots", ListToJson(m.snapshots));
  object.insert(object.end(), m.unknown.begin(), m.unknown.end());
  object.emplace_back("snapshot-log", std::move(snapshot_log));
  object.emplace_back("metadata-log", std::move(metadata_log));
  return object;
}

std::string WriteMetadata(const TableMetadata& metadata) { return json::Write(ToJson(metadata)); }

Result<TableMetadata> MetadataFromJson(const json::Value& value, std::string_view what) {
  auto metadata = FromJson(value);
  if (!metadata.ok()) return metadata.error().Wrap(what);
  return metadata;
}

Result<TableMetadata> ReadMetadata(std::string_view text, std::string_view what) {
  MR_ASSIGN(const json::Value value, json::Parse(text, what));
  return MetadataFromJson(value, what);
}

}  // namespace millrace::iceberg
