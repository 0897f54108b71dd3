#include "pipeline/silver/type_mapping.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/format.h"

namespace millrace::silver {
namespace {

using iceberg::TypeId;
using iceberg::TypePtr;

constexpr int kMaxPrecision = 38;
constexpr int kUnconstrainedScale = 18;

TypePtr DecimalFor(int precision, int scale) {
  if (precision == 0) return iceberg::Decimal(kMaxPrecision, kUnconstrainedScale);
  if (scale < 0) return iceberg::Decimal(std::min(precision - scale, kMaxPrecision), 0);
  if (scale > precision) {
    const int digits = std::min(scale, kMaxPrecision);
    return iceberg::Decimal(digits, digits);
  }
  if (precision > kMaxPrecision)
    return iceberg::Decimal(kMaxPrecision, std::min(scale, kMaxPrecision));
  return iceberg::Decimal(precision, scale);
}

// Types without a kind of their own whose text PostgreSQL prints in one form per value.
constexpr std::array<std::string_view, 7> kCanonicalText = {
    "inet", "cidr", "macaddr", "macaddr8", "bit", "bit varying", "pg_lsn"};

// Equal but for the ids of nested fields, which differ between a stored column and a freshly mapped
// type.
bool SameShape(const iceberg::Type& a, const iceberg::Type& b) {
  if (a.id != b.id || a.precision != b.precision || a.scale != b.scale || a.length != b.length)
    return false;
  if (a.fields.size() != b.fields.size()) return false;
  for (size_t i = 0; i < a.fields.size(); ++i) {
    if (!SameShape(*a.fields[i].type, *b.fields[i].type)) return false;
  }
  return true;
}

}  // namespace

TypePtr IcebergTypeOf(const LogicalType& type) {
  switch (type.kind) {
    case LogicalKind::kBool:
      return iceberg::Primitive(TypeId::kBoolean);
    case LogicalKind::kInt16:
      return iceberg::Primitive(TypeId::kInt);
    case LogicalKind::kInt32:
      return iceberg::Primitive(TypeId::kInt);
    case LogicalKind::kInt64:
      return iceberg::Primitive(TypeId::kLong);
    case LogicalKind::kOid:
      return iceberg::Primitive(TypeId::kLong);
    case LogicalKind::kFloat32:
      return iceberg::Primitive(TypeId::kFloat);
    case LogicalKind::kFloat64:
      return iceberg::Primitive(TypeId::kDouble);
    case LogicalKind::kNumeric:
      return DecimalFor(type.precision, type.scale);
    case LogicalKind::kText:
      return iceberg::Primitive(TypeId::kString);
    case LogicalKind::kBytes:
      return iceberg::Primitive(TypeId::kBinary);
    case LogicalKind::kDate:
      return iceberg::Primitive(TypeId::kDate);
    case LogicalKind::kTime:
      return iceberg::Primitive(TypeId::kTime);
    case LogicalKind::kTimestamp:
      return iceberg::Primitive(TypeId::kTimestamp);
    case LogicalKind::kTimestampTz:
      return iceberg::Primitive(TypeId::kTimestampTz);
    case LogicalKind::kUuid:
      return iceberg::Primitive(TypeId::kString);
    case LogicalKind::kJson:
      return iceberg::Primitive(TypeId::kString);
    case LogicalKind::kArray:
      return iceberg::List(0, IcebergTypeOf(type.element.front()), false);
    case LogicalKind::kOpaque:
      return iceberg::Primitive(TypeId::kString);
  }
  return iceberg::Primitive(TypeId::kString);  // unreachable: the switch is exhaustive
}

TypeChangePlan PlanTypeChange(const TypePtr& current, const TypePtr& wanted) {
  if (SameShape(*current, *wanted)) return {TypeChange::kNone, nullptr};
  if (current->id == TypeId::kDecimal && wanted->id == TypeId::kDecimal) {
    // The scale cannot change; digits before the point can grow.
    if (wanted->scale > current->scale) return {TypeChange::kRefused, nullptr};
    const int precision =
        std::max(wanted->precision - wanted->scale + current->scale, current->precision);
    if (precision == current->precision) return {TypeChange::kNone, nullptr};
    if (precision > kMaxPrecision) return {TypeChange::kRefused, nullptr};
    return {TypeChange::kWiden, iceberg::Decimal(precision, current->scale)};
  }
  if (current->is_nested() || wanted->is_nested()) return {TypeChange::kRefused, nullptr};
  if (iceberg::CanPromote(*wanted, *current))
    return {TypeChange::kNone, nullptr};  // narrowed at the source
  if (iceberg::CanPromote(*current, *wanted)) return {TypeChange::kWiden, wanted};
  return {TypeChange::kRefused, nullptr};
}

Status CheckKeyType(const SourceColumn& column) {
  const std::string_view name = column.base_type.empty() ? column.type_name : column.base_type;
  bool canonical = true;
  switch (column.type.kind) {
    case LogicalKind::kBool:
    case LogicalKind::kInt16:
    case LogicalKind::kInt32:
    case LogicalKind::kInt64:
    case LogicalKind::kOid:
    case LogicalKind::kFloat32:
    case LogicalKind::kFloat64:
    case LogicalKind::kNumeric:
    case LogicalKind::kBytes:
    case LogicalKind::kDate:
    case LogicalKind::kTime:
    case LogicalKind::kTimestamp:
    case LogicalKind::kTimestampTz:
    case LogicalKind::kUuid:
      break;
    case LogicalKind::kText:
      canonical = name != "citext" && !name.ends_with(".citext");
      break;
    case LogicalKind::kJson:
    case LogicalKind::kArray:
      canonical = false;
      break;
    case LogicalKind::kOpaque:
      canonical = std::find(kCanonicalText.begin(), kCanonicalText.end(),
                            name.substr(0, name.find('('))) != kCanonicalText.end();
      break;
  }
  if (canonical) return {};
  return Fail(ErrorKind::kUnsupported,
              "key column '{}' has type {}: PostgreSQL's equality of such values cannot be told "
              "from their text; use a key of another "
              "type (REPLICA IDENTITY USING INDEX)",
              column.name, column.type_name);
}

}  // namespace millrace::silver
