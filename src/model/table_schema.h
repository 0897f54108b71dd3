#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json.h"
#include "model/logical_type.h"

namespace millrace {

enum class ReplicaIdentity { kDefault, kNothing, kFull, kIndex };

struct SourceColumn {
  int16_t attnum = 0;  // pg_attribute.attnum: a column's identity through renames
  std::string name;
  uint32_t type_oid = 0;
  int32_t typmod = -1;
  std::string type_name;       // format_type(): "numeric(12,2)"
  std::string base_type = {};  // of a domain: format_type() of what it is over; else ""
  LogicalType type;
  bool not_null = false;
  int key_position = 0;  // 1-based place in the key, 0 when not part of it
  // What rows written before the column was added show in it, as the JSON of an event: a constant
  // default given with ADD COLUMN. PostgreSQL keeps it in the catalog, so no event carries it.
  std::optional<std::string> missing = std::nullopt;
};

// One version of a source table, as events written under it were shaped. Stored once as
// <bronze>/_schemas/<topic>/<fingerprint>.json; Bronze files name it.
struct TableSchema {
  uint32_t relation_oid = 0;
  std::string schema;  // "public"
  std::string table;
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::vector<SourceColumn> columns;  // in attnum order, dropped ones left out

  std::string QualifiedName() const { return schema + "." + table; }
  std::vector<const SourceColumn*> KeyColumns() const;  // by key_position
  bool has_key() const;
};

json::Value ToJson(const TableSchema& schema);
Result<TableSchema> TableSchemaFromJson(const json::Value& value);
// 16 hex digits of SHA-256 over the JSON.
std::string Fingerprint(const TableSchema& schema);

// The topic of a table: "<prefix>.<schema>.<table>", characters other than [A-Za-z0-9._-] become
// '_' (as Debezium names topics).
std::string TopicName(std::string_view prefix, std::string_view schema, std::string_view table);

}  // namespace millrace
