#include "iceberg/schema.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace millrace::iceberg {
namespace {

const Field* FindIn(const std::vector<Field>& fields, int32_t id) {
  for (const Field& field : fields) {
    if (field.id == id) return &field;
    if (const Field* nested = FindIn(field.type->fields, id)) return nested;
  }
  return nullptr;
}

int32_t HighestIn(const std::vector<Field>& fields) {
  int32_t highest = 0;
  for (const Field& field : fields)
    highest = std::max({highest, field.id, HighestIn(field.type->fields)});
  return highest;
}

// The type with fresh ids for everything inside.
TypePtr WithFreshIds(const TypePtr& type, int32_t* last_column_id) {
  if (!type->is_nested()) return type;
  Type fresh = *type;
  for (Field& field : fresh.fields) field.id = ++*last_column_id;
  for (Field& field : fresh.fields) field.type = WithFreshIds(field.type, last_column_id);
  return std::make_shared<const Type>(std::move(fresh));
}

Error NoSuchColumn(int32_t id) {
  return Fail(ErrorKind::kInvalidInput, "the schema has no top-level column with field id {}", id);
}

Status CheckFree(const Schema& schema, const std::string& name, int32_t except_id) {
  if (name.empty()) return Fail(ErrorKind::kInvalidInput, "a column needs a name");
  for (const Field& field : schema.fields) {
    if (field.id != except_id && ToLower(field.name) == ToLower(name)) {
      return Fail(ErrorKind::kInvalidInput,
                  "column '{}' clashes with '{}': names must differ in more than case", name,
                  field.name);
    }
  }
  return {};
}

bool IsIdentifier(const Schema& schema, int32_t id) {
  return std::ranges::find(schema.identifier_field_ids, id) != schema.identifier_field_ids.end();
}

}  // namespace

const Field* Schema::FindById(int32_t id) const { return FindIn(fields, id); }

const Field* Schema::FindByName(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

int32_t Schema::HighestFieldId() const { return HighestIn(fields); }

bool Schema::SameFields(const Schema& other) const {
  if (fields.size() != other.fields.size() || identifier_field_ids != other.identifier_field_ids)
    return false;
  for (size_t i = 0; i < fields.size(); ++i) {
    const Field& a = fields[i];
    const Field& b = other.fields[i];
    if (a.id != b.id || a.name != b.name || a.required != b.required || a.doc != b.doc ||
        !Equal(*a.type, *b.type)) {
      return false;
    }
  }
  return true;
}

SchemaUpdate::SchemaUpdate(const Schema& base, int32_t* last_column_id)
    : schema_(base), last_column_id_(last_column_id) {
  *last_column_id = std::max(*last_column_id, base.HighestFieldId());
}

Field* SchemaUpdate::Find(int32_t id) {
  const auto found = std::ranges::find(schema_.fields, id, &Field::id);
  return found == schema_.fields.end() ? nullptr : &*found;
}

Result<int32_t> SchemaUpdate::AddColumn(const std::string& name, const TypePtr& type,
                                        const std::string& doc) {
  MR_TRY(CheckFree(schema_, name, 0));
  Field field;
  field.id = ++*last_column_id_;
  field.name = name;
  field.type = WithFreshIds(type, last_column_id_);
  field.doc = doc;
  const int32_t id = field.id;
  schema_.fields.push_back(std::move(field));
  changed_ = true;
  return id;
}

Status SchemaUpdate::RenameColumn(int32_t id, const std::string& name) {
  Field* field = Find(id);
  if (field == nullptr) return NoSuchColumn(id);
  MR_TRY(CheckFree(schema_, name, id));
  changed_ |= field->name != name;
  field->name = name;
  return {};
}

Status SchemaUpdate::DropColumn(int32_t id) {
  const Field* field = Find(id);
  if (field == nullptr) return NoSuchColumn(id);
  if (IsIdentifier(schema_, id)) {
    return Fail(ErrorKind::kInvalidInput, "column '{}' identifies rows and cannot be dropped",
                field->name);
  }
  std::erase_if(schema_.fields, [id](const Field& f) { return f.id == id; });
  changed_ = true;
  return {};
}

Status SchemaUpdate::PromoteColumn(int32_t id, const TypePtr& type) {
  Field* field = Find(id);
  if (field == nullptr) return NoSuchColumn(id);
  if (!CanPromote(*field->type, *type)) {
    return Fail(ErrorKind::kUnsupported,
                "column '{}' cannot change from {} to {} in place; add a new column instead",
                field->name, ToString(*field->type), ToString(*type));
  }
  if (Equal(*field->type, *type)) return {};
  field->type = type;
  changed_ = true;
  return {};
}

Status SchemaUpdate::MakeOptional(int32_t id) {
  Field* field = Find(id);
  if (field == nullptr) return NoSuchColumn(id);
  if (IsIdentifier(schema_, id)) {
    return Fail(ErrorKind::kInvalidInput, "column '{}' identifies rows and must stay required",
                field->name);
  }
  changed_ |= field->required;
  field->required = false;
  return {};
}

Schema SchemaUpdate::Finish(int32_t schema_id) const {
  Schema schema = schema_;
  schema.schema_id = schema_id;
  return schema;
}

}  // namespace millrace::iceberg
