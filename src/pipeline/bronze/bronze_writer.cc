#include "pipeline/bronze/bronze_writer.h"

#include <sys/prctl.h>

#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace millrace::bronze {
namespace {

constexpr size_t kWorkBytes = size_t{32}
                              << 20;  // of compressed bytes that wait for the committing thread
constexpr std::chrono::milliseconds kPoll{
    2};  // while a commit that is due waits for the one before it
constexpr std::chrono::hours kForever{1};

ResumePoint ResumeOf(const commitlog::State& state) {
  return {state.position, state.snapshot == SnapshotState::kRunning, state.snapshot_ranges};
}

}  // namespace

Result<std::unique_ptr<BronzeWriter>> BronzeWriter::Open(ObjectStore& store, const Clock& clock,
                                                         const Options& options,
                                                         SinkEvents events) {
  MR_ASSIGN(const auto usable, NewCompressor(options.compression, options.level));
  MR_ASSIGN(commitlog::Writer log,
            commitlog::Writer::Open(store, clock, options.source, options.slot));
  MR_ASSIGN(const int64_t orphans, commitlog::RemoveOrphans(store, clock, options.orphan_grace));
  log::Info("bronze", "opened at commit {}, epoch {}, {} leftovers removed", log.state().number,
            log.epoch(), orphans);
  return std::unique_ptr<BronzeWriter>(
      new BronzeWriter(store, options, std::move(log), std::move(events)));
}

BronzeWriter::BronzeWriter(ObjectStore& store, const Options& options, commitlog::Writer log,
                           SinkEvents events)
    : options_(options),
      events_(std::move(events)),
      resume_(ResumeOf(log.state())),
      builder_(store, options, log.epoch(), log.state().next_offsets,
               [this](ClosedFile file) {
                 Work work;
                 work.files.push_back(std::move(file));
                 return Pass(std::move(work));
               }),
      snapshot_(log.state().snapshot == SnapshotState::kRunning),
      boundary_(log.state().position),
      snapshot_state_(log.state().snapshot),
      committer_(store, std::move(log), events_.durable),
      input_(options.queue_bytes),
      work_(kWorkBytes),
      last_commit_at_(Steady::now()) {
  progress_.newest_commit = committer_.state().number;
  progress_.position = committer_.state().position;
  builder_thread_ = std::jthread([this] { Build(); });
  committer_thread_ = std::jthread([this] { Commit(); });
}

BronzeWriter::~BronzeWriter() {
  stop_.request_stop();
  input_.Close();
  work_.Close();
}

// ---- the callers' side

Status BronzeWriter::Write(RecordBatch batch) {
  const size_t weight = batch.bytes.size() + batch.records.size() * sizeof(Record);
  if (input_.Push({Input::Kind::kBatch, std::move(batch), 0}, weight, stop_.get_token())) return {};
  return Failure();
}

Status BronzeWriter::BeginSnapshot() { return Ask(Input::Kind::kBeginSnapshot); }
Status BronzeWriter::Flush() { return Ask(Input::Kind::kFlush); }

Status BronzeWriter::Finish() {
  const Status flushed = Flush();
  stop_.request_stop();
  input_.Close();
  return flushed;
}

Status BronzeWriter::Ask(Input::Kind kind) {
  int64_t ticket = 0;
  {
    std::lock_guard lock(mutex_);
    ticket = ++last_ticket_;
  }
  if (!input_.Push({kind, {}, ticket}, 0, stop_.get_token())) return Failure();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_reported_ || done_ticket_ >= ticket; });
  if (done_ticket_ >= ticket) return {};
  return *failure_;
}

Progress BronzeWriter::progress() const {
  std::lock_guard lock(mutex_);
  return progress_;
}

Error BronzeWriter::Failure() const {
  std::lock_guard lock(mutex_);
  if (failure_) return *failure_;
  return Error(ErrorKind::kCancelled, "the Bronze writer was closed");
}

void BronzeWriter::Fail(const Error& error) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = error;
  }
  // Whoever waits in Write or for work goes on and sees the failure.
  stop_.request_stop();
  input_.Close();
  work_.Close();
  if (error.kind() != ErrorKind::kCancelled && events_.failed) events_.failed(error);
  std::lock_guard lock(mutex_);
  failure_reported_ = true;
  changed_.notify_all();
}

// ---- the building thread

void BronzeWriter::Build() {
  prctl(PR_SET_NAME, "bronze-build");
  const std::stop_token stop = stop_.get_token();
  last_input_at_ = Steady::now();
  while (!stop.stop_requested()) {
    const std::optional<Duration> wait = Wait();
    Status done;
    if (wait == Duration::zero()) {
      done = HandOver(0);
    } else if (auto input = input_.Pop(wait.value_or(kForever), stop)) {
      done = Take(std::move(*input));
    }
    if (!done.ok()) return Fail(done.error());
  }
}

Uncommitted BronzeWriter::Look() const {
  const Steady::time_point now = Steady::now();
  Uncommitted seen;
  seen.at_boundary = at_boundary_;
  seen.ends_snapshot = ends_snapshot_;
  seen.in_snapshot = snapshot_;
  seen.moved = moved_;
  seen.records = builder_.records();
  seen.bytes = builder_.bytes();
  seen.age = now - first_record_at_;
  seen.silence = now - last_input_at_;
  seen.since_commit = now - last_commit_at_.load();
  return seen;
}

std::optional<Duration> BronzeWriter::Wait() const {
  const std::optional<Duration> wait = TimeToCommit(Look(), options_);
  // One commit at a time: what comes meanwhile goes into the next.
  if (wait && *wait < kPoll && commits_on_their_way_ > 0) return kPoll;
  return wait;
}

Status BronzeWriter::Take(Input input) {
  switch (input.kind) {
    case Input::Kind::kBatch:
      return TakeBatch(std::move(input.batch));
    case Input::Kind::kFlush: {
      if (at_boundary_ && (builder_.records() > 0 || moved_)) return HandOver(input.ticket);
      Work nothing;
      nothing.ticket = input.ticket;
      return Pass(std::move(nothing));
    }
    case Input::Kind::kBeginSnapshot: {
      if (builder_.records() > 0)
        return Error(ErrorKind::kInternal, "a snapshot begins behind uncommitted records");
      snapshot_ = true;
      snapshot_state_ = SnapshotState::kRunning;
      builder_.set_snapshot(true);
      Work work;
      work.commit = CommitMark{boundary_, snapshot_state_, {}};
      work.ticket = input.ticket;
      return Pass(std::move(work));
    }
  }
  return {};
}

Status BronzeWriter::TakeBatch(RecordBatch batch) {
  // A transaction of many batches begins: what is complete should not wait for its end.
  if (!batch.ends_at && !snapshot_ && at_boundary_ && builder_.records() > 0 &&
      commits_on_their_way_ == 0 && Look().since_commit >= options_.min_gap) {
    MR_TRY(HandOver(0));
  }
  last_input_at_ = Steady::now();
  if (builder_.records() == 0) first_record_at_ = last_input_at_;
  if (!batch.records.empty()) {
    MR_TRY(builder_.Add(batch));
    // A snapshot's workers write side by side: the start of one part may go with the end of
    // another.
    at_boundary_ = !ranges_.empty();
  }
  if (batch.records.empty()) {
    named_.insert(named_.end(), batch.streams.begin(), batch.streams.end());
  }
  ranges_.insert(ranges_.end(), batch.snapshot_ranges.begin(), batch.snapshot_ranges.end());
  if (batch.ends_at) {
    moved_ = moved_ || !boundary_ || batch.ends_at->resume_lsn != boundary_->resume_lsn ||
             builder_.records() > 0;
    boundary_ = batch.ends_at;
    at_boundary_ = true;
    ends_snapshot_ = ends_snapshot_ || batch.ends_snapshot;
  }
  return {};
}

Status BronzeWriter::HandOver(int64_t ticket) {
  Work work;
  work.records = builder_.records();
  work.bytes = builder_.bytes();
  MR_ASSIGN(work.files, builder_.Close());
  if (snapshot_ && ends_snapshot_) {
    snapshot_ = false;
    snapshot_state_ = SnapshotState::kDone;
    builder_.set_snapshot(false);
  }
  ends_snapshot_ = moved_ = false;
  work.tables = std::exchange(named_, {});
  work.commit = CommitMark{boundary_, snapshot_state_, std::exchange(ranges_, {})};
  if (snapshot_state_ != SnapshotState::kRunning) work.commit->snapshot_ranges.clear();
  work.ticket = ticket;
  return Pass(std::move(work));
}

Status BronzeWriter::Pass(Work work) {
  size_t weight = 0;
  for (const ClosedFile& file : work.files) weight += file.bytes.size();
  if (work.commit) ++commits_on_their_way_;
  if (work_.Push(std::move(work), weight, stop_.get_token())) return {};
  return Failure();
}

// ---- the committing thread

void BronzeWriter::Commit() {
  prctl(PR_SET_NAME, "bronze-commit");
  const std::stop_token stop = stop_.get_token();
  while (!stop.stop_requested()) {
    auto work = work_.Pop(kForever, stop);
    if (!work || stop.stop_requested()) continue;
    if (const Status done = Do(std::move(*work)); !done.ok()) return Fail(done.error());
  }
}

Status BronzeWriter::Do(Work work) {
  MR_TRY(committer_.Store(std::move(work.files)));
  for (const StreamPtr& table : work.tables) MR_TRY(committer_.StoreSchema(*table));
  if (work.commit) {
    MR_TRY(committer_.Commit(*work.commit));
    last_commit_at_ = Steady::now();
    --commits_on_their_way_;
  }
  {
    std::lock_guard lock(mutex_);
    if (work.commit) {
      ++progress_.commits;
      progress_.records += work.records;
      progress_.bytes += work.bytes;
      progress_.newest_commit = committer_.state().number;
      progress_.position = committer_.state().position;
    }
    if (work.ticket != 0) {
      done_ticket_ = work.ticket;
      changed_.notify_all();
    }
  }
  return work.commit ? committer_.MaybeRollUp(options_.roll_up_every) : Status();
}

}  // namespace millrace::bronze
