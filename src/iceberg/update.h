#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "iceberg/metadata.h"

// A commit as values: what must still hold, and what changes. Names follow the REST catalog's
// specification, so that every catalog (SQL, REST, Glue) commits the same thing.
namespace millrace::iceberg {

namespace update {
struct AssignUuid {
  std::string uuid;
};
struct UpgradeFormatVersion {
  int32_t version;
};  // 2 only: REST clients send it when they create a table
struct SetLocation {
  std::string location;
};
struct AddSchema {
  Schema schema;
  int32_t last_column_id;
};
struct SetCurrentSchema {
  int32_t schema_id;
};  // -1: the one added last
struct AddSpec {
  PartitionSpec spec;
};
struct SetDefaultSpec {
  int32_t spec_id;
};  // -1: the one added last
struct AddSortOrder {
  json::Value order;
};
struct SetDefaultSortOrder {
  int32_t order_id;
};
struct AddSnapshot {
  Snapshot snapshot;
};
struct SetSnapshotRef {
  std::string name;
  SnapshotRef ref;
};
struct RemoveSnapshots {
  std::vector<int64_t> ids;
};
struct RemoveSnapshotRef {
  std::string name;
};
struct SetProperties {
  Properties updates;
};
struct RemoveProperties {
  std::vector<std::string> keys;
};
}  // namespace update

using TableUpdate =
    std::variant<update::AssignUuid, update::UpgradeFormatVersion, update::SetLocation,
                 update::AddSchema, update::SetCurrentSchema, update::AddSpec,
                 update::SetDefaultSpec, update::AddSortOrder, update::SetDefaultSortOrder,
                 update::AddSnapshot, update::SetSnapshotRef, update::RemoveSnapshots,
                 update::RemoveSnapshotRef, update::SetProperties, update::RemoveProperties>;

namespace require {
struct TableAbsent {};  // assert-create
struct Uuid {
  std::string uuid;
};
struct RefSnapshot {
  std::string ref;
  std::optional<int64_t> snapshot_id;
};  // nullopt: the ref must not exist
struct LastAssignedFieldId {
  int32_t id;
};
struct CurrentSchemaId {
  int32_t id;
};
struct LastAssignedPartitionId {
  int32_t id;
};
struct DefaultSpecId {
  int32_t id;
};
struct DefaultSortOrderId {
  int32_t id;
};
}  // namespace require

using Requirement = std::variant<require::TableAbsent, require::Uuid, require::RefSnapshot,
                                 require::LastAssignedFieldId, require::CurrentSchemaId,
                                 require::LastAssignedPartitionId, require::DefaultSpecId,
                                 require::DefaultSortOrderId>;

// kConflict when it does not hold; `base` is nullptr when the table does not exist.
Status Check(const Requirement& requirement, const TableMetadata* base);

// The metadata after the updates, applied in order. `base` is nullptr for a new table (then
// AssignUuid, SetLocation, AddSchema, SetCurrentSchema, AddSpec, SetDefaultSpec must be among
// them). Keeps both logs ascending, last_updated_ms never going back, the metadata log at most
// `write.metadata.previous-versions-max` long (100 by default), refs and current snapshot in step.
// `base_location` is the metadata file of `base`, which enters the metadata log. Deterministic:
// `now_ms` is the caller's clock.
Result<TableMetadata> Apply(const TableMetadata* base, const std::string& base_location,
                            const std::vector<TableUpdate>& updates, int64_t now_ms);

json::Value ToJson(const TableUpdate& update);
json::Value ToJson(const Requirement& requirement);
Result<TableUpdate> UpdateFromJson(const json::Value& value);
Result<Requirement> RequirementFromJson(const json::Value& value);

}  // namespace millrace::iceberg
