#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapter/source_postgres/protocol/pgoutput.h"
#include "base/result.h"
#include "model/table_schema.h"

namespace millrace::postgres {

// A row of pg_attribute as it is now, dropped columns included.
struct LiveColumn {
  int16_t attnum = 0;
  std::string name;  // meaningless when dropped
  uint32_t type_oid = 0;
  int32_t typmod = -1;
  bool dropped = false;
  bool not_null = false;
  bool generated = false;  // may be left out by the stream
  // What rows that are older than the column show in it, as text: a constant DEFAULT of ADD COLUMN
  // (attmissingval). In a partitioned table, when all partitions agree.
  std::optional<std::string> missing = std::nullopt;
  // A default, an identity or NOT NULL: older rows may hold values that the rewrite of the table
  // gave them, and that no event carries.
  bool may_be_filled = false;
  bool streamed = true;  // false: generated, and in no publication of ours
};

// The catalog's rows without those that were dropped before `previous`, and so cannot be in what
// the stream describes after it: dropped, not in `previous`, and at most `high_water`, the highest
// attnum of any version up to `previous`. Pure.
std::vector<LiveColumn> WithoutLongGone(std::vector<LiveColumn> live, const TableSchema* previous,
                                        int16_t high_water);

// Which attnum each column of a RELATION message has. The message names columns in attnum order but
// has no attnums, and describes the table as it was at its place in the WAL, while the catalog
// shows it as it is now: columns may have been renamed, retyped, added at the end, or dropped
// since. `previous` is the version known before (nullptr: none); `live` is in attnum order and
// empty when the table is gone.
//
// Every assignment that keeps the order and leaves out only what was dropped, is generated, or came
// later is considered. One that explains all names by the known version or by the catalog wins over
// others; when it is not the only one, or none is left, kUnsupported names the table. Never a
// guess. Pure.
Result<std::vector<int16_t>> ReconcileColumns(const std::string& table, const TableSchema* previous,
                                              const std::vector<RelationColumn>& relation,
                                              const std::vector<LiveColumn>& live);

}  // namespace millrace::postgres
