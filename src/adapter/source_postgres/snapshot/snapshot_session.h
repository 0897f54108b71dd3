#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapter/source_postgres/events/captured_table.h"
#include "adapter/source_postgres/server/connection.h"
#include "adapter/source_postgres/server/options.h"
#include "adapter/source_postgres/snapshot/snapshot_plan.h"
#include "adapter/source_postgres/tables/catalog.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::postgres {

// An ordinary connection whose transaction sees what an exported snapshot shows.
Result<std::unique_ptr<Connection>> OpenInSnapshot(const PostgresSourceOptions& options,
                                                   const std::string& snapshot);

// Tables under an exported snapshot: locked against changes of their definition for as long as this
// lives, and described.
struct SnapshotSession {
  std::unique_ptr<Connection> connection;
  Micros time = 0;                    // of the server, when the session began
  std::vector<CapturedTable> tables;  // in the order they were given
  std::vector<SnapshotRelation> relations;
  int64_t block_size = 8192;
};
// kPermission names the GRANT that is missing; kUnavailable: a table was dropped,
// rewritten or altered since the export, and the snapshot has to begin again.
Result<SnapshotSession> OpenSnapshotSession(const PostgresSourceOptions& options,
                                            const std::vector<TableEntry>& tables,
                                            const std::string& snapshot);

}  // namespace millrace::postgres
