// PostgresSource::Stream: from the replication stream to the sink.
#include <algorithm>
#include <chrono>

#include "adapter/source_postgres/postgres_source.h"
#include "adapter/source_postgres/publication.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPoll = 100ms;        // how late a stop may be noticed
constexpr auto kLinger = 5ms;        // how long a finished transaction waits for company when nothing more has arrived
constexpr auto kIdlePace = 1s;       // between two empty batches
constexpr auto kUntilPace = 200ms;   // between two questions to the server how far it is, when running up to an LSN

// Decides when what was read goes to the sink, and when a run up to an LSN is done.
class Reader {
 public:
  Reader(ReplicationStream& stream, ChangeDecoder& decoder, BatchWriter& writer, std::optional<Lsn> until)
      : stream_(stream), decoder_(decoder), writer_(writer), until_(until), emitted_(decoder.position().resume_lsn) {}

  Status Run(std::stop_token stop) {
    while (!stop.stop_requested()) {
      MR_ASSIGN(const auto message, stream_.Next());
      if (message) {
        MR_TRY(Handle(*message));
      } else {
        MR_TRY(NothingArrived());
      }
      if (Reached()) return Finish();
    }
    return {};
  }

 private:
  Status Handle(const ReplicationStream::Message& message) {
    if (message.kind == ReplicationStream::Message::Kind::kData) return decoder_.Handle(message.lsn, message.payload);
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
    if (until_ && now - last_asked_ >= kUntilPace) {
      stream_.AskForKeepalive();
      last_asked_ = now;
    }
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
    if (!until_) return false;
    if (decoder_.in_transaction()) return decoder_.transaction_lsn() >= *until_;
    return decoder_.position().resume_lsn >= *until_;
  }

  // What is in hand ends at a commit, or (within a transaction beyond the goal) is nothing of that transaction yet.
  Status Finish() { return HandOver(); }

  ReplicationStream& stream_;
  ChangeDecoder& decoder_;
  BatchWriter& writer_;
  const std::optional<Lsn> until_;
  Lsn emitted_;  // the resume position of the last batch that ended at one
  steady_clock::time_point last_handed_ = steady_clock::now() - kIdlePace;
  steady_clock::time_point last_asked_ = steady_clock::now();
  std::optional<steady_clock::time_point> waiting_since_;
};

}  // namespace

Status PostgresSource::Stream(RecordSink& sink, std::optional<Lsn> until_lsn, std::stop_token stop) {
  if (!start_) return Fail(ErrorKind::kInternal, "streaming without a position: Prepare (and Snapshot, where needed) comes first, each time");
  if (replication_ == nullptr) {
    MR_ASSIGN(replication_, Connection::Open(options_, Connection::Mode::kReplication));
  }
  MR_ASSIGN(const std::string publications, PublicationNames(*catalog_, options_.publication));
  const std::string database = catalog_->database();
  CloseStream();
  MR_ASSIGN(auto opened, ReplicationStream::Start(std::move(replication_), options_.slot, publications, start_->resume_lsn,
                                                  options_.status_interval));
  log::Info("capture", "streaming from slot {} at {}", options_.slot, FormatLsn(start_->resume_lsn));
  ReplicationStream& stream = *opened;
  {
    const std::lock_guard lock(stream_mutex_);
    stream_ = std::move(opened);
    if (confirmed_ != 0) stream_->Confirm(confirmed_);
  }
  BatchWriter writer(sink, options_.batch_bytes);
  ChangeDecoder decoder(EventEncoder(options_.name, database), [this](const RelationMessage& relation) { return Resolve(relation); }, writer,
                        *start_);
  start_.reset();  // what was handed over from here on may be durable or not: only Prepare can tell where to begin the next time
  Status status = Reader(stream, decoder, writer, until_lsn).Run(stop);
  if (!status.ok()) CloseStream();
  return status;
}

void PostgresSource::CloseStream() {
  std::unique_ptr<ReplicationStream> stream;
  const std::lock_guard lock(stream_mutex_);
  stream = std::move(stream_);
}

}  // namespace millrace::postgres
