#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/snapshot_range.h"
#include "model/table_schema.h"

// Which parts of which relations a snapshot reads. All pure.
namespace millrace::postgres {

// Blocks of a heap; end -1: to the end, however far that is by now.
struct BlockSpan {
  int64_t first_block = 0;
  int64_t end_block = -1;
  bool operator==(const BlockSpan&) const = default;
};

// What of a table lies where: itself, or the leaves of its partition tree.
struct SnapshotRelation {
  size_t table = 0;  // index into the snapshot's tables
  std::string name;  // qualified and quoted
  uint32_t oid = 0;
  uint32_t file_node = 0;
  int64_t bytes = 0;
  std::vector<BlockSpan> unread = {{}};
};

// One COPY: a range of heap blocks of a table or of one of its partitions.
struct SnapshotChunk {
  size_t table = 0;
  std::string relation;  // qualified and quoted
  uint32_t oid = 0;
  uint32_t file_node = 0;
  BlockSpan blocks;
};
// Chunks of about `chunk_bytes` of what is unread, in the order of the relations.
std::vector<SnapshotChunk> PlanChunks(const std::vector<SnapshotRelation>& relations,
                                      int64_t chunk_bytes, int64_t block_size);
// COPY (SELECT ...) TO STDOUT for a chunk of a table with these columns.
std::string ChunkSql(const SnapshotChunk& chunk, const TableSchema& schema);

// What is left of a table when its snapshot was broken off and goes on at a later point.
enum class Remainder {
  kNothing,  // it was read whole: the stream tells the rest
  kRows,     // some of its rows
  kAll,      // all of them, and what was read before is void: the stream does not tell what became
             // of it
};
// Decides that for table number `table`, and sets what is unread of its relations. `followed`: the
// stream tells by key what became of each row that was read.
//
// A row that nobody touched lies where it lay, as long as the relation keeps its file. So blocks
// that were read at any point need no second look in a table that is followed: what was touched
// since is in the stream. Of a relation with another file all is unread: rows may have changed
// with it.
Remainder LeaveOutRead(const std::vector<SnapshotRange>& read, size_t table, bool followed,
                       std::vector<SnapshotRelation>& relations);

}  // namespace millrace::postgres
