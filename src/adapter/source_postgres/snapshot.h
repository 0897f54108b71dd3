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

struct SnapshotResult {
  std::vector<TableSchema> schemas;
  int64_t max_ordinal = 0;
  Micros time = 0;  // of the server, when the snapshot was taken up
};

// Reads all tables under one exported snapshot with `options.snapshot_workers` connections. Returns
// when the sink has taken every row; writes no end mark.
Result<SnapshotResult> ReadSnapshot(const PostgresSourceOptions& options,
                                    const std::vector<TableEntry>& tables, const CreatedSlot& slot,
                                    RecordSink& sink,
                                    const std::function<void(const SnapshotProgress&)>& progress,
                                    std::stop_token stop);

}  // namespace millrace::postgres
