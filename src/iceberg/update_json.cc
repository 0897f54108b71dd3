#include "iceberg/json_members.h"
#include "iceberg/update.h"

// The forms of the REST catalog's specification (rest-catalog-open-api.yaml, TableUpdate and
// TableRequirement).
namespace millrace::iceberg {
namespace {

using json::Value;
using Object = Value::Object;

struct UpdateToJson {
  Value operator()(const update::AssignUuid& u) const {
    return Object{{"action", "assign-uuid"}, {"uuid", u.uuid}};
  }
  Value operator()(const update::UpgradeFormatVersion& u) const {
    return Object{{"action", "upgrade-format-version"}, {"format-version", u.version}};
  }
  Value operator()(const update::SetLocation& u) const {
    return Object{{"action", "set-location"}, {"location", u.location}};
  }
  Value operator()(const update::AddSchema& u) const {
    return Object{{"action", "add-schema"},
                  {"schema", ToJson(u.schema)},
                  {"last-column-id", u.last_column_id}};
  }
  Value operator()(const update::SetCurrentSchema& u) const {
    return Object{{"action", "set-current-schema"}, {"schema-id", u.schema_id}};
  }
  Value operator()(const update::AddSpec& u) const {
    return Object{{"action", "add-spec"}, {"spec", ToJson(u.spec)}};
  }
  Value operator()(const update::SetDefaultSpec& u) const {
    return Object{{"action", "set-default-spec"}, {"spec-id", u.spec_id}};
  }
  Value operator()(const update::AddSortOrder& u) const {
    return Object{{"action", "add-sort-order"}, {"sort-order", u.order}};
  }
  Value operator()(const update::SetDefaultSortOrder& u) const {
    return Object{{"action", "set-default-sort-order"}, {"sort-order-id", u.order_id}};
  }
  Value operator()(const update::AddSnapshot& u) const {
    return Object{{"action", "add-snapshot"}, {"snapshot", ToJson(u.snapshot)}};
  }
  Value operator()(const update::SetSnapshotRef& u) const {
    Value value = Object{{"action", "set-snapshot-ref"}, {"ref-name", u.name}};
    const Value ref = ToJson(u.ref);
    for (const auto& [key, member] : ref.AsObject()) value.Set(key, member);
    return value;
  }
  Value operator()(const update::RemoveSnapshots& u) const {
    Value::Array ids;
    for (const int64_t id : u.ids) ids.emplace_back(id);
    return Object{{"action", "remove-snapshots"}, {"snapshot-ids", std::move(ids)}};
  }
  Value operator()(const update::RemoveSnapshotRef& u) const {
    return Object{{"action", "remove-snapshot-ref"}, {"ref-name", u.name}};
  }
  Value operator()(const update::SetProperties& u) const {
    return Object{{"action", "set-properties"}, {"updates", ToJson(u.updates)}};
  }
  Value operator()(const update::RemoveProperties& u) const {
    Value::Array keys;
    for (const std::string& key : u.keys) keys.emplace_back(key);
    return Object{{"action", "remove-properties"}, {"removals", std::move(keys)}};
  }
};

struct RequirementToJson {
  Value operator()(const require::TableAbsent&) const { return Object{{"type", "assert-create"}}; }
  Value operator()(const require::Uuid& r) const {
    return Object{{"type", "assert-table-uuid"}, {"uuid", r.uuid}};
  }
  Value operator()(const require::RefSnapshot& r) const {
    return Object{{"type", "assert-ref-snapshot-id"},
                  {"ref", r.ref},
                  {"snapshot-id", r.snapshot_id ? Value(*r.snapshot_id) : Value()}};
  }
  Value operator()(const require::LastAssignedFieldId& r) const {
    return Object{{"type", "assert-last-assigned-field-id"}, {"last-assigned-field-id", r.id}};
  }
  Value operator()(const require::CurrentSchemaId& r) const {
    return Object{{"type", "assert-current-schema-id"}, {"current-schema-id", r.id}};
  }
  Value operator()(const require::LastAssignedPartitionId& r) const {
    return Object{{"type", "assert-last-assigned-partition-id"},
                  {"last-assigned-partition-id", r.id}};
  }
  Value operator()(const require::DefaultSpecId& r) const {
    return Object{{"type", "assert-default-spec-id"}, {"default-spec-id", r.id}};
  }
  Value operator()(const require::DefaultSortOrderId& r) const {
    return Object{{"type", "assert-default-sort-order-id"}, {"default-sort-order-id", r.id}};
  }
};

// The object member `key`, or kCorrupt.
Result<Value> Member(const Value& value, std::string_view key) {
  const Value* member = value.Find(key);
  if (member == nullptr || !member->is_object())
    return Fail(ErrorKind::kCorrupt, "'{}' is missing", key);
  return *member;
}

Result<TableUpdate> AddSchemaFromJson(const Value& value) {
  MR_ASSIGN(const Value member, Member(value, "schema"));
  MR_ASSIGN(Schema schema, SchemaFromJson(member));
  int32_t last_column_id = schema.HighestFieldId();
  if (value.Find("last-column-id") !=
      nullptr) {  // deprecated in the REST specification, so it may be absent
    MR_ASSIGN(last_column_id, Int32Member(value, "last-column-id"));
  }
  return TableUpdate(update::AddSchema{std::move(schema), last_column_id});
}

Result<TableUpdate> RemoveSnapshotsFromJson(const Value& value) {
  update::RemoveSnapshots remove;
  MR_ASSIGN(const Value::Array ids, ArrayMember(value, "snapshot-ids", true));
  for (const Value& id : ids) {
    if (!id.is_integer())
      return Fail(ErrorKind::kCorrupt, "'snapshot-ids' holds something that is no integer");
    remove.ids.push_back(id.AsInt());
  }
  return TableUpdate(std::move(remove));
}

Result<TableUpdate> RemovePropertiesFromJson(const Value& value) {
  update::RemoveProperties remove;
  MR_ASSIGN(const Value::Array keys, ArrayMember(value, "removals", true));
  for (const Value& key : keys) {
    if (!key.is_string())
      return Fail(ErrorKind::kCorrupt, "'removals' holds something that is no string");
    remove.keys.push_back(key.AsString());
  }
  return TableUpdate(std::move(remove));
}

}  // namespace

Value ToJson(const TableUpdate& update) { return std::visit(UpdateToJson{}, update); }
Value ToJson(const Requirement& requirement) {
  return std::visit(RequirementToJson{}, requirement);
}

Result<TableUpdate> UpdateFromJson(const Value& value) {
  MR_ASSIGN(const std::string action, value.String("action"));
  if (action == "assign-uuid") {
    MR_ASSIGN(std::string uuid, value.String("uuid"));
    return TableUpdate(update::AssignUuid{std::move(uuid)});
  }
  if (action == "upgrade-format-version") {
    MR_ASSIGN(const int32_t version, Int32Member(value, "format-version"));
    return TableUpdate(update::UpgradeFormatVersion{version});
  }
  if (action == "set-location") {
    MR_ASSIGN(std::string location, value.String("location"));
    return TableUpdate(update::SetLocation{std::move(location)});
  }
  if (action == "add-schema") return AddSchemaFromJson(value);
  if (action == "set-current-schema") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "schema-id"));
    return TableUpdate(update::SetCurrentSchema{id});
  }
  if (action == "add-spec") {
    MR_ASSIGN(const Value member, Member(value, "spec"));
    MR_ASSIGN(PartitionSpec spec, PartitionSpecFromJson(member));
    return TableUpdate(update::AddSpec{std::move(spec)});
  }
  if (action == "set-default-spec") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "spec-id"));
    return TableUpdate(update::SetDefaultSpec{id});
  }
  if (action == "add-sort-order") {
    MR_ASSIGN(Value order, Member(value, "sort-order"));
    return TableUpdate(update::AddSortOrder{std::move(order)});
  }
  if (action == "set-default-sort-order") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "sort-order-id"));
    return TableUpdate(update::SetDefaultSortOrder{id});
  }
  if (action == "add-snapshot") {
    MR_ASSIGN(const Value member, Member(value, "snapshot"));
    MR_ASSIGN(Snapshot snapshot, SnapshotFromJson(member));
    return TableUpdate(update::AddSnapshot{std::move(snapshot)});
  }
  if (action == "set-snapshot-ref") {
    MR_ASSIGN(std::string name, value.String("ref-name"));
    MR_ASSIGN(SnapshotRef ref, SnapshotRefFromJson(value));
    return TableUpdate(update::SetSnapshotRef{std::move(name), std::move(ref)});
  }
  if (action == "remove-snapshots") return RemoveSnapshotsFromJson(value);
  if (action == "remove-snapshot-ref") {
    MR_ASSIGN(std::string name, value.String("ref-name"));
    return TableUpdate(update::RemoveSnapshotRef{std::move(name)});
  }
  if (action == "set-properties") {
    MR_ASSIGN(Properties updates, StringsMember(value, "updates"));
    return TableUpdate(update::SetProperties{std::move(updates)});
  }
  if (action == "remove-properties") return RemovePropertiesFromJson(value);
  return Fail(ErrorKind::kUnsupported, "table update '{}' is not supported", action);
}

Result<Requirement> RequirementFromJson(const Value& value) {
  MR_ASSIGN(const std::string type, value.String("type"));
  if (type == "assert-create") return Requirement(require::TableAbsent{});
  if (type == "assert-table-uuid") {
    MR_ASSIGN(std::string uuid, value.String("uuid"));
    return Requirement(require::Uuid{std::move(uuid)});
  }
  if (type == "assert-ref-snapshot-id") {
    MR_ASSIGN(std::string ref, value.String("ref"));
    MR_ASSIGN(const std::optional<int64_t> id, OptionalInt(value, "snapshot-id"));
    return Requirement(require::RefSnapshot{std::move(ref), id});
  }
  if (type == "assert-last-assigned-field-id") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "last-assigned-field-id"));
    return Requirement(require::LastAssignedFieldId{id});
  }
  if (type == "assert-current-schema-id") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "current-schema-id"));
    return Requirement(require::CurrentSchemaId{id});
  }
  if (type == "assert-last-assigned-partition-id") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "last-assigned-partition-id"));
    return Requirement(require::LastAssignedPartitionId{id});
  }
  if (type == "assert-default-spec-id") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "default-spec-id"));
    return Requirement(require::DefaultSpecId{id});
  }
  if (type == "assert-default-sort-order-id") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "default-sort-order-id"));
    return Requirement(require::DefaultSortOrderId{id});
  }
  return Fail(ErrorKind::kUnsupported, "table requirement '{}' is not supported", type);
}

}  // namespace millrace::iceberg
