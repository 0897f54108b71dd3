#include "adapter/source_postgres/tables/key_types.h"

#include <algorithm>
#include <array>

#include "base/format.h"

namespace millrace::postgres {
namespace {

using std::string_view_literals::operator""sv;

// Equal values have equal text, or one that the listed rule makes equal.
constexpr std::array kFit = {"bool"sv,        "int2"sv,    "int4"sv,   "int8"sv,  "oid"sv,
                             "text"sv,        "varchar"sv, "bpchar"sv, "name"sv,  "char"sv,
                             "uuid"sv,        "bytea"sv,   "date"sv,   "time"sv,  "timestamp"sv,
                             "timestamptz"sv, "numeric"sv, "inet"sv,   "cidr"sv,  "macaddr"sv,
                             "macaddr8"sv,    "bit"sv,     "varbit"sv, "pg_lsn"sv};

}  // namespace

Result<std::vector<KeyColumn>> ReadKeyColumns(Connection& connection) {
  MR_ASSIGN(const Rows rows, connection.Query(R"(
    WITH RECURSIVE base AS (
      SELECT oid AS type, typname, typtype, typbasetype, typtypmod FROM pg_type
      UNION ALL
      SELECT b.type, t.typname, t.typtype, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.typbasetype
      WHERE b.typtype = 'd')
    SELECT DISTINCT i.indrelid, a.attname, b.typname, b.typtype, a.atttypmod <> -1, coalesce(c.collisdeterministic, true)
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    JOIN base b ON b.type = a.atttypid AND b.typtype <> 'd' LEFT JOIN pg_collation c ON c.oid = a.attcollation
    WHERE (i.indisprimary OR i.indisreplident) AND i.indisvalid ORDER BY 1, 2)"));
  std::vector<KeyColumn> columns;
  for (int i = 0; i < rows.size(); ++i) {
    columns.push_back({.relation_oid = static_cast<uint32_t>(rows.Int(i, 0)),
                       .column = rows.String(i, 1),
                       .type_name = rows.String(i, 2),
                       .type_kind = rows.Text(i, 3).empty() ? 'b' : rows.Text(i, 3)[0],
                       .has_typmod = rows.Bool(i, 4),
                       .deterministic = rows.Bool(i, 5)});
  }
  return columns;
}

KeyVerdict JudgeKey(const KeyColumn& column) {
  if (!column.deterministic) {
    return {KeyFitness::kUnfit,
            "its collation is nondeterministic: values of different text are one key to PostgreSQL "
            "only"};
  }
  if (column.type_kind == 'e') return {};
  if (column.type_name == "float4" || column.type_name == "float8") {
    return {KeyFitness::kCareful, "floating point: 0 and -0 are one key, and all NaN are"};
  }
  if (column.type_name == "numeric") {
    if (column.has_typmod) return {};
    return {KeyFitness::kCareful,
            "numeric without a scale: 1.0 and 1.00 are one key, which Silver keeps under the "
            "shorter text"};
  }
  if (std::find(kFit.begin(), kFit.end(), column.type_name) != kFit.end()) return {};
  return {KeyFitness::kUnfit,
          Format("values of type {} can be equal to PostgreSQL while their text differs",
                 column.type_name)};
}

std::string Refusal(const KeyColumn& column, const KeyVerdict& verdict) {
  return Format("key column '{}' cannot be compared outside of PostgreSQL: {}", column.column,
                verdict.reason);
}

std::map<uint32_t, std::string> UnfitKeys(const std::vector<KeyColumn>& columns) {
  std::map<uint32_t, std::string> unfit;
  for (const KeyColumn& column : columns) {
    const KeyVerdict verdict = JudgeKey(column);
    if (verdict.fitness == KeyFitness::kUnfit)
      unfit.emplace(column.relation_oid, Refusal(column, verdict));
  }
  return unfit;
}

}  // namespace millrace::postgres
