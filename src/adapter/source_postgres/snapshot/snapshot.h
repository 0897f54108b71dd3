#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapter/source_postgres/events/event_encoder.h"
#include "adapter/source_postgres/server/options.h"
#include "adapter/source_postgres/server/slot.h"
#include "adapter/source_postgres/snapshot/snapshot_session.h"
#include "base/result.h"
#include "port/record_sink.h"
#include "port/source.h"

namespace millrace::postgres {

// Where the rows of a snapshot stand in the stream.
struct SnapshotPlace {
  CreatedSlot slot;
  Lsn commit_lsn = 0;       // of their events: above what is streamed before, below what comes
  SourcePosition position;  // what Bronze reaches with a part of it
};

// The encoder of a snapshot's events.
EventEncoder SnapshotEncoder(const PostgresSourceOptions& options, const SnapshotSession& session,
                             const SnapshotPlace& place);

// Reads chunks under one exported snapshot with `options.snapshot_workers` connections, ordinals
// from `first_ordinal` on; gives the first that is free. Each batch tells which chunks it completes
// (RecordBatch::snapshot_ranges). Returns when the sink has taken every row; writes no end mark.
// `tables`: of the session, for the progress.
Result<int64_t> ReadChunks(const PostgresSourceOptions& options, const SnapshotSession& session,
                           const std::vector<TableEntry>& tables, std::vector<SnapshotChunk> chunks,
                           const SnapshotPlace& place, int64_t first_ordinal, RecordSink& sink,
                           const std::function<void(const SnapshotProgress&)>& progress,
                           std::stop_token stop);

}  // namespace millrace::postgres
