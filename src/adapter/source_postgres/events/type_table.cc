#include "adapter/source_postgres/events/type_table.h"

#include <algorithm>
#include <array>

namespace millrace::postgres {
namespace {

struct TypeRow {
  uint32_t oid;  // pg_type.dat
  std::string_view name;
  LogicalKind kind;
};

// The types that are more than their text. What is not here and is no domain, array or enum is
// carried as text (kOpaque). docs/formats/types.md has the reader's side.
constexpr std::array kTypes = {
    TypeRow{16, "bool", LogicalKind::kBool},
    TypeRow{17, "bytea", LogicalKind::kBytes},
    TypeRow{18, "char", LogicalKind::kText},
    TypeRow{19, "name", LogicalKind::kText},
    TypeRow{20, "int8", LogicalKind::kInt64},
    TypeRow{21, "int2", LogicalKind::kInt16},
    TypeRow{23, "int4", LogicalKind::kInt32},
    TypeRow{25, "text", LogicalKind::kText},
    TypeRow{26, "oid", LogicalKind::kOid},
    TypeRow{114, "json", LogicalKind::kJson},
    TypeRow{700, "float4", LogicalKind::kFloat32},
    TypeRow{701, "float8", LogicalKind::kFloat64},
    TypeRow{1042, "bpchar", LogicalKind::kText},
    TypeRow{1043, "varchar", LogicalKind::kText},
    TypeRow{1082, "date", LogicalKind::kDate},
    TypeRow{1083, "time", LogicalKind::kTime},
    TypeRow{1114, "timestamp", LogicalKind::kTimestamp},
    TypeRow{1184, "timestamptz", LogicalKind::kTimestampTz},
    TypeRow{1700, "numeric", LogicalKind::kNumeric},
    TypeRow{2950, "uuid", LogicalKind::kUuid},
    TypeRow{3802, "jsonb", LogicalKind::kJson},
};
static_assert(std::is_sorted(kTypes.begin(), kTypes.end(),
                             [](const TypeRow& a, const TypeRow& b) { return a.oid < b.oid; }));

LogicalType Plain(LogicalKind kind) {
  return {.kind = kind, .precision = 0, .scale = 0, .element = {}};
}

// numeric's typmod (numeric.c): precision in the upper half, scale in eleven signed bits, all
// plus 4.
LogicalType Numeric(int32_t typmod) {
  LogicalType type = Plain(LogicalKind::kNumeric);
  if (typmod < 4) return type;
  type.precision = (typmod - 4) >> 16 & 0xFFFF;
  type.scale = (((typmod - 4) & 0x7FF) ^ 1024) - 1024;
  return type;
}

}  // namespace

const LogicalKind* FindBuiltin(uint32_t oid) {
  const auto row = std::lower_bound(kTypes.begin(), kTypes.end(), oid,
                                    [](const TypeRow& r, uint32_t o) { return r.oid < o; });
  return row != kTypes.end() && row->oid == oid ? &row->kind : nullptr;
}

ResolvedType ResolveType(uint32_t oid, int32_t typmod,
                         const std::function<const TypeInfo*(uint32_t)>& lookup) {
  if (const LogicalKind* kind = FindBuiltin(oid)) {
    return {*kind == LogicalKind::kNumeric ? Numeric(typmod) : Plain(*kind)};
  }
  const TypeInfo* info = lookup(oid);
  if (info == nullptr) return {Plain(LogicalKind::kOpaque)};
  if (info->kind == 'd') return ResolveType(info->base_oid, info->base_typmod, lookup);
  if (info->kind == 'e' || info->name == "citext") return {Plain(LogicalKind::kText)};
  if (info->element_oid != 0) {
    LogicalType array = Plain(LogicalKind::kArray);
    const TypeInfo* element = lookup(info->element_oid);
    array.element.push_back(ResolveType(info->element_oid, typmod, lookup).type);
    // A domain over an array may be an element: its text is that of an array within an array, which
    // we carry as text.
    if (array.element.front().kind == LogicalKind::kArray)
      array.element.front() = Plain(LogicalKind::kOpaque);
    return {std::move(array), element != nullptr ? element->delimiter : ','};
  }
  return {Plain(LogicalKind::kOpaque)};
}

}  // namespace millrace::postgres
