#include "app/stage_loop.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/format.h"
#include "base/log.h"

namespace millrace::app {
namespace {

constexpr Micros kTellEvery = 30 * kMicrosPerSecond;

Micros MonotonicNow() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Micros RetryDelay(int failures) {
  constexpr Micros kLongest = 60 * kMicrosPerSecond;
  return failures > 6 ? kLongest : std::min(kLongest, kMicrosPerSecond << (failures - 1));
}

bool SleepFor(Micros time, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, std::chrono::microseconds(time), [] { return false; });
  return !stop.stop_requested();
}

Status RunStageLoop(std::string_view name, Micros interval, OnFailure on_failure,
                    const StagePass& pass, std::stop_token stop) {
  int failures = 0;
  while (!stop.stop_requested()) {
    const Micros started = MonotonicNow();
    const Result<bool> done = pass(stop);
    if (done.ok()) {
      if (failures > 0) log::Info(name, "works again after {} failures", failures);
      failures = 0;
      SleepFor(std::max<Micros>(0, started + interval - MonotonicNow()), stop);
      continue;
    }
    if (stop.stop_requested() || done.error().kind() == ErrorKind::kCancelled) break;
    if (on_failure == OnFailure::kStopWhenFinal && !PolicyOf(done.error().kind()).retry)
      return done.error();
    const Micros delay = RetryDelay(++failures);
    log::Warn(name, "{}; trying again in {} s", done.error().ToString(), delay / kMicrosPerSecond);
    SleepFor(delay, stop);
  }
  return {};
}

StagePass PassesOf(Stage& stage) {
  return [&stage, told_at = std::optional<Micros>()](std::stop_token stop) mutable -> Result<bool> {
    MR_ASSIGN(const StageReport report, stage.RunOnce(stop));
    if (!report.did_work) return false;
    const Micros now = MonotonicNow();
    const std::string what = json::Write(report.details);
    if (told_at && now - *told_at < kTellEvery) {
      log::Debug(stage.name(), "{}", what);
    } else {
      log::Info(stage.name(), "{}", what);
      told_at = now;
    }
    return true;
  };
}

}  // namespace millrace::app
