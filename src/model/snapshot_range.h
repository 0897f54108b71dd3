#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "codec/json.h"
#include "model/position.h"

namespace millrace {

// A part of a table whose rows the initial snapshot has handed over: heap blocks of one relation.
// One that ends at block 0 says that the relation is read anew from this point on: its ranges of
// earlier points are void.
struct SnapshotRange {
  uint32_t relation_oid = 0;  // the table, or one of its partitions
  uint32_t file_node = 0;     // pg_relation_filenode then: another one now means other blocks
  Lsn point = 0;              // consistent point of the snapshot that was read
  int64_t first_block = 0;
  int64_t end_block = -1;  // -1: to the end of the relation
  bool operator==(const SnapshotRange&) const = default;
};

// Adds a range to ranges in order (of their members), joining it with those of the same relation,
// file and point that it touches.
void AddRange(std::vector<SnapshotRange>& ranges, SnapshotRange more);

// {"relation":16384,"file_node":16384,"point":"0/16B3780","first_block":0,"end_block":4096}
json::Value ToJson(const SnapshotRange& range);
Result<SnapshotRange> SnapshotRangeFromJson(const json::Value& value);

}  // namespace millrace
