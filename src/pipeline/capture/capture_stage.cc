#include "pipeline/capture/capture_stage.h"

#include <atomic>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "base/uuid.h"

namespace millrace::capture {
namespace {

// False when stop was asked for meanwhile.
bool Sleep(std::chrono::milliseconds time, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

bool IsCancelled(const Status& status) {
  return !status.ok() && status.error().kind() == ErrorKind::kCancelled;
}

}  // namespace

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kStopped:
      return "stopped";
    case Phase::kPreparing:
      return "preparing";
    case Phase::kSnapshot:
      return "snapshot";
    case Phase::kStreaming:
      return "streaming";
    case Phase::kWaiting:
      return "waiting";
  }
  return "stopped";
}

CaptureStatus CaptureStage::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void CaptureStage::SetPhase(Phase phase) {
  std::lock_guard lock(mutex_);
  status_.phase = phase;
}

Result<StageReport> CaptureStage::RunOnce(std::stop_token stop) {
  Attempt attempt;
  const Status done = RunAttempt(true, stop, attempt);
  SetPhase(Phase::kStopped);
  MR_TRY(done);
  const CaptureStatus now = status();
  StageReport report;
  report.did_work = attempt.advanced;
  report.details.Set("durable_lsn",
                     now.durable ? json::Value(FormatLsn(now.durable->resume_lsn)) : json::Value());
  report.details.Set("snapshot", attempt.snapshot);
  return report;
}

Status CaptureStage::Run(std::stop_token stop) {
  Backoff backoff;
  while (true) {
    Attempt attempt;
    const Status done = RunAttempt(false, stop, attempt);
    if (done.ok() || stop.stop_requested() || !WorthRetrying(done.error().kind())) {
      SetPhase(Phase::kStopped);
      return IsCancelled(done) ? Status() : done;
    }
    if (attempt.advanced) backoff.Reset();
    const std::chrono::milliseconds delay = backoff.Next(RandomBits());
    log::Warn("capture", "{}; next attempt in {} ms, from what is durable", done.error().ToString(),
              delay.count());
    SetPhase(Phase::kWaiting);
    if (!Sleep(delay, stop)) {
      SetPhase(Phase::kStopped);
      return {};
    }
  }
}

Status CaptureStage::RunAttempt(bool once, std::stop_token stop, Attempt& attempt) {
  {
    std::lock_guard lock(mutex_);
    ++status_.attempts;
    status_.phase = Phase::kPreparing;
  }
  // The attempt ends when we are asked to stop, or when the sink gives up while the source is
  // silent.
  std::stop_source attempt_stop;
  const std::stop_callback forward(stop, [&] { attempt_stop.request_stop(); });
  std::atomic<Source*> confirmed = nullptr;
  std::atomic<bool> advanced = false;
  std::mutex failure_mutex;
  std::optional<Error> failure;

  SinkEvents events;
  events.durable = [&](const SourcePosition& position) {
    if (Source* source = confirmed) source->Confirm(position);
    advanced = true;
    std::lock_guard lock(mutex_);
    status_.durable = position;
    status_.last_error.reset();
  };
  events.failed = [&](const Error& error) {
    {
      std::lock_guard lock(failure_mutex);
      failure = error;
    }
    attempt_stop.request_stop();
  };

  Status done;
  {
    std::unique_ptr<Source> source;  // outlives the sink, whose threads confirm to it
    auto sink = open_sink_(std::move(events));
    if (!sink.ok()) {
      done = sink.error();
    } else if (auto made = make_source_((*sink)->resume()); !made.ok()) {
      done = made.error();
    } else {
      source = std::move(made).value();
      confirmed = source.get();
      done = Drive(*source, **sink, once, attempt_stop.get_token(), attempt);
    }
  }
  attempt.advanced = advanced;
  // The sink's own error says more than what the source made of it.
  if (failure) done = *failure;
  if (!done.ok() && !IsCancelled(done)) {
    std::lock_guard lock(mutex_);
    status_.last_error = done.error();
  }
  return done;
}

Status CaptureStage::Drive(Source& source, DurableSink& sink, bool once, std::stop_token stop,
                           Attempt& attempt) {
  const ResumePoint resume = sink.resume();
  MR_TRY(source.Prepare(resume, [&] { return sink.BeginSnapshot(); }));
  // The confirmation of the newest commit may have been lost with the process that made it.
  if (resume.position) {
    source.Confirm(*resume.position);
    std::lock_guard lock(mutex_);
    status_.durable = resume.position;
  }
  if (source.needs_snapshot()) {
    attempt.snapshot = true;
    SetPhase(Phase::kSnapshot);
    const auto progress = [this](const SnapshotProgress& now) {
      std::lock_guard lock(mutex_);
      status_.snapshot = now;
    };
    MR_TRY(source.Snapshot(sink, progress, stop));
    if (stop.stop_requested())
      return Error(ErrorKind::kCancelled,
                   "stopped during the initial snapshot, which goes on at the next start");
    MR_TRY(sink.Flush());
    log::Info("capture", "the initial snapshot is committed");
  }
  std::optional<Lsn> until;
  if (once) {
    MR_ASSIGN(until, source.CurrentLsn());
  }
  SetPhase(Phase::kStreaming);
  if (const Status streamed = source.Stream(sink, until, stop);
      !streamed.ok() && !IsCancelled(streamed))
    return streamed;
  return sink.Finish();
}

}  // namespace millrace::capture
