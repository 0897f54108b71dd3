// PostgresSource::Stream: from the replication stream to the sink.
#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "adapter/source_postgres/postgres_source.h"
#include "adapter/source_postgres/protocol/copy_text.h"
#include "adapter/source_postgres/snapshot/snapshot_session.h"
#include "adapter/source_postgres/stream/catch_up.h"
#include "adapter/source_postgres/stream/transaction_assembler.h"
#include "adapter/source_postgres/tables/publication.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// How late a stop may be noticed.
constexpr auto kPoll = 100ms;
// How long a finished transaction waits for company when nothing more has arrived.
constexpr auto kLinger = 5ms;
// Between two looks at the socket while a transaction comes in.
constexpr auto kNap = 300us;
// Between two empty batches.
constexpr auto kIdlePace = 1s;
// Between two questions to the server how far it is, when running up to an LSN.
constexpr auto kUntilPace = 200ms;
// WAL read from a backlog between two moves of the slot.
constexpr Lsn kSlotPace = 1 << 30;

// Decides when what was read goes to the sink, and when a run up to an LSN is done.
class Reader {
 public:
  // Reads the rows of new tables when their place in the stream is here.
  using TakeArrival = std::function<Status()>;

  Reader(ReplicationStream& stream, TransactionAssembler& assembler, ChangeDecoder& decoder,
         BatchWriter& writer, TableWatcher& watcher, TakeArrival take_arrival,
         std::optional<Lsn> until)
      : stream_(stream),
        assembler_(assembler),
        decoder_(decoder),
        writer_(writer),
        watcher_(watcher),
        take_arrival_(std::move(take_arrival)),
        until_(until),
        emitted_(decoder.position().resume_lsn) {}

  Status Run(std::stop_token stop) {
    while (!stop.stop_requested()) {
      MR_ASSIGN(const auto message, stream_.Next());
      if (message) {
        MR_TRY(Handle(*message, stop));
      } else {
        MR_TRY(NothingArrived());
      }
      MR_TRY(take_arrival_());
      // What is in hand ends at a commit, or (within a transaction beyond the goal) is nothing of
      // that transaction yet.
      if (Reached()) return HandOver();
    }
    return {};
  }

 private:
  Status Handle(const ReplicationStream::Message& message, std::stop_token stop) {
    if (message.kind == ReplicationStream::Message::Kind::kData)
      return assembler_.Handle(message.lsn, message.payload, stop);
    if (!decoder_.in_transaction()) decoder_.Advance(message.lsn);
    return {};
  }

  Status NothingArrived() {
    auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kPoll);
    const auto now = steady_clock::now();
    if (!decoder_.in_transaction()) {
      if (writer_.empty()) {
        waiting_since_.reset();
        MR_TRY(ReportIdle(now));
      } else if (!waiting_since_) {
        waiting_since_ = now;
        wait = kLinger;
      } else if (now - *waiting_since_ >= kLinger) {
        MR_TRY(HandOver());
      } else {
        wait = 1ms;
      }
    }
    if ((until_ || watcher_.ready() != nullptr) && now - last_asked_ >= kUntilPace) {
      stream_.AskForKeepalive();
      last_asked_ = now;
    }
    // The rest of a transaction is on its way: letting more of it come saves two system calls a row
    // and costs no throughput.
    if (decoder_.in_transaction() || assembler_.in_block()) std::this_thread::sleep_for(kNap);
    return stream_.Wait(wait);
  }

  // An idle source moves on, too, or its WAL would pile up behind the slot.
  Status ReportIdle(steady_clock::time_point now) {
    if (decoder_.position().resume_lsn <= emitted_ || now - last_handed_ < kIdlePace) return {};
    return HandOver();
  }

  Status HandOver() {
    MR_FAILPOINT("capture.before_hand_over");
    writer_.EndsAt(decoder_.position());
    emitted_ = decoder_.position().resume_lsn;
    last_handed_ = steady_clock::now();
    waiting_since_.reset();
    return writer_.Flush();
  }

  bool Reached() const {
    if (!until_ || watcher_.ready() != nullptr)
      return false;  // rows of new tables belong to the run that found them
    return decoder_.StandsAt(*until_);
  }

  ReplicationStream& stream_;
  TransactionAssembler& assembler_;
  ChangeDecoder& decoder_;
  BatchWriter& writer_;
  TableWatcher& watcher_;
  const TakeArrival take_arrival_;
  const std::optional<Lsn> until_;
  Lsn emitted_;  // the resume position of the last batch that ended at one
  steady_clock::time_point last_handed_ = steady_clock::now() - kIdlePace;
  steady_clock::time_point last_asked_ = steady_clock::now();
  std::optional<steady_clock::time_point> waiting_since_;
};

}  // namespace

Status PostgresSource::Stream(RecordSink& sink, std::optional<Lsn> until_lsn,
                              std::stop_token stop) {
  if (!start_)
    return Fail(ErrorKind::kInternal,
                "streaming without a position: Prepare (and Snapshot, where needed) comes first, "
                "each time");
  if (replication_ == nullptr) {
    MR_ASSIGN(replication_, Connection::Open(options_, Connection::Mode::kReplication));
  }
  MR_ASSIGN(const std::string publications, PublicationNames(*catalog_, options_.publication));
  const std::string database = catalog_->database();
  MR_ASSIGN(const PublicationState publication, ReadPublication(*catalog_, options_.publication));
  managed_ = publication.managed;
  CloseStream();
  TableWatcher* watcher;
  {
    const std::lock_guard lock(stream_mutex_);
    watcher_ = std::make_unique<TableWatcher>(options_);
    watcher = watcher_.get();
  }
  pending_rows_ = watcher;
  BatchWriter writer(sink, options_.batch_bytes);
  ChangeDecoder decoder(
      EventEncoder(options_.name, database),
      [this](const RelationMessage& relation, Lsn commit_lsn) {
        return Resolve(relation, commit_lsn);
      },
      writer, *start_);
  start_.reset();  // what was handed over from here on may be durable or not: only Prepare can tell
                   // where to begin the next time
  const auto read_arrival = [&] { return ReadArrival(*watcher, decoder, writer, stop); };
  const auto take_arrival = [&]() -> Status {
    const auto* arrival = watcher->ready();
    if (arrival == nullptr || !decoder.StandsAt(arrival->slot.consistent_point)) return {};
    return read_arrival();
  };
  using Gate = ChangeDecoder::Gate;
  decoder.set_pending_gate([&](CapturedTable& table) -> Result<Gate> {
    const uint32_t oid = table.stream->schema.relation_oid;
    MR_TRY(watcher->WaitReady(oid, stop));
    if (const auto* arrival = watcher->ready(); arrival != nullptr) {
      if (decoder.transaction_lsn() < arrival->slot.consistent_point)
        return table.goes_on ? Gate::kGoOn : Gate::kLeaveOut;
      MR_TRY(read_arrival());
    }
    table.pending = watcher->IsPending(oid);
    if (!table.pending) reread_.erase(oid);
    return Gate::kOver;
  });
  watcher->Start();
  if (until_lsn) {
    watcher->WaitFirstLook(stop);
    if (const auto* arrival = watcher->ready())
      until_lsn = std::max(*until_lsn, arrival->slot.consistent_point);
  }
  Status status = ReadBacklog(publications, take_arrival, decoder, writer, until_lsn, stop);
  if (status.ok() && until_lsn && decoder.position().resume_lsn >= *until_lsn &&
      watcher->ready() == nullptr)
    return status;
  if (status.ok() && !stop.stop_requested()) {
    const Lsn start = decoder.position().resume_lsn;
    MR_ASSIGN(auto assembler,
              TransactionAssembler::Open(options_.spill_folder,
                                         [&](Lsn lsn, std::string_view message) -> Status {
                                           MR_TRY(decoder.Handle(lsn, message));
                                           return take_arrival();
                                         }));
    MR_ASSIGN(auto stream, ReplicationStream::Start(std::move(replication_),
                                                    {.slot = options_.slot,
                                                     .publication_names = publications,
                                                     .start = start,
                                                     .in_progress = !options_.spill_folder.empty(),
                                                     .status_interval = options_.status_interval}));
    // A snapshot or a backlog took its time, and nobody held the slot.
    MR_TRY(CheckStreamStart(*catalog_, options_.slot, start));
    log::Info("capture", "streaming from slot {} at {}", options_.slot, FormatLsn(start));
    ReplicationStream& opened = *stream;
    {
      const std::lock_guard lock(stream_mutex_);
      stream_ = std::move(stream);
      slot_behind_ = false;
      if (confirmed_ != 0) stream_->Confirm(confirmed_);
    }
    status =
        Reader(opened, *assembler, decoder, writer, *watcher, take_arrival, until_lsn).Run(stop);
  }
  if (!status.ok()) CloseStream();
  const bool cancelled = !status.ok() && status.error().kind() == ErrorKind::kCancelled;
  return cancelled && stop.stop_requested() ? Status() : status;
}

Status PostgresSource::ReadBacklog(const std::string& publication_names,
                                   const std::function<Status()>& take_arrival,
                                   ChangeDecoder& decoder, BatchWriter& writer,
                                   std::optional<Lsn> until, std::stop_token stop) {
  const auto window = static_cast<Lsn>(options_.catch_up_bytes);
  if (window == 0) return {};
  MR_ASSIGN(const Lsn flushed, CurrentLsn());
  Lsn goal = std::min(until.value_or(flushed), flushed);
  const auto behind = [&] {
    return goal > decoder.position().resume_lsn ? goal - decoder.position().resume_lsn : 0;
  };
  const Lsn little = window / 4;  // the stream has it in less time than a window takes to begin
  if (behind() <= little) return {};
  log::Info("capture", "catching up with {} MB of WAL", behind() >> 20);
  auto backlog = CatchUp::Start(options_, publication_names, decoder.position().resume_lsn);
  if (!backlog.ok()) {
    log::Info("capture", "no catching up over SQL, streaming all of it: {}",
              backlog.error().message());
    return {};
  }
  Lsn advanced = decoder.position().resume_lsn;
  const auto message = [&](Lsn lsn, std::string_view bytes) -> Status {
    MR_TRY(decoder.Handle(lsn, bytes));
    return take_arrival();
  };
  const auto reached = [&](Lsn end) -> Status {
    decoder.Advance(end);
    MR_TRY(take_arrival());
    MR_FAILPOINT("capture.before_hand_over");
    writer.EndsAt(decoder.position());
    MR_TRY(writer.Flush());
    if (decoder.position().resume_lsn - advanced <= kSlotPace) return {};
    advanced = decoder.position().resume_lsn;
    AdvanceSlot();
    return {};
  };
  while (behind() > 0 && !stop.stop_requested()) {
    MR_TRY((*backlog)->ReadTo(decoder.position().resume_lsn, goal, window, message, reached, stop));
    if (until) break;
    MR_ASSIGN(goal, CurrentLsn());
    if (behind() <= little) break;
  }
  AdvanceSlot();  // or the server would decode it all once more before it streams
  return {};
}

// Puts the rows of new tables into the stream, here: docs/formats/events.md, "Snapshot".
Status PostgresSource::ReadArrival(TableWatcher& watcher, ChangeDecoder& decoder,
                                   BatchWriter& writer, std::stop_token stop) {
  const TableWatcher::Arrival& arrival = *watcher.ready();
  MR_ASSIGN(SnapshotSession session,
            OpenSnapshotSession(options_, arrival.tables, arrival.slot.snapshot));
  EventContext context;
  context.commit_lsn = decoder.SnapshotLsn(arrival.slot.consistent_point);
  context.commit_time = session.time;
  context.snapshot = true;
  context.read_time = WallClockNow();
  EventEncoder encoder(options_.name, session.connection->database());
  writer.Continues();
  EventPosition last{context.commit_lsn, -1};
  encoder.Begin(context);
  // One transaction with the rows, so that rows which are as they were stay untouched.
  if (arrival.again) {  // what a killed process handed over of these tables may be out of date
    for (CapturedTable& table : session.tables) {
      Event event{.op = 't'};
      event.lsn = arrival.slot.consistent_point;
      event.ordinal = ++last.ordinal;
      encoder.Append(table, writer.StreamIndex(table), event, writer.batch());
      writer.BeginsAnew();
    }
  }
  for (const SnapshotChunk& chunk :
       PlanChunks(session.relations, options_.snapshot_chunk_bytes, session.block_size)) {
    CapturedTable& table = session.tables[chunk.table];
    Tuple row(table.columns.size());
    const Status read = session.connection->CopyOut(
        ChunkSql(chunk, table.stream->schema), [&](char* data, size_t size) -> Status {
          MR_TRY(ParseCopyRow(data, size, row));
          const uint32_t index = writer.StreamIndex(table);
          Event event{.op = 'r', .key = &row, .after = &row};
          event.lsn = arrival.slot.consistent_point;
          event.ordinal = ++last.ordinal;
          encoder.Append(table, index, event, writer.batch());
          if (!writer.full()) return {};
          if (stop.stop_requested())
            return Error(ErrorKind::kCancelled, "rows of new tables: asked to stop");
          return writer.Flush();
        });
    if (!read.ok())
      return read.error().Wrap("rows of new table " + table.stream->schema.QualifiedName());
  }
  for (const CapturedTable& table : session.tables) Remember(table.stream->schema);
  last.ordinal = std::max<int64_t>(last.ordinal, 0);
  decoder.SnapshotPut(last);
  if (decoder.mid_transaction()) {
    last = {decoder.transaction_lsn(), 0};
  } else {
    writer.EndsAt(decoder.position());
  }
  watcher.Done(last);
  MR_FAILPOINT("capture.new_tables_read");
  return {};
}

void PostgresSource::CloseStream() {
  std::unique_ptr<TableWatcher> watcher;  // both take their time to end: not under the lock
  std::unique_ptr<ReplicationStream> stream;
  const std::lock_guard lock(stream_mutex_);
  watcher = std::move(watcher_);
  stream = std::move(stream_);
}

}  // namespace millrace::postgres
