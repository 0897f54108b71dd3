#include "pipeline/silver/schema_evolution.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "pipeline/silver/type_mapping.h"

namespace millrace::silver {
namespace {

constexpr std::string_view kCure =
    "the table is held back. Undo the change at the source, update every row once (UPDATE t SET c "
    "= c) and resume; or begin anew at this change: drop the Silver table, resume, and update "
    "every "
    "row, for rows that are not sent again would be missing";

int32_t NextSchemaId(const iceberg::TableMetadata& base) {
  int32_t highest = -1;
  for (const iceberg::Schema& schema : base.schemas) highest = std::max(highest, schema.schema_id);
  return highest + 1;
}

}  // namespace

SchemaEvolution::SchemaEvolution(const Layout& layout, const iceberg::TableMetadata& base)
    : layout_(layout),
      schema_(base.CurrentSchema()),
      schema_id_(NextSchemaId(base)),
      last_column_id_(base.last_column_id) {}

Status SchemaEvolution::Update(const std::function<Status(iceberg::SchemaUpdate&)>& change) {
  iceberg::SchemaUpdate update(schema_, &last_column_id_);
  MR_TRY(change(update));
  if (!update.changed()) return {};
  schema_ = update.Finish(schema_id_);
  schema_changed_ = true;
  return {};
}

Status SchemaEvolution::Apply(const TableSchema& source, OtherType other_type) {
  if (source.relation_oid != layout_.relation_oid) {
    return Fail(ErrorKind::kUnsupported,
                "{} was dropped and created again (relation {} became {}): its history is another "
                "table's; {}",
                source.QualifiedName(), layout_.relation_oid, source.relation_oid, kCure);
  }
  layout_.table = source.QualifiedName();
  std::vector<bool> seen(layout_.columns.size(), false);
  std::vector<std::pair<size_t, std::string>> renames;
  std::vector<const SourceColumn*> added;
  for (const SourceColumn& now : source.columns) {
    const int at = layout_.FindAttnum(now.attnum);
    if (at < 0) {
      added.push_back(&now);
      continue;
    }
    const auto i = static_cast<size_t>(at);
    seen[i] = true;
    MR_TRY(Follow(layout_.columns[i], now, other_type));
    if (layout_.columns[i].name != now.name) renames.emplace_back(i, now.name);
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    if (!seen[i] && !layout_.columns[i].dropped) MR_TRY(Drop(layout_.columns[i]));
  }
  // A dropped column makes way for a living one that takes its name.
  for (size_t i = 0; i < seen.size(); ++i) {
    SilverColumn& gone = layout_.columns[i];
    if (!gone.dropped) continue;
    const std::string name = ToLower(gone.name);
    const bool taken =
        std::any_of(source.columns.begin(), source.columns.end(),
                    [&](const SourceColumn& column) { return ToLower(column.name) == name; });
    if (taken) renames.emplace_back(i, Format("{}__dropped_{}", gone.name, gone.attnum));
  }
  MR_TRY(Rename(renames));
  for (const SourceColumn* column : added) MR_TRY(Add(*column));
  std::sort(layout_.columns.begin(), layout_.columns.end(),
            [](const SilverColumn& a, const SilverColumn& b) { return a.attnum < b.attnum; });
  return {};
}

Status SchemaEvolution::Follow(SilverColumn& column, const SourceColumn& now,
                               OtherType other_type) {
  if (column.key_position != now.key_position) {
    return Fail(ErrorKind::kUnsupported, "{}: the key changed at column '{}'; {}", layout_.table,
                now.name, kCure);
  }
  const iceberg::Field* field = schema_.FindById(column.field_id);
  if (field == nullptr)
    return Fail(ErrorKind::kCorrupt, "{}: the Silver schema lacks column '{}'", layout_.table,
                column.name);
  const TypeChangePlan plan = PlanTypeChange(field->type, IcebergTypeOf(now.type));
  if (plan.change == TypeChange::kRefused) {
    if (other_type == OtherType::kBridge && column.key_position == 0) return {};
    return Fail(ErrorKind::kUnsupported,
                "{}: column '{}' changed from {} to {}, which its Silver type {} cannot take; {}",
                layout_.table, now.name, column.type_name, now.type_name,
                iceberg::ToString(*field->type), kCure);
  }
  if (plan.change == TypeChange::kWiden) {
    const int32_t id = column.field_id;
    MR_TRY(Update(
        [&](iceberg::SchemaUpdate& update) { return update.PromoteColumn(id, plan.target); }));
  }
  column.type = now.type;
  column.type_name = now.type_name;
  column.dropped = false;
  return {};
}

Status SchemaEvolution::Drop(SilverColumn& column) {
  if (column.key_position != 0) {
    return Fail(ErrorKind::kUnsupported, "{}: key column '{}' was dropped; {}", layout_.table,
                column.name, kCure);
  }
  column.dropped = true;
  return {};
}

Status SchemaEvolution::Rename(const std::vector<std::pair<size_t, std::string>>& renames) {
  if (renames.empty()) return {};
  MR_TRY(Update([&](iceberg::SchemaUpdate& update) -> Status {
    for (const auto& [i, name] : renames) {
      const SilverColumn& column = layout_.columns[i];
      MR_TRY(update.RenameColumn(column.field_id, Format("__millrace_{}", column.field_id)));
      if (column.text_field_id != 0)
        MR_TRY(update.RenameColumn(column.text_field_id,
                                   Format("__millrace_{}", column.text_field_id)));
    }
    for (const auto& [i, name] : renames) {
      const SilverColumn& column = layout_.columns[i];
      MR_TRY(update.RenameColumn(column.field_id, name));
      if (column.text_field_id != 0)
        MR_TRY(update.RenameColumn(column.text_field_id, TextColumnName(name)));
    }
    return {};
  }));
  for (const auto& [i, name] : renames) layout_.columns[i].name = name;
  return {};
}

Status SchemaEvolution::Add(const SourceColumn& column) {
  if (column.key_position != 0) {
    return Fail(ErrorKind::kUnsupported, "{}: new column '{}' is part of the key; {}",
                layout_.table, column.name, kCure);
  }
  int32_t id = 0;
  MR_TRY(Update([&](iceberg::SchemaUpdate& update) -> Status {
    auto added = update.AddColumn(column.name, IcebergTypeOf(column.type), column.type_name);
    if (!added.ok()) return added.error().Wrap(layout_.table);
    id = *added;
    return {};
  }));
  layout_.columns.push_back({.attnum = column.attnum,
                             .name = column.name,
                             .field_id = id,
                             .text_field_id = 0,
                             .type = column.type,
                             .type_name = column.type_name,
                             .key_position = 0,
                             .dropped = false});
  if (column.missing) defaults_.push_back({column.attnum, column.type, *column.missing});
  return {};
}

Status SchemaEvolution::AddTextColumn(size_t column) {
  SilverColumn& owner = layout_.columns[column];
  if (owner.text_field_id != 0) return {};
  return Update([&](iceberg::SchemaUpdate& update) -> Status {
    auto added = update.AddColumn(
        TextColumnName(owner.name), iceberg::Primitive(iceberg::TypeId::kString),
        Format("PostgreSQL's text of values that column '{}' cannot hold", owner.name));
    if (!added.ok()) return added.error().Wrap(layout_.table);
    owner.text_field_id = *added;
    return {};
  });
}

Status ApplyVersions(const std::vector<TableSchema>& versions, const TableSchema* settled,
                     SchemaEvolution& evolution) {
  const auto apply = [&](SchemaEvolution& onto, SchemaEvolution::OtherType other_type) -> Status {
    for (const TableSchema& version : versions) MR_TRY(onto.Apply(version, other_type));
    return {};
  };
  SchemaEvolution strict = evolution;
  const Status followed = apply(strict, SchemaEvolution::OtherType::kRefuse);
  if (followed.ok() || settled == nullptr) {
    evolution = std::move(strict);
    return followed;
  }
  SchemaEvolution bridged = evolution;
  if (!apply(bridged, SchemaEvolution::OtherType::kBridge).ok()) return followed;
  SchemaEvolution by_now = bridged;
  if (!by_now.Apply(*settled).ok()) return followed;
  evolution = std::move(bridged);
  return {};
}

}  // namespace millrace::silver
