#include "pipeline/silver/layout.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/text.h"
#include "pipeline/silver/type_mapping.h"

namespace millrace::silver {
namespace {

using iceberg::TypeId;

struct ScdSpec {
  std::string_view name;
  TypeId type;
  bool required;
  std::string_view doc;
};
constexpr std::array<ScdSpec, kScdColumns> kScd = {{
    {"valid_from", TypeId::kTimestampTz, true,
     "commit time from which this version holds, inclusive"},
    {"valid_to", TypeId::kTimestampTz, false,
     "commit time at which it stopped holding, exclusive; null while open"},
    {"is_current", TypeId::kBoolean, true, "whether the version is open"},
    {"is_deleted", TypeId::kBoolean, true, "whether a delete or truncate closed it"},
    {"version", TypeId::kInt, true, "1, 2, 3, ... per key"},
    {"_op", TypeId::kString, true, "what opened it: c, u or r (snapshot)"},
    {"_from_lsn", TypeId::kLong, true, "commit LSN of the event that opened it"},
    {"_from_ord", TypeId::kLong, true,
     "ordinal of that event in its transaction; -1 for snapshot rows"},
    {"_to_lsn", TypeId::kLong, false, "commit LSN of the event that closed it; null while open"},
    {"_to_ord", TypeId::kLong, false, "ordinal of that event in its transaction; null while open"},
}};

// Gives ids to the nested fields of a mapped type.
iceberg::TypePtr WithIds(const iceberg::TypePtr& type, int32_t* last_id) {
  if (type->id != TypeId::kList) return type;
  const int32_t id = ++*last_id;
  return iceberg::List(id, WithIds(type->fields.front().type, last_id),
                       type->fields.front().required);
}

Result<SilverColumn> ColumnFromJson(const json::Value& value) {
  SilverColumn column;
  MR_ASSIGN(const int64_t attnum, value.Int("attnum"));
  column.attnum = static_cast<int16_t>(attnum);
  MR_ASSIGN(column.name, value.String("name"));
  MR_ASSIGN(const int64_t field_id, value.Int("field_id"));
  column.field_id = static_cast<int32_t>(field_id);
  MR_ASSIGN(const int64_t text_field_id, value.IntOr("pg_field_id", 0));
  column.text_field_id = static_cast<int32_t>(text_field_id);
  const json::Value* type = value.Find("type");
  if (type == nullptr) return Fail(ErrorKind::kCorrupt, "column '{}' has no type", column.name);
  MR_ASSIGN(column.type, LogicalTypeFromJson(*type));
  MR_ASSIGN(column.type_name, value.String("type_name"));
  MR_ASSIGN(const int64_t key_position, value.IntOr("key_position", 0));
  column.key_position = static_cast<int>(key_position);
  MR_ASSIGN(column.dropped, value.BoolOr("dropped", false));
  return column;
}

}  // namespace

std::vector<int> Layout::KeyIndexes() const {
  std::vector<int> key;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].key_position != 0) key.push_back(static_cast<int>(i));
  }
  std::sort(key.begin(), key.end(), [&](int a, int b) {
    return columns[static_cast<size_t>(a)].key_position <
           columns[static_cast<size_t>(b)].key_position;
  });
  return key;
}

std::vector<const SilverColumn*> Layout::KeyColumns() const {
  std::vector<const SilverColumn*> key;
  for (const int i : KeyIndexes()) key.push_back(&columns[static_cast<size_t>(i)]);
  return key;
}

bool Layout::keyed() const {
  return std::any_of(columns.begin(), columns.end(),
                     [](const SilverColumn& c) { return c.key_position != 0; });
}

int Layout::FindAttnum(int16_t attnum) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].attnum == attnum) return static_cast<int>(i);
  }
  return -1;
}

json::Value ToJson(const Layout& layout) {
  json::Value v;
  v.Set("relation_oid", layout.relation_oid);
  v.Set("table", layout.table);
  json::Value::Array columns;
  for (const SilverColumn& column : layout.columns) {
    json::Value c;
    c.Set("attnum", static_cast<int64_t>(column.attnum));
    c.Set("name", column.name);
    c.Set("field_id", static_cast<int64_t>(column.field_id));
    if (column.text_field_id != 0) c.Set("pg_field_id", static_cast<int64_t>(column.text_field_id));
    c.Set("type", ToJson(column.type));
    c.Set("type_name", column.type_name);
    if (column.key_position != 0) c.Set("key_position", column.key_position);
    if (column.dropped) c.Set("dropped", true);
    columns.push_back(std::move(c));
  }
  v.Set("columns", std::move(columns));
  return v;
}

Result<Layout> LayoutFromJson(const json::Value& value) {
  Layout layout;
  MR_ASSIGN(const int64_t oid, value.Int("relation_oid"));
  layout.relation_oid = static_cast<uint32_t>(oid);
  MR_ASSIGN(layout.table, value.String("table"));
  const json::Value* columns = value.Find("columns");
  if (columns == nullptr || !columns->is_array())
    return Fail(ErrorKind::kCorrupt, "member 'columns' is missing or no array");
  for (const json::Value& item : columns->AsArray()) {
    MR_ASSIGN(SilverColumn column, ColumnFromJson(item));
    layout.columns.push_back(std::move(column));
  }
  return layout;
}

std::string_view ScdName(Scd column) { return kScd[static_cast<size_t>(column)].name; }

iceberg::Field ScdField(Scd column, int32_t id) {
  const ScdSpec& spec = kScd[static_cast<size_t>(column)];
  return {id, std::string(spec.name), spec.required, iceberg::Primitive(spec.type),
          std::string(spec.doc)};
}

Result<std::array<int32_t, kScdColumns>> ScdFieldIds(const iceberg::Schema& schema) {
  std::array<int32_t, kScdColumns> ids{};
  for (size_t i = 0; i < kScd.size(); ++i) {
    const iceberg::Field* field = schema.FindByName(kScd[i].name);
    if (field == nullptr)
      return Fail(ErrorKind::kCorrupt, "the table has no column '{}'", kScd[i].name);
    ids[i] = field->id;
  }
  return ids;
}

std::string SilverTableName(std::string_view schema, std::string_view table) {
  const std::string full = schema == "public" ? std::string(table) : Format("{}_{}", schema, table);
  std::string name;
  for (const char c : full) {
    const auto u = static_cast<unsigned char>(c);
    const bool kept =
        (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_';
    const bool continues = (u & 0xC0) == 0x80;  // one '_' a character, whatever its bytes in UTF-8
    if (kept) name += c;
    if (!kept && !continues) name += '_';
  }
  return name;
}

std::string TextColumnName(std::string_view name) { return std::string(name) + "__pg"; }

Result<NewSilverTable> LayOut(const TableSchema& source) {
  NewSilverTable made;
  made.layout.relation_oid = source.relation_oid;
  made.layout.table = source.QualifiedName();
  std::set<std::string> names;
  for (const ScdSpec& ours : kScd) names.insert(std::string(ours.name));
  // Top-level ids first, nested ones after them, so that ids read in column order.
  int32_t id = 0;
  for (const SourceColumn& column : source.columns) {
    if (!names.insert(ToLower(column.name)).second) {
      return Fail(ErrorKind::kUnsupported,
                  "{}: column '{}' has the name of a Silver column or of another column but for "
                  "case; rename it at the source",
                  source.QualifiedName(), column.name);
    }
    if (column.key_position != 0) {
      if (const Status usable = CheckKeyType(column); !usable.ok())
        return usable.error().Wrap(source.QualifiedName());
    }
    made.layout.columns.push_back({.attnum = column.attnum,
                                   .name = column.name,
                                   .field_id = ++id,
                                   .text_field_id = 0,
                                   .type = column.type,
                                   .type_name = column.type_name,
                                   .key_position = column.key_position,
                                   .dropped = false});
  }
  const int32_t first_scd = id + 1;
  int32_t last = id + kScdColumns;
  for (const SilverColumn& column : made.layout.columns) {
    made.schema.fields.push_back({column.field_id, column.name, column.key_position != 0,
                                  WithIds(IcebergTypeOf(column.type), &last), column.type_name});
  }
  for (int i = 0; i < kScdColumns; ++i)
    made.schema.fields.push_back(ScdField(static_cast<Scd>(i), first_scd + i));
  const int32_t is_current = first_scd + static_cast<int32_t>(Scd::kIsCurrent);
  made.spec.fields.push_back(
      {.source_id = is_current, .field_id = 1000, .name = "is_current", .transform = {}});
  return made;
}

}  // namespace millrace::silver
