#include "adapter/source_postgres/snapshot.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "adapter/source_postgres/batch_writer.h"
#include "adapter/source_postgres/copy_text.h"
#include "adapter/source_postgres/event_encoder.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

constexpr int64_t kOrdinalBlock = 1 << 16;  // how many ordinals a worker takes at a time

Result<std::unique_ptr<Connection>> OpenInSnapshot(const PostgresSourceOptions& options, const std::string& snapshot) {
  MR_ASSIGN(auto connection, Connection::Open(options, Connection::Mode::kSql));
  MR_TRY(connection->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  MR_TRY(connection->Execute("SET TRANSACTION SNAPSHOT " + QuoteLiteral(snapshot)));
  return connection;
}

// Keeps the tables as they are while they are read.
Status Lock(Connection& connection, const std::vector<TableEntry>& tables) {
  MR_TRY(connection.Execute("SET LOCAL lock_timeout = '60s'"));
  for (const TableEntry& table : tables) {
    const std::string name = QualifiedIdentifier(table.schema, table.table);
    const Status status = connection.Execute("LOCK TABLE " + name + " IN ACCESS SHARE MODE");
    if (status.ok()) continue;
    if (status.error().kind() != ErrorKind::kPermission) return status.error().Wrap("snapshot of " + table.QualifiedName());
    return Fail(ErrorKind::kPermission, "snapshot of {}: {}; run as its owner: GRANT USAGE ON SCHEMA {} TO {}; GRANT SELECT ON {} TO {}",
                table.QualifiedName(), status.error().message(), QuoteIdentifier(table.schema), QuoteIdentifier(connection.user()), name,
                QuoteIdentifier(connection.user()));
  }
  return {};
}

Result<CapturedTable> DescribeNow(Connection& connection, const PostgresSourceOptions& options, const TableEntry& table,
                                  TypeCatalog& types) {
  MR_ASSIGN(const LiveTable live, ReadLiveTable(connection, table.oid));
  if (live.columns.empty()) {
    return Fail(ErrorKind::kUnavailable, "snapshot of {}: the table was dropped meanwhile", table.QualifiedName());
  }
  const RelationMessage relation = AsRelation(table, live);
  std::vector<uint32_t> oids;
  std::vector<int16_t> attnums;
  for (const RelationColumn& column : relation.columns) oids.push_back(column.type_oid);
  for (const LiveColumn& column : live.columns) {
    if (column.generated) {
      log::Warn("capture", "table {}: generated column '{}' is left out, because PostgreSQL does not stream it", table.QualifiedName(),
                column.name);
    }
    if (!column.dropped && !column.generated) attnums.push_back(column.attnum);
  }
  MR_TRY(types.Load(connection, oids));
  MR_ASSIGN(const auto names, TypeCatalog::FormatTypes(connection, relation.columns));
  DescribedTable described = Describe(relation, attnums, live, names, types);
  return Capture(options.name, std::move(described.schema), described.delimiters, described.identity);
}

Result<std::vector<SnapshotRelation>> ReadRelations(Connection& connection, const std::vector<TableEntry>& tables) {
  std::vector<SnapshotRelation> relations;
  for (size_t i = 0; i < tables.size(); ++i) {
    const std::string oid = std::to_string(tables[i].oid);
    if (!tables[i].partitioned) {
      MR_ASSIGN(const Rows size, connection.Query("SELECT pg_relation_size($1::oid)", {oid}));
      relations.push_back({.table = i, .relation = QualifiedIdentifier(tables[i].schema, tables[i].table), .bytes = size.Int(0, 0)});
      continue;
    }
    // Foreign partitions are not replicated either.
    MR_ASSIGN(const Rows leaves, connection.Query(
        "SELECT n.nspname, c.relname, pg_relation_size(c.oid) FROM pg_partition_tree($1::oid) p JOIN pg_class c ON c.oid = p.relid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.isleaf AND c.relkind = 'r' ORDER BY 1, 2", {oid}));
    for (int k = 0; k < leaves.size(); ++k) {
      relations.push_back({.table = i, .relation = QualifiedIdentifier(leaves.Text(k, 0), leaves.Text(k, 1)), .bytes = leaves.Int(k, 2)});
    }
  }
  return relations;
}

// What the workers share.
class SharedWork {
 public:
  SharedWork(std::vector<SnapshotChunk> chunks, const std::vector<TableEntry>& tables,
             const std::function<void(const SnapshotProgress&)>& progress)
      : chunks_(std::move(chunks)), tables_(tables), progress_(progress), rows_(tables.size()), chunks_left_(tables.size()) {
    for (const SnapshotChunk& chunk : chunks_) ++chunks_left_[chunk.table];
    for (const int64_t left : chunks_left_) tables_done_ += left == 0;
  }

  const SnapshotChunk* Next() {
    const size_t i = next_chunk_.fetch_add(1);
    return i < chunks_.size() ? &chunks_[i] : nullptr;
  }
  int64_t NextOrdinals() { return next_ordinal_.fetch_add(kOrdinalBlock); }
  int64_t max_ordinal() const { return next_ordinal_.load(); }

  void ChunkDone(const SnapshotChunk& chunk, int64_t rows) {
    const std::lock_guard lock(mutex_);
    rows_[chunk.table] += rows;
    if (--chunks_left_[chunk.table] == 0) ++tables_done_;
    if (!progress_) return;
    progress_({.table = tables_[chunk.table].QualifiedName(),
               .rows = rows_[chunk.table],
               .estimated_rows = tables_[chunk.table].estimated_rows,
               .tables_done = tables_done_,
               .tables_total = static_cast<int64_t>(tables_.size()),
               .finished = false});
  }

 private:
  const std::vector<SnapshotChunk> chunks_;
  const std::vector<TableEntry>& tables_;
  const std::function<void(const SnapshotProgress&)>& progress_;
  std::atomic<size_t> next_chunk_{0};
  std::atomic<int64_t> next_ordinal_{0};
  std::mutex mutex_;
  std::vector<int64_t> rows_, chunks_left_;
  int64_t tables_done_ = 0;
};

Status RunWorker(const PostgresSourceOptions& options, const CreatedSlot& slot, std::vector<CapturedTable> tables, EventEncoder encoder,
                 SharedWork& work, RecordSink& sink, std::stop_token stop) {
  MR_ASSIGN(auto connection, OpenInSnapshot(options, slot.snapshot));
  BatchWriter writer(sink, options.batch_bytes);
  int64_t ordinal = 0, end_ordinal = 0;
  while (const SnapshotChunk* chunk = work.Next()) {
    if (stop.stop_requested()) return Error(ErrorKind::kCancelled, "snapshot: asked to stop");
    CapturedTable& table = tables[chunk->table];
    Tuple row(table.columns.size());
    int64_t rows = 0;
    const Status status = connection->CopyOut(ChunkSql(*chunk, table.stream->schema), [&](char* data, size_t size) -> Status {
      MR_TRY(ParseCopyRow(data, size, row));
      if (ordinal == end_ordinal) {
        ordinal = work.NextOrdinals();
        end_ordinal = ordinal + kOrdinalBlock;
      }
      const uint32_t stream = writer.StreamIndex(table);
      Event event{.op = 'r', .key = &row, .after = &row};
      event.lsn = slot.consistent_point;
      event.ordinal = ordinal++;
      encoder.Append(table, stream, event, writer.batch());
      ++rows;
      if (!writer.full()) return {};
      if (stop.stop_requested()) return Error(ErrorKind::kCancelled, "snapshot: asked to stop");
      return writer.Flush();
    });
    if (!status.ok()) return status.error().Wrap("snapshot of " + table.stream->schema.QualifiedName());
    work.ChunkDone(*chunk, rows);
    MR_FAILPOINT("capture.snapshot_chunk_read");
  }
  return writer.Flush();
}

}  // namespace

std::vector<SnapshotChunk> PlanChunks(const std::vector<SnapshotRelation>& relations, int64_t chunk_bytes, int64_t block_size) {
  const int64_t step = std::max<int64_t>(1, chunk_bytes / block_size);
  std::vector<SnapshotChunk> chunks;
  for (const SnapshotRelation& relation : relations) {
    const int64_t blocks = (relation.bytes + block_size - 1) / block_size;
    int64_t first = 0;
    for (; blocks - first > step + step / 2; first += step) {  // a rest of less than half a chunk goes with the one before
      chunks.push_back({.table = relation.table, .relation = relation.relation, .first_block = first, .end_block = first + step});
    }
    chunks.push_back({.table = relation.table, .relation = relation.relation, .first_block = first, .end_block = -1});
  }
  return chunks;
}

std::string ChunkSql(const SnapshotChunk& chunk, const TableSchema& schema) {
  std::vector<std::string> columns;
  for (const SourceColumn& column : schema.columns) columns.push_back(QuoteIdentifier(column.name));
  std::string where;
  if (chunk.first_block > 0) where = Format(" WHERE ctid >= '({},0)'::tid", chunk.first_block);
  if (chunk.end_block >= 0) where += Format("{} ctid < '({},0)'::tid", where.empty() ? " WHERE" : " AND", chunk.end_block);
  return Format("COPY (SELECT {} FROM ONLY {}{}) TO STDOUT", Join(columns, ","), chunk.relation, where);
}

Result<SnapshotResult> ReadSnapshot(const PostgresSourceOptions& options, const std::vector<TableEntry>& tables, const CreatedSlot& slot,
                                    RecordSink& sink, const std::function<void(const SnapshotProgress&)>& progress, std::stop_token stop) {
  MR_ASSIGN(auto connection, OpenInSnapshot(options, slot.snapshot));
  MR_TRY(Lock(*connection, tables));
  SnapshotResult result;
  MR_ASSIGN(const Rows now, connection->Query(
      "SELECT (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint, current_setting('block_size')::bigint"));
  result.time = now.Int(0, 0);

  std::vector<CapturedTable> captured;
  TypeCatalog types;
  for (const TableEntry& table : tables) {
    MR_ASSIGN(CapturedTable described, DescribeNow(*connection, options, table, types));
    result.schemas.push_back(described.stream->schema);
    captured.push_back(std::move(described));
  }
  MR_ASSIGN(const auto relations, ReadRelations(*connection, tables));
  SharedWork work(PlanChunks(relations, options.snapshot_chunk_bytes, now.Int(0, 1)), tables, progress);

  EventEncoder encoder(options.name, connection->database());
  EventContext context;
  context.commit_lsn = slot.consistent_point - 1;  // below every transaction that is streamed from there
  context.commit_time = result.time;
  context.snapshot = true;
  context.read_time = WallClockNow();
  encoder.Begin(context);

  std::stop_source failed;
  const std::stop_callback forward(stop, [&failed] { failed.request_stop(); });
  const auto workers = static_cast<size_t>(std::max(1, options.snapshot_workers));
  std::vector<Status> outcomes(workers);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < workers; ++i) {
      threads.emplace_back([&, i] {
        outcomes[i] = RunWorker(options, slot, captured, encoder, work, sink, failed.get_token());
        if (!outcomes[i].ok()) failed.request_stop();
      });
    }
  }
  // The first real failure explains the others, which were cancelled for it.
  const Status* worst = nullptr;
  for (const Status& outcome : outcomes) {
    if (!outcome.ok() && (worst == nullptr || worst->error().kind() == ErrorKind::kCancelled)) worst = &outcome;
  }
  if (worst != nullptr) return worst->error();
  result.max_ordinal = work.max_ordinal();
  return result;
}

}  // namespace millrace::postgres
