#include <algorithm>
#include <set>

#include "base/text.h"
#include "iceberg/json_members.h"
#include "iceberg/schema.h"

// Spec: "Appendix C: JSON serialization", schemas and types. Member order as Java writes it.
namespace millrace::iceberg {
namespace {

json::Value::Array FieldsToJson(const std::vector<Field>& fields) {
  json::Value::Array array;
  for (const Field& field : fields) {
    json::Value::Object object{{"id", field.id},
                               {"name", field.name},
                               {"required", field.required},
                               {"type", ToJson(*field.type)}};
    if (!field.doc.empty()) object.emplace_back("doc", field.doc);
    array.emplace_back(std::move(object));
  }
  return array;
}

// The numbers of "name(1, 2)" or "name[16]", or nullopt when `text` does not have this form.
std::optional<std::vector<int>> Parameters(std::string_view text, std::string_view name, char open,
                                           char close) {
  if (!text.starts_with(name) || text.size() < name.size() + 2 || text[name.size()] != open ||
      text.back() != close) {
    return std::nullopt;
  }
  std::vector<int> numbers;
  for (const std::string_view part :
       Split(text.substr(name.size() + 1, text.size() - name.size() - 2), ',')) {
    const auto number = ParseInt<int>(Trim(part));
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

Result<TypePtr> PrimitiveFromText(const std::string& text) {
  static constexpr std::pair<std::string_view, TypeId> kNames[] = {
      {"boolean", TypeId::kBoolean},
      {"int", TypeId::kInt},
      {"long", TypeId::kLong},
      {"float", TypeId::kFloat},
      {"double", TypeId::kDouble},
      {"date", TypeId::kDate},
      {"time", TypeId::kTime},
      {"timestamp", TypeId::kTimestamp},
      {"timestamptz", TypeId::kTimestampTz},
      {"string", TypeId::kString},
      {"uuid", TypeId::kUuid},
      {"binary", TypeId::kBinary}};
  for (const auto& [name, id] : kNames) {
    if (name == text) return Primitive(id);
  }
  if (const auto numbers = Parameters(text, "decimal", '(', ')')) {
    if (numbers->size() == 2 && (*numbers)[0] >= 1 && (*numbers)[0] <= 38 && (*numbers)[1] >= 0) {
      return Decimal((*numbers)[0], (*numbers)[1]);
    }
    return Fail(ErrorKind::kCorrupt, "'{}' is not a decimal of 1 to 38 digits", text);
  }
  if (const auto numbers = Parameters(text, "fixed", '[', ']')) {
    if (numbers->size() == 1 && (*numbers)[0] >= 0) return Fixed((*numbers)[0]);
    return Fail(ErrorKind::kCorrupt, "'{}' is not a fixed type", text);
  }
  return Fail(ErrorKind::kUnsupported, "type '{}' is not one of table format v2", text);
}

Result<Field> FieldFromJson(const json::Value& value) {
  Field field;
  MR_ASSIGN(field.id, Int32Member(value, "id"));
  MR_ASSIGN(field.name, value.String("name"));
  MR_ASSIGN(field.required, value.BoolOr("required", false));
  MR_ASSIGN(field.doc, value.StringOr("doc", ""));
  for (const std::string_view key : {"initial-default", "write-default"}) {
    const json::Value* member = value.Find(key);
    if (member != nullptr && !member->is_null()) {
      return Fail(ErrorKind::kUnsupported, "column '{}' has '{}', which needs table format v3",
                  field.name, key);
    }
  }
  const json::Value* type = value.Find("type");
  if (type == nullptr) return Fail(ErrorKind::kCorrupt, "column '{}' has no type", field.name);
  auto parsed = TypeFromJson(*type);
  if (!parsed.ok()) return parsed.error().Wrap(Format("column '{}'", field.name));
  field.type = *std::move(parsed);
  return field;
}

Result<std::vector<Field>> FieldsFromJson(const json::Value& value) {
  MR_ASSIGN(const json::Value::Array array, ArrayMember(value, "fields", true));
  std::vector<Field> fields;
  for (const json::Value& item : array) {
    MR_ASSIGN(Field field, FieldFromJson(item));
    fields.push_back(std::move(field));
  }
  return fields;
}

Status CheckIdsUnique(const std::vector<Field>& fields, std::set<int32_t>& seen) {
  for (const Field& field : fields) {
    if (!seen.insert(field.id).second)
      return Fail(ErrorKind::kCorrupt, "field id {} is used twice in a schema", field.id);
    MR_TRY(CheckIdsUnique(field.type->fields, seen));
  }
  return {};
}

}  // namespace

json::Value ToJson(const Type& type) {
  switch (type.id) {
    case TypeId::kStruct:
      return json::Value::Object{{"type", "struct"}, {"fields", FieldsToJson(type.fields)}};
    case TypeId::kList:
      return json::Value::Object{{"type", "list"},
                                 {"element-id", type.fields[0].id},
                                 {"element-required", type.fields[0].required},
                                 {"element", ToJson(*type.fields[0].type)}};
    case TypeId::kMap:
      return json::Value::Object{{"type", "map"},
                                 {"key-id", type.fields[0].id},
                                 {"key", ToJson(*type.fields[0].type)},
                                 {"value-id", type.fields[1].id},
                                 {"value-required", type.fields[1].required},
                                 {"value", ToJson(*type.fields[1].type)}};
    default:
      return ToString(type);
  }
}

json::Value ToJson(const Schema& schema) {
  json::Value::Object object{{"type", "struct"}, {"schema-id", schema.schema_id}};
  if (!schema.identifier_field_ids.empty()) {
    json::Value::Array ids;
    for (const int32_t id : schema.identifier_field_ids) ids.emplace_back(id);
    object.emplace_back("identifier-field-ids", std::move(ids));
  }
  object.emplace_back("fields", FieldsToJson(schema.fields));
  return object;
}

Result<TypePtr> TypeFromJson(const json::Value& value) {
  if (value.is_string()) return PrimitiveFromText(value.AsString());
  MR_ASSIGN(const std::string kind, value.String("type"));
  if (kind == "struct") {
    MR_ASSIGN(std::vector<Field> fields, FieldsFromJson(value));
    return Struct(std::move(fields));
  }
  const auto inner = [&value](std::string_view key) -> Result<TypePtr> {
    const json::Value* member = value.Find(key);
    if (member == nullptr) return Fail(ErrorKind::kCorrupt, "'{}' is missing", key);
    return TypeFromJson(*member);
  };
  if (kind == "list") {
    MR_ASSIGN(const int32_t id, Int32Member(value, "element-id"));
    MR_ASSIGN(const bool required, value.Bool("element-required"));
    MR_ASSIGN(TypePtr element, inner("element"));
    return List(id, std::move(element), required);
  }
  if (kind == "map") {
    MR_ASSIGN(const int32_t key_id, Int32Member(value, "key-id"));
    MR_ASSIGN(const int32_t value_id, Int32Member(value, "value-id"));
    MR_ASSIGN(const bool required, value.Bool("value-required"));
    MR_ASSIGN(TypePtr key, inner("key"));
    MR_ASSIGN(TypePtr mapped, inner("value"));
    return Map(key_id, std::move(key), value_id, std::move(mapped), required);
  }
  return Fail(ErrorKind::kUnsupported, "type '{}' is not one of table format v2", kind);
}

Result<Schema> SchemaFromJson(const json::Value& value) {
  Schema schema;
  MR_ASSIGN(const std::optional<int64_t> id, OptionalInt(value, "schema-id"));
  if (id) {
    MR_ASSIGN(schema.schema_id, Int32Member(value, "schema-id"));
  }
  MR_ASSIGN(schema.fields, FieldsFromJson(value));
  std::set<int32_t> seen;
  MR_TRY(CheckIdsUnique(schema.fields, seen));
  MR_ASSIGN(const json::Value::Array identifiers,
            ArrayMember(value, "identifier-field-ids", false));
  for (const json::Value& item : identifiers) {
    MR_ASSIGN(const int32_t field_id, Int32Of(item, "identifier-field-ids"));
    if (!seen.contains(field_id)) {
      return Fail(ErrorKind::kCorrupt, "identifier field {} is not in its schema", field_id);
    }
    schema.identifier_field_ids.push_back(field_id);
  }
  return schema;
}

}  // namespace millrace::iceberg
