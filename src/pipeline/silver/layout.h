#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iceberg/metadata.h"
#include "iceberg/schema.h"
#include "model/table_schema.h"

// Which columns a Silver table has: docs/formats/silver.md.
namespace millrace::silver {

// A source column as the Silver table carries it. Columns are never taken away: a dropped one stays
// and is null from then on.
struct SilverColumn {
  int16_t attnum = 0;
  std::string name;
  int32_t field_id = 0;
  int32_t text_field_id = 0;  // of "<name>__pg"; 0: not needed so far
  LogicalType type;           // at the source, as of the newest schema version
  std::string type_name;
  int key_position = 0;
  bool dropped = false;
};

// Stored as the table property kColumnsProperty.
struct Layout {
  uint32_t relation_oid = 0;
  std::string table;                  // "public.orders"
  std::vector<SilverColumn> columns;  // in attnum order

  std::vector<const SilverColumn*> KeyColumns() const;  // by key_position
  std::vector<int> KeyIndexes() const;                  // into `columns`, by key_position
  bool keyed() const;
  int FindAttnum(int16_t attnum) const;  // -1: none
};
json::Value ToJson(const Layout& layout);
Result<Layout> LayoutFromJson(const json::Value& value);

inline constexpr std::string_view kColumnsProperty = "millrace.columns";
inline constexpr std::string_view kBronzeCommitProperty =
    "millrace.bronze-commit";  // all commits up to this one are in
inline constexpr std::string_view kSourceProperty =
    "millrace.source";  // "<system id>/<topic prefix>"
inline constexpr std::string_view kTopicProperty = "millrace.topic";

// The SCD2 columns, in table order.
enum class Scd {
  kValidFrom,
  kValidTo,
  kIsCurrent,
  kIsDeleted,
  kVersion,
  kOp,
  kFromLsn,
  kFromOrd,
  kToLsn,
  kToOrd
};
inline constexpr int kScdColumns = 10;
std::string_view ScdName(Scd column);
iceberg::Field ScdField(Scd column, int32_t id);
// Field ids of the SCD2 columns in `schema`; kCorrupt when one is missing.
Result<std::array<int32_t, kScdColumns>> ScdFieldIds(const iceberg::Schema& schema);

// "silver.<table>" for schema public, "silver.<schema>_<table>" otherwise; this is the part after
// the dot. Anything but ASCII letters, digits and '_' becomes '_'.
std::string SilverTableName(std::string_view schema, std::string_view table);
std::string TextColumnName(std::string_view name);  // "<name>__pg"

// A table made new from `source`. kUnsupported or kInvalidInput name the column that stands in the
// way: a key type without a canonical form, a name of ours, two names that differ in case only.
struct NewSilverTable {
  Layout layout;
  iceberg::Schema schema;
  iceberg::PartitionSpec spec;  // identity(is_current)
};
Result<NewSilverTable> LayOut(const TableSchema& source);

}  // namespace millrace::silver
