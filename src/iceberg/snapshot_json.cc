#include <algorithm>

#include "iceberg/json_members.h"
#include "iceberg/metadata.h"

namespace millrace::iceberg {

json::Value ToJson(const Snapshot& snapshot) {
  json::Value::Object object{{"sequence-number", snapshot.sequence_number},
                             {"snapshot-id", snapshot.snapshot_id}};
  if (snapshot.parent_snapshot_id)
    object.emplace_back("parent-snapshot-id", *snapshot.parent_snapshot_id);
  object.emplace_back("timestamp-ms", snapshot.timestamp_ms);
  if (!snapshot.summary.empty()) object.emplace_back("summary", ToJson(snapshot.summary));
  object.emplace_back("manifest-list", snapshot.manifest_list);
  if (snapshot.schema_id) object.emplace_back("schema-id", *snapshot.schema_id);
  object.insert(object.end(), snapshot.unknown.begin(), snapshot.unknown.end());
  return object;
}

Result<Snapshot> SnapshotFromJson(const json::Value& value) {
  static constexpr std::string_view kKnown[] = {
      "sequence-number", "snapshot-id",   "parent-snapshot-id", "timestamp-ms",
      "summary",         "manifest-list", "schema-id"};
  Snapshot snapshot;
  MR_ASSIGN(snapshot.snapshot_id, value.Int("snapshot-id"));
  MR_ASSIGN(snapshot.parent_snapshot_id, OptionalInt(value, "parent-snapshot-id"));
  MR_ASSIGN(snapshot.sequence_number,
            value.IntOr("sequence-number", 0));  // absent in what was a v1 table's
  MR_ASSIGN(snapshot.timestamp_ms, value.Int("timestamp-ms"));
  if (value.Find("manifest-list") == nullptr && value.Find("manifests") != nullptr) {
    return Fail(ErrorKind::kUnsupported,
                "snapshot {} names its manifests directly, as v1 tables did; expire it with the "
                "engine that wrote it",
                snapshot.snapshot_id);
  }
  MR_ASSIGN(snapshot.manifest_list, value.String("manifest-list"));
  MR_ASSIGN(snapshot.summary, StringsMember(value, "summary"));
  MR_ASSIGN(const std::optional<int64_t> schema_id, OptionalInt(value, "schema-id"));
  if (schema_id) {
    MR_ASSIGN(snapshot.schema_id, Int32Member(value, "schema-id"));
  }
  for (const auto& member : value.AsObject()) {
    if (std::ranges::find(kKnown, member.first) == std::end(kKnown))
      snapshot.unknown.push_back(member);
  }
  return snapshot;
}

json::Value ToJson(const SnapshotRef& ref) {
  json::Value::Object object{{"snapshot-id", ref.snapshot_id}, {"type", ref.type}};
  if (ref.min_snapshots_to_keep)
    object.emplace_back("min-snapshots-to-keep", *ref.min_snapshots_to_keep);
  if (ref.max_snapshot_age_ms) object.emplace_back("max-snapshot-age-ms", *ref.max_snapshot_age_ms);
  if (ref.max_ref_age_ms) object.emplace_back("max-ref-age-ms", *ref.max_ref_age_ms);
  return object;
}

Result<SnapshotRef> SnapshotRefFromJson(const json::Value& value) {
  SnapshotRef ref;
  MR_ASSIGN(ref.snapshot_id, value.Int("snapshot-id"));
  MR_ASSIGN(ref.type, value.String("type"));
  if (ref.type != "branch" && ref.type != "tag")
    return Fail(ErrorKind::kCorrupt, "ref type '{}' is not known", ref.type);
  MR_ASSIGN(ref.min_snapshots_to_keep, OptionalInt(value, "min-snapshots-to-keep"));
  MR_ASSIGN(ref.max_snapshot_age_ms, OptionalInt(value, "max-snapshot-age-ms"));
  MR_ASSIGN(ref.max_ref_age_ms, OptionalInt(value, "max-ref-age-ms"));
  return ref;
}

}  // namespace millrace::iceberg
