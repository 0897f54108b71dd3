#include "adapter/source_postgres/snapshot/snapshot_plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "adapter/source_postgres/server/connection.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

// What was not read of a relation while it had this file.
std::vector<BlockSpan> Gaps(const std::vector<SnapshotRange>& read, uint32_t relation,
                            uint32_t file_node) {
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (const SnapshotRange& range : read) {
    if (range.relation_oid == relation && range.file_node == file_node)
      spans.emplace_back(range.first_block, range.end_block < 0 ? kEnd : range.end_block);
  }
  std::sort(spans.begin(), spans.end());
  std::vector<BlockSpan> gaps;
  int64_t reached = 0;
  for (const auto& [first, end] : spans) {
    if (first > reached) gaps.push_back({reached, first});
    reached = std::max(reached, end);
  }
  if (reached < kEnd) gaps.push_back({reached, -1});
  return gaps;
}

}  // namespace

std::vector<SnapshotChunk> PlanChunks(const std::vector<SnapshotRelation>& relations,
                                      int64_t chunk_bytes, int64_t block_size) {
  const int64_t step = std::max<int64_t>(1, chunk_bytes / block_size);
  std::vector<SnapshotChunk> chunks;
  for (const SnapshotRelation& relation : relations) {
    const int64_t blocks = (relation.bytes + block_size - 1) / block_size;
    const auto add = [&](BlockSpan span) {
      chunks.push_back({.table = relation.table,
                        .relation = relation.name,
                        .oid = relation.oid,
                        .file_node = relation.file_node,
                        .blocks = span});
    };
    for (const BlockSpan& span : relation.unread) {
      const int64_t end = span.end_block < 0 ? blocks : span.end_block;
      int64_t first = span.first_block;
      for (; end - first > step + step / 2; first += step)
        add({first, first + step});  // a rest of less than half a chunk goes with the one before
      add({first, span.end_block});
    }
  }
  return chunks;
}

std::string ChunkSql(const SnapshotChunk& chunk, const TableSchema& schema) {
  std::vector<std::string> columns;
  for (const SourceColumn& column : schema.columns) columns.push_back(QuoteIdentifier(column.name));
  std::string where;
  if (chunk.blocks.first_block > 0)
    where = Format(" WHERE ctid >= '({},0)'::tid", chunk.blocks.first_block);
  if (chunk.blocks.end_block >= 0) {
    where += Format("{} ctid < '({},0)'::tid", where.empty() ? " WHERE" : " AND",
                    chunk.blocks.end_block);
  }
  return Format("COPY (SELECT {} FROM ONLY {}{}) TO STDOUT", Join(columns, ","), chunk.relation,
                where);
}

Remainder LeaveOutRead(const std::vector<SnapshotRange>& read, size_t table, bool followed,
                       std::vector<SnapshotRelation>& relations) {
  bool whole = true;
  for (SnapshotRelation& relation : relations) {
    if (relation.table != table) continue;
    relation.unread = Gaps(read, relation.oid, relation.file_node);
    whole = whole && relation.unread.empty();
  }
  if (whole) return Remainder::kNothing;
  if (followed) return Remainder::kRows;
  for (SnapshotRelation& relation : relations) {
    if (relation.table == table) relation.unread = {{}};
  }
  return Remainder::kAll;
}

}  // namespace millrace::postgres
