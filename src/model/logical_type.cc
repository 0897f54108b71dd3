#include "model/logical_type.h"

#include <array>

#include "base/format.h"

namespace millrace {
namespace {

constexpr std::array kKinds = {
    LogicalKind::kBool,      LogicalKind::kInt16,       LogicalKind::kInt32,
    LogicalKind::kInt64,     LogicalKind::kOid,         LogicalKind::kFloat32,
    LogicalKind::kFloat64,   LogicalKind::kNumeric,     LogicalKind::kText,
    LogicalKind::kBytes,     LogicalKind::kDate,        LogicalKind::kTime,
    LogicalKind::kTimestamp, LogicalKind::kTimestampTz, LogicalKind::kUuid,
    LogicalKind::kJson,      LogicalKind::kArray,       LogicalKind::kOpaque,
};

}  // namespace

std::string_view KindName(LogicalKind kind) {
  switch (kind) {
    case LogicalKind::kBool:
      return "bool";
    case LogicalKind::kInt16:
      return "int16";
    case LogicalKind::kInt32:
      return "int32";
    case LogicalKind::kInt64:
      return "int64";
    case LogicalKind::kOid:
      return "oid";
    case LogicalKind::kFloat32:
      return "float32";
    case LogicalKind::kFloat64:
      return "float64";
    case LogicalKind::kNumeric:
      return "numeric";
    case LogicalKind::kText:
      return "text";
    case LogicalKind::kBytes:
      return "bytes";
    case LogicalKind::kDate:
      return "date";
    case LogicalKind::kTime:
      return "time";
    case LogicalKind::kTimestamp:
      return "timestamp";
    case LogicalKind::kTimestampTz:
      return "timestamptz";
    case LogicalKind::kUuid:
      return "uuid";
    case LogicalKind::kJson:
      return "json";
    case LogicalKind::kArray:
      return "array";
    case LogicalKind::kOpaque:
      return "opaque";
  }
  return "opaque";  // unreachable: the switch is exhaustive
}

json::Value ToJson(const LogicalType& type) {
  json::Value v;
  v.Set("kind", KindName(type.kind));
  if (type.kind == LogicalKind::kNumeric && type.precision != 0) {
    v.Set("precision", type.precision);
    v.Set("scale", type.scale);
  }
  if (!type.element.empty()) v.Set("element", ToJson(type.element.front()));
  return v;
}

Result<LogicalType> LogicalTypeFromJson(const json::Value& value) {
  MR_ASSIGN(const std::string name, value.String("kind"));
  for (const LogicalKind kind : kKinds) {
    if (KindName(kind) != name) continue;
    LogicalType type{.kind = kind, .precision = 0, .scale = 0, .element = {}};
    MR_ASSIGN(const int64_t precision, value.IntOr("precision", 0));
    MR_ASSIGN(const int64_t scale, value.IntOr("scale", 0));
    type.precision = static_cast<int>(precision);
    type.scale = static_cast<int>(scale);
    if (kind == LogicalKind::kArray) {
      const json::Value* element = value.Find("element");
      if (element == nullptr)
        return Fail(ErrorKind::kCorrupt, "type 'array': member 'element' is missing");
      MR_ASSIGN(LogicalType inner, LogicalTypeFromJson(*element));
      type.element.push_back(std::move(inner));
    }
    return type;
  }
  return Fail(ErrorKind::kUnsupported, "type kind '{}' is not known to this version", name);
}

}  // namespace millrace
