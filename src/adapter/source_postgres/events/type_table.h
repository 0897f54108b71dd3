#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model/logical_type.h"

namespace millrace::postgres {

// What pg_type says of a type.
struct TypeInfo {
  uint32_t oid = 0;
  std::string name;
  // typtype: b base, c composite, d domain, e enum, p pseudo, r range, m multirange.
  char kind = 'b';
  uint32_t element_oid = 0;  // of a true array, else 0
  uint32_t base_oid = 0;     // of a domain
  int32_t base_typmod = -1;  // of a domain
  char delimiter = ',';      // between elements of an array of this type
};

struct ResolvedType {
  LogicalType type;
  char delimiter = ',';  // of the element type, for arrays
};

// The built-in kind of a type, when there is a row for it.
const LogicalKind* FindBuiltin(uint32_t oid);

// The logical type of (oid, typmod): domains by their base, arrays by their element, enums as text,
// extension types by name. `lookup` gives nullptr for what the catalog no longer knows; such a type
// is opaque.
ResolvedType ResolveType(uint32_t oid, int32_t typmod,
                         const std::function<const TypeInfo*(uint32_t)>& lookup);

}  // namespace millrace::postgres
