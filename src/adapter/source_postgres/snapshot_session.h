#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapter/source_postgres/captured_table.h"
#include "adapter/source_postgres/catalog.h"
#include "adapter/source_postgres/connection.h"
#include "adapter/source_postgres/options.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::postgres {

// One COPY: a range of heap blocks of a table or of one of its partitions.
struct SnapshotChunk {
  size_t table = 0;      // index into the snapshot's tables
  std::string relation;  // qualified and quoted
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
std::vector<SnapshotChunk> PlanChunks(const std::vector<SnapshotRelation>& relations,
                                      int64_t chunk_bytes, int64_t block_size);
// COPY (SELECT ...) TO STDOUT for a chunk of a table with these columns.
std::string ChunkSql(const SnapshotChunk& chunk, const TableSchema& schema);

// An ordinary connection whose transaction sees what an exported snapshot shows.
Result<std::unique_ptr<Connection>> OpenInSnapshot(const PostgresSourceOptions& options,
                                                   const std::string& snapshot);

// Tables under an exported snapshot: locked against changes of their definition for as long as this
// lives, described and cut into chunks.
struct SnapshotSession {
  std::unique_ptr<Connection> connection;
  Micros time = 0;                    // of the server, when the session began
  std::vector<CapturedTable> tables;  // in the order they were given
  std::vector<SnapshotChunk> chunks;
};
// kPermission names the GRANT that is missing; kUnavailable: a table was dropped,
// rewritten or altered since the export, and the snapshot has to begin again.
Result<SnapshotSession> OpenSnapshotSession(const PostgresSourceOptions& options,
                                            const std::vector<TableEntry>& tables,
                                            const std::string& snapshot);

}  // namespace millrace::postgres
