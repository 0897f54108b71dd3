#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json.h"

namespace millrace {

// The hub of all type mappings: PostgreSQL -> LogicalType -> event JSON, and LogicalType ->
// Iceberg. docs/formats/types.md has a row per type. Switches over it are exhaustive and have no
// default, so the compiler lists what a new type must touch.
enum class LogicalKind {
  kBool,
  kInt16,
  kInt32,
  kInt64,
  kOid,  // unsigned 32 bits
  kFloat32,
  kFloat64,
  kNumeric,  // precision and scale when constrained, else precision 0
  kText,     // text, varchar, bpchar, "char", name, citext, enums: PostgreSQL's text is the value
  kBytes,    // bytea
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kUuid,
  kJson,    // json and jsonb: text
  kArray,   // of `element`; one-dimensional values are lists, others go as PostgreSQL's text
  kOpaque,  // every other type: carried as PostgreSQL's text, never dropped
};

struct LogicalType {
  LogicalKind kind = LogicalKind::kOpaque;
  int precision = 0;                 // kNumeric: 0 = unconstrained
  int scale = 0;                     // kNumeric: may be negative or above precision
  std::vector<LogicalType> element;  // kArray: exactly one

  bool operator==(const LogicalType&) const = default;
};

std::string_view KindName(LogicalKind kind);  // "bool", "numeric", ...
json::Value ToJson(const LogicalType& type);
Result<LogicalType> LogicalTypeFromJson(const json::Value& value);

}  // namespace millrace
