// PostgresSource::Snapshot: the rows that tables hold before they are streamed.
#include <algorithm>
#include <chrono>

#include "adapter/source_postgres/postgres_source.h"
#include "adapter/source_postgres/tables/publication.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPoll = 100ms;     // how late a stop may be noticed
constexpr auto kAskPace = 200ms;  // between two questions to the server how far it is

// Names all tables, so that those without rows are tables of the lake from the start.
RecordBatch Naming(const std::vector<CapturedTable>& tables) {
  RecordBatch batch;
  for (const CapturedTable& table : tables) batch.streams.push_back(table.stream);
  return batch;
}

// Takes the ends of transactions away: Bronze may not commit yet.
class EndlessSink final : public RecordSink {
 public:
  explicit EndlessSink(RecordSink& sink) : sink_(sink) {}
  Status Write(RecordBatch batch) override {
    batch.ends_at.reset();
    return batch.records.empty() ? Status() : sink_.Write(std::move(batch));
  }

 private:
  RecordSink& sink_;
};

}  // namespace

Status PostgresSource::Snapshot(RecordSink& sink,
                                const std::function<void(const SnapshotProgress&)>& progress,
                                std::stop_token stop) {
  if (!needs_snapshot())
    return Fail(ErrorKind::kInternal, "snapshot without a slot of its own: Prepare comes first");
  SnapshotProgress newest;
  const auto report = [&](const SnapshotProgress& now) {
    newest = now;
    if (progress) progress(now);
  };
  auto position = rest_ ? ReadRest(sink, report, stop) : ReadWhole(sink, report, stop);
  if (!position.ok()) return position.error();
  MR_FAILPOINT("capture.snapshot_read");
  RecordBatch last;
  last.ends_snapshot = true;
  last.ends_at = *position;
  MR_TRY(sink.Write(std::move(last)));
  start_ = *position;
  created_slot_.reset();
  rest_.reset();
  newest.table.clear();
  newest.rows = 0;
  newest.estimated_rows = -1;
  newest.tables_done = newest.tables_total;
  newest.finished = true;
  report(newest);
  return {};
}

Result<SourcePosition> PostgresSource::ReadWhole(
    RecordSink& sink, const std::function<void(const SnapshotProgress&)>& progress,
    std::stop_token stop) {
  MR_ASSIGN(const SnapshotSession session,
            OpenSnapshotSession(options_, tables_, created_slot_->snapshot));
  const Lsn point = created_slot_->consistent_point;
  SnapshotPlace place{.slot = *created_slot_,
                      .commit_lsn = point - 1,  // below every transaction streamed from there
                      .position = {.system_id = system_.system_id,
                                   .timeline = system_.timeline,
                                   .last = {point - 1, 0},
                                   .resume_lsn = point,
                                   .commit_time = session.time}};
  MR_TRY(sink.Write(Naming(session.tables)));
  MR_ASSIGN(
      place.position.last.ordinal,
      ReadChunks(options_, session, tables_,
                 PlanChunks(session.relations, options_.snapshot_chunk_bytes, session.block_size),
                 place, 0, sink, progress, stop));
  for (const CapturedTable& table : session.tables) Remember(table.stream->schema);
  return place.position;
}

// The snapshot began with the tables that are published; tables that came since are TableWatcher's.
Status PostgresSource::OpenRest(const std::vector<SnapshotRange>& read) {
  MR_ASSIGN(const PublicationState main, ReadPublication(*catalog_, options_.publication));
  MR_ASSIGN(const PublicationState insert_only,
            ReadPublication(*catalog_, InsertPublication(options_.publication)));
  managed_ = main.managed;
  std::vector<SnapshotRest::Table> tables;
  for (const TableEntry& entry : tables_) {
    const std::string name = QualifiedIdentifier(entry.schema, entry.table);
    const bool followed =
        main.all_tables || std::binary_search(main.tables.begin(), main.tables.end(), name);
    if (!followed &&
        !std::binary_search(insert_only.tables.begin(), insert_only.tables.end(), name))
      continue;
    SnapshotRest::Table table{.entry = entry, .followed = followed && entry.identifies_rows};
    if (const auto known = known_.find(entry.oid); known != known_.end()) {
      for (const SourceColumn* column : known->second.KeyColumns())
        table.key.push_back(column->attnum);
    }
    tables.push_back(std::move(table));
  }
  MR_ASSIGN(rest_, SnapshotRest::Open(options_, tables, read));
  MR_FAILPOINT("capture.snapshot_resumed");
  return {};
}

Result<SourcePosition> PostgresSource::ReadRest(
    RecordSink& sink, const std::function<void(const SnapshotProgress&)>& progress,
    std::stop_token stop) {
  MR_TRY(sink.Write(Naming(rest_->session().tables)));
  MR_TRY(StreamToRest(sink, stop));
  MR_FAILPOINT("capture.snapshot_caught_up");
  MR_ASSIGN(const SourcePosition position, rest_->Read(*start_, sink, progress, stop));
  for (const CapturedTable& table : rest_->session().tables) Remember(table.stream->schema);
  return position;
}

// The changes up to the point where the rest is read. They are in only with its rows: which rows
// have to be read again is known to this process alone.
Status PostgresSource::StreamToRest(RecordSink& sink, std::stop_token stop) {
  MR_ASSIGN(const std::string publications, PublicationNames(*catalog_, options_.publication));
  EndlessSink endless(sink);
  BatchWriter writer(endless, options_.batch_bytes);
  ChangeDecoder decoder(
      EventEncoder(options_.name, catalog_->database()),
      [this](const RelationMessage& relation, Lsn commit_lsn) {
        return Resolve(relation, commit_lsn);
      },
      writer, *start_);
  decoder.set_pending_gate(
      [](CapturedTable&) -> Result<ChangeDecoder::Gate> { return ChangeDecoder::Gate::kLeaveOut; });
  decoder.set_later_gate([this](const CapturedTable& table, const Tuple& row, const Tuple* toast) {
    return rest_->TakesOver(table, row, toast);
  });
  pending_rows_ = rest_.get();
  MR_ASSIGN(const auto stream,
            ReplicationStream::Start(std::move(replication_),
                                     {.slot = options_.slot,
                                      .publication_names = publications,
                                      .start = start_->resume_lsn,
                                      .in_progress = false,
                                      .status_interval = options_.status_interval}));
  MR_TRY(CheckStreamStart(*catalog_, options_.slot, start_->resume_lsn));
  auto last_asked = steady_clock::now() - kAskPace;
  while (!decoder.StandsAt(rest_->point())) {
    if (stop.stop_requested()) return Error(ErrorKind::kCancelled, "snapshot: asked to stop");
    MR_ASSIGN(const auto message, stream->Next());
    if (message && message->kind == ReplicationStream::Message::Kind::kData) {
      MR_TRY(decoder.Handle(message->lsn, message->payload));
    } else if (message) {
      if (!decoder.in_transaction()) decoder.Advance(message->lsn);
    } else {
      if (const auto now = steady_clock::now(); now - last_asked >= kAskPace) {
        stream->AskForKeepalive();
        last_asked = now;
      }
      MR_TRY(stream->Wait(kPoll));
    }
  }
  MR_TRY(writer.Flush());
  reread_.clear();  // all that were marked so are read now
  start_ = decoder.position();
  return {};
}

}  // namespace millrace::postgres
