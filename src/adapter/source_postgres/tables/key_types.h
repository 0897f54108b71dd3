#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/source_postgres/server/connection.h"
#include "base/result.h"

// Which key types Silver can compare the way PostgreSQL does: docs/formats/types.md, "Keys".
namespace millrace::postgres {

struct KeyColumn {
  uint32_t relation_oid = 0;
  std::string column;
  std::string type_name;  // pg_type.typname, of a domain its base's
  char type_kind = 'b';   // pg_type.typtype
  bool has_typmod = false;
  bool deterministic = true;  // of its collation
};
// The columns of all primary keys and replica identity indexes.
Result<std::vector<KeyColumn>> ReadKeyColumns(Connection& connection);

enum class KeyFitness { kFit, kCareful, kUnfit };
struct KeyVerdict {
  KeyFitness fitness = KeyFitness::kFit;
  std::string reason;  // why not kFit
};
// Pure.
KeyVerdict JudgeKey(const KeyColumn& column);
// The sentence that refuses a column whose verdict is kUnfit, without a cure. Pure.
std::string Refusal(const KeyColumn& column, const KeyVerdict& verdict);
// Of each relation with such a column, the refusal of the first: by oid. Pure.
std::map<uint32_t, std::string> UnfitKeys(const std::vector<KeyColumn>& columns);

}  // namespace millrace::postgres
