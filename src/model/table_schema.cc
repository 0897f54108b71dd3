#include "model/table_schema.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "codec/hash.h"

namespace millrace {
namespace {

constexpr std::array<std::pair<ReplicaIdentity, std::string_view>, 4> kIdentities = {{
    {ReplicaIdentity::kDefault, "default"},
    {ReplicaIdentity::kNothing, "nothing"},
    {ReplicaIdentity::kFull, "full"},
    {ReplicaIdentity::kIndex, "index"},
}};

json::Value ColumnToJson(const SourceColumn& column) {
  json::Value v;
  v.Set("name", column.name);
  v.Set("attnum", static_cast<int64_t>(column.attnum));
  v.Set("type_oid", column.type_oid);
  v.Set("typmod", static_cast<int64_t>(column.typmod));
  v.Set("type_name", column.type_name);
  if (!column.base_type.empty()) v.Set("base_type", column.base_type);
  v.Set("type", ToJson(column.type));
  v.Set("not_null", column.not_null);
  v.Set("key_position", column.key_position);
  if (column.missing) v.Set("missing", *column.missing);
  return v;
}

Result<SourceColumn> ColumnFromJson(const json::Value& value) {
  SourceColumn column;
  MR_ASSIGN(column.name, value.String("name"));
  MR_ASSIGN(const int64_t attnum, value.Int("attnum"));
  column.attnum = static_cast<int16_t>(attnum);
  MR_ASSIGN(const int64_t type_oid, value.Int("type_oid"));
  column.type_oid = static_cast<uint32_t>(type_oid);
  MR_ASSIGN(const int64_t typmod, value.Int("typmod"));
  column.typmod = static_cast<int32_t>(typmod);
  MR_ASSIGN(column.type_name, value.String("type_name"));
  MR_ASSIGN(column.base_type, value.StringOr("base_type", ""));
  const json::Value* type = value.Find("type");
  if (type == nullptr)
    return Fail(ErrorKind::kCorrupt, "column '{}': member 'type' is missing", column.name);
  MR_ASSIGN(column.type, LogicalTypeFromJson(*type));
  MR_ASSIGN(column.not_null, value.Bool("not_null"));
  MR_ASSIGN(const int64_t key_position, value.Int("key_position"));
  column.key_position = static_cast<int>(key_position);
  if (value.Find("missing") != nullptr) {
    MR_ASSIGN(column.missing, value.String("missing"));
  }
  return column;
}

}  // namespace

std::vector<const SourceColumn*> TableSchema::KeyColumns() const {
  std::vector<const SourceColumn*> key;
  for (const SourceColumn& column : columns) {
    if (column.key_position != 0) key.push_back(&column);
  }
  std::sort(key.begin(), key.end(), [](const SourceColumn* a, const SourceColumn* b) {
    return a->key_position < b->key_position;
  });
  return key;
}

bool TableSchema::has_key() const {
  return std::any_of(columns.begin(), columns.end(),
                     [](const SourceColumn& c) { return c.key_position != 0; });
}

json::Value ToJson(const TableSchema& schema) {
  json::Value v;
  v.Set("relation_oid", schema.relation_oid);
  v.Set("schema", schema.schema);
  v.Set("table", schema.table);
  for (const auto& [identity, name] : kIdentities) {
    if (identity == schema.replica_identity) v.Set("replica_identity", name);
  }
  json::Value::Array columns;
  for (const SourceColumn& column : schema.columns) columns.push_back(ColumnToJson(column));
  v.Set("columns", std::move(columns));
  return v;
}

Result<TableSchema> TableSchemaFromJson(const json::Value& value) {
  TableSchema schema;
  MR_ASSIGN(const int64_t oid, value.Int("relation_oid"));
  schema.relation_oid = static_cast<uint32_t>(oid);
  MR_ASSIGN(schema.schema, value.String("schema"));
  MR_ASSIGN(schema.table, value.String("table"));
  MR_ASSIGN(const std::string identity_name, value.String("replica_identity"));
  const auto identity =
      std::find_if(kIdentities.begin(), kIdentities.end(),
                   [&](const auto& entry) { return entry.second == identity_name; });
  if (identity == kIdentities.end()) {
    return Fail(ErrorKind::kCorrupt, "schema of {}: replica identity '{}' is not known",
                schema.QualifiedName(), identity_name);
  }
  schema.replica_identity = identity->first;
  const json::Value* columns = value.Find("columns");
  if (columns == nullptr || !columns->is_array()) {
    return Fail(ErrorKind::kCorrupt, "schema of {}: member 'columns' is missing or no array",
                schema.QualifiedName());
  }
  for (const json::Value& item : columns->AsArray()) {
    auto column = ColumnFromJson(item);
    if (!column.ok()) return column.error().Wrap("schema of " + schema.QualifiedName());
    schema.columns.push_back(std::move(column).value());
  }
  return schema;
}

std::string Fingerprint(const TableSchema& schema) {
  return Sha256Hex(json::Write(ToJson(schema))).substr(0, 16);
}

std::string TopicName(std::string_view prefix, std::string_view schema, std::string_view table) {
  std::string topic = Format("{}.{}.{}", prefix, schema, table);
  // Debezium replaces UTF-16 code units, which for the basic plane is one '_' a character; so we
  // skip UTF-8 continuation bytes. A character beyond that plane is a surrogate pair, two units:
  // one '_' more.
  std::string clean;
  clean.reserve(topic.size());
  for (const char c : topic) {
    const auto u = static_cast<unsigned char>(c);
    const bool kept = (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
                      u == '.' || u == '_' || u == '-';
    if (kept) {
      clean += c;
    } else if (u < 0x80 || u >= 0xC0) {
      clean += u >= 0xF0 ? "__" : "_";
    }
  }
  return clean;
}

}  // namespace millrace
