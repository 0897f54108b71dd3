#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapter/source_postgres/catalog.h"
#include "adapter/source_postgres/options.h"
#include "adapter/source_postgres/slot.h"
#include "base/result.h"
#include "port/record_sink.h"
#include "port/source.h"

namespace millrace::postgres {

// One COPY: a range of heap blocks of a table or of one of its partitions.
struct SnapshotChunk {
  size_t table = 0;        // index into the snapshot's tables
  std::string relation;    // qualified and quoted
  int64_t first_block = 0;
  int64_t end_block = -1;  // -1: to the end, however far that is by now
};
// What of a table lies where: itself, or the leaves of its partition tree.
struct SnapshotRelation {
  size_t table = 0;
  std::string relation;
  int64_t bytes = 0;
};
// Pure. Chunks of about `chunk_bytes`, in the order of the relations.
std::vector<SnapshotChunk> PlanChunks(const std::vector<SnapshotRelation>& relations, int64_t chunk_bytes, int64_t block_size);
// COPY (SELECT ...) TO STDOUT for a chunk of a table with these columns.
std::string ChunkSql(const SnapshotChunk& chunk, const TableSchema& schema);

struct SnapshotResult {
  std::vector<TableSchema> schemas;
  int64_t max_ordinal = 0;
  Micros time = 0;  // of the server, when the snapshot was taken up
};

// Reads all tables under one exported snapshot with `options.snapshot_workers` connections. Returns when the sink has taken every row;
// writes no end mark.
Result<SnapshotResult> ReadSnapshot(const PostgresSourceOptions& options, const std::vector<TableEntry>& tables, const CreatedSlot& slot,
                                    RecordSink& sink, const std::function<void(const SnapshotProgress&)>& progress, std::stop_token stop);

}  // namespace millrace::postgres
