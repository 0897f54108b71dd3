#include "adapter/source_postgres/snapshot/snapshot.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "adapter/source_postgres/events/batch_writer.h"
#include "adapter/source_postgres/protocol/copy_text.h"
#include "adapter/source_postgres/snapshot/throttle.h"
#include "base/failpoint.h"

namespace millrace::postgres {
namespace {

constexpr int64_t kOrdinalBlock = 1 << 16;  // how many ordinals a worker takes at a time

// What the workers share.
class SharedWork {
 public:
  SharedWork(std::vector<SnapshotChunk> chunks, const std::vector<TableEntry>& tables,
             int64_t first_ordinal, const SnapshotLimits& limits,
             const std::function<void(const SnapshotProgress&)>& progress)
      : throttle(limits),
        chunks_(std::move(chunks)),
        tables_(tables),
        progress_(progress),
        next_ordinal_(first_ordinal),
        rows_(tables.size()),
        chunks_left_(tables.size()) {
    for (const SnapshotChunk& chunk : chunks_) ++chunks_left_[chunk.table];
    for (const int64_t left : chunks_left_) tables_done_ += left == 0;
  }

  const SnapshotChunk* Next() {
    const size_t i = next_chunk_.fetch_add(1);
    return i < chunks_.size() ? &chunks_[i] : nullptr;
  }
  int64_t NextOrdinals() { return next_ordinal_.fetch_add(kOrdinalBlock); }
  int64_t next_ordinal() const { return next_ordinal_.load(); }

  void ChunkDone(const SnapshotChunk& chunk, int64_t rows) {
    const std::lock_guard lock(mutex_);
    rows_[chunk.table] += rows;
    total_rows_ += rows;
    if (--chunks_left_[chunk.table] == 0) ++tables_done_;
    if (!progress_) return;
    progress_({.table = tables_[chunk.table].QualifiedName(),
               .rows = rows_[chunk.table],
               .estimated_rows = tables_[chunk.table].estimated_rows,
               .total_rows = total_rows_,
               .tables_done = tables_done_,
               .tables_total = static_cast<int64_t>(tables_.size()),
               .finished = false});
  }

  Throttle throttle;

 private:
  const std::vector<SnapshotChunk> chunks_;
  const std::vector<TableEntry>& tables_;
  const std::function<void(const SnapshotProgress&)>& progress_;
  std::atomic<size_t> next_chunk_{0};
  std::atomic<int64_t> next_ordinal_;
  std::mutex mutex_;
  std::vector<int64_t> rows_, chunks_left_;
  int64_t total_rows_ = 0, tables_done_ = 0;
};

Status HandOver(BatchWriter& writer, Throttle& throttle, std::stop_token stop) {
  const RecordBatch& batch = writer.batch();
  const auto rows = static_cast<int64_t>(batch.records.size());
  const auto bytes = static_cast<int64_t>(batch.bytes.size());
  MR_TRY(writer.Flush());
  return throttle.Spend(rows, bytes, stop);
}

Status RunWorker(const PostgresSourceOptions& options, const SnapshotPlace& place,
                 std::vector<CapturedTable> tables, EventEncoder encoder, SharedWork& work,
                 RecordSink& sink, std::stop_token stop) {
  MR_ASSIGN(auto connection, OpenInSnapshot(options, place.slot.snapshot));
  BatchWriter writer(sink, options.batch_bytes);
  int64_t ordinal = 0, end_ordinal = 0;
  while (const SnapshotChunk* chunk = work.Next()) {
    if (stop.stop_requested()) return Error(ErrorKind::kCancelled, "snapshot: asked to stop");
    CapturedTable& table = tables[chunk->table];
    Tuple row(table.columns.size());
    int64_t rows = 0;
    MR_TRY(work.throttle.AwaitHours(stop));
    const Status status = connection->CopyOut(
        ChunkSql(*chunk, table.stream->schema), [&](char* data, size_t size) -> Status {
          MR_TRY(ParseCopyRow(data, size, row));
          if (ordinal == end_ordinal) {
            ordinal = work.NextOrdinals();
            end_ordinal = ordinal + kOrdinalBlock;
          }
          const uint32_t stream = writer.StreamIndex(table);
          Event event{.op = 'r', .key = &row, .after = &row};
          event.lsn = place.slot.consistent_point;
          event.ordinal = ordinal++;
          encoder.Append(table, stream, event, writer.batch());
          ++rows;
          if (!writer.full()) return {};
          if (stop.stop_requested()) return Error(ErrorKind::kCancelled, "snapshot: asked to stop");
          return HandOver(writer, work.throttle, stop);
        });
    if (!status.ok())
      return status.error().Wrap("snapshot of " + table.stream->schema.QualifiedName());
    writer.Completes({.relation_oid = chunk->oid,
                      .file_node = chunk->file_node,
                      .point = place.slot.consistent_point,
                      .first_block = chunk->blocks.first_block,
                      .end_block = chunk->blocks.end_block},
                     place.position);
    work.ChunkDone(*chunk, rows);
    MR_FAILPOINT("capture.snapshot_chunk_read");
  }
  return HandOver(writer, work.throttle, stop);
}

}  // namespace

EventEncoder SnapshotEncoder(const PostgresSourceOptions& options, const SnapshotSession& session,
                             const SnapshotPlace& place) {
  EventEncoder encoder(options.name, session.connection->database());
  EventContext context;
  context.commit_lsn = place.commit_lsn;
  context.commit_time = session.time;
  context.snapshot = true;
  context.read_time = WallClockNow();
  encoder.Begin(context);
  return encoder;
}

Result<int64_t> ReadChunks(const PostgresSourceOptions& options, const SnapshotSession& session,
                           const std::vector<TableEntry>& tables, std::vector<SnapshotChunk> chunks,
                           const SnapshotPlace& place, int64_t first_ordinal, RecordSink& sink,
                           const std::function<void(const SnapshotProgress&)>& progress,
                           std::stop_token stop) {
  SharedWork work(std::move(chunks), tables, first_ordinal, options.snapshot_limits, progress);
  const EventEncoder encoder = SnapshotEncoder(options, session, place);
  std::stop_source failed;
  const std::stop_callback forward(stop, [&failed] { failed.request_stop(); });
  const auto workers = static_cast<size_t>(std::max(1, options.snapshot_workers));
  std::vector<Status> outcomes(workers);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < workers; ++i) {
      threads.emplace_back([&, i] {
        outcomes[i] =
            RunWorker(options, place, session.tables, encoder, work, sink, failed.get_token());
        if (!outcomes[i].ok()) failed.request_stop();
      });
    }
  }
  // The first real failure explains the others, which were cancelled for it.
  const Status* worst = nullptr;
  for (const Status& outcome : outcomes) {
    if (!outcome.ok() && (worst == nullptr || worst->error().kind() == ErrorKind::kCancelled))
      worst = &outcome;
  }
  if (worst != nullptr) return worst->error();
  return work.next_ordinal();
}

}  // namespace millrace::postgres
