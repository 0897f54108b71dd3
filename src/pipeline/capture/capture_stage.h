#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "pipeline/capture/retry.h"
#include "port/durable_sink.h"
#include "port/source.h"
#include "port/stage.h"

namespace millrace::capture {

// Makes the source of one attempt. It will be prepared with the same resume point.
using SourceFactory = std::function<Result<std::unique_ptr<Source>>(const ResumePoint& resume)>;

enum class Phase { kStopped, kPreparing, kSnapshot, kStreaming, kWaiting };
std::string_view PhaseName(Phase phase);  // "stopped", "preparing", ...

// What the stage is doing, for status pages and metrics.
struct CaptureStatus {
  Phase phase = Phase::kStopped;
  int64_t attempts = 0;
  std::optional<SourcePosition> durable;  // confirmed to the source
  SnapshotProgress snapshot;              // of the last one that ran
  std::optional<Error>
      last_error;  // of the last attempt that failed; cleared by the next confirmation
};

// Carries a source's changes into a durable sink. Every attempt opens both anew and goes on from
// what the sink holds as durable, and from nothing else.
class CaptureStage final : public Stage {
 public:
  CaptureStage(SinkFactory open_sink, SourceFactory make_source)
      : open_sink_(std::move(open_sink)), make_source_(std::move(make_source)) {}

  std::string_view name() const override { return "capture"; }

  // One attempt: snapshot if needed, then everything that the source had committed when streaming
  // began; its position is durable on return even when there was nothing. Details: {"durable_lsn":
  // "0/16B3780" or null, "snapshot": bool}. Errors are the supervisor's to retry.
  Result<StageReport> RunOnce(std::stop_token stop) override;

  // Attempts without end, with backoff in between. OK when stop was asked for, after a last commit
  // of what is complete; an error only when trying again cannot help (kFenced, kPermission,
  // kInvalidInput ...).
  Status Run(std::stop_token stop);

  CaptureStatus status() const;

 private:
  // What an attempt tells about itself beside its outcome.
  struct Attempt {
    bool snapshot = false;
    bool advanced = false;  // something became durable
  };
  Status RunAttempt(bool once, std::stop_token stop, Attempt& attempt);
  Status Drive(Source& source, DurableSink& sink, bool once, std::stop_token stop,
               Attempt& attempt);
  void SetPhase(Phase phase);

  const SinkFactory open_sink_;
  const SourceFactory make_source_;
  mutable std::mutex mutex_;  // of status_
  CaptureStatus status_;
};

}  // namespace millrace::capture
