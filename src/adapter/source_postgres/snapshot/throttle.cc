#include "adapter/source_postgres/snapshot/throttle.h"

#include <algorithm>
#include <condition_variable>

#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

// Unused time is not saved up for longer: or a pause would be followed by a burst.
constexpr std::chrono::milliseconds kSavedUp{200};

Status Sleep(std::chrono::steady_clock::time_point until, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, until, [] { return false; });
  return stop.stop_requested() ? Error(ErrorKind::kCancelled, "snapshot: asked to stop") : Status();
}

}  // namespace

Status Throttle::AwaitHours(std::stop_token stop) {
  while (const Micros wait = UntilOpen(limits_.hours, WallClockNow())) {
    {
      const std::lock_guard lock(mutex_);
      if (!std::exchange(told_, true)) {
        log::Info("capture",
                  "the snapshot waits {} minutes for its hours; meanwhile the source "
                  "keeps WAL and old row versions for it",
                  wait / (60 * kMicrosPerSecond) + 1);
      }
    }
    // The wall clock may be set: look at it every minute.
    const auto nap = std::min<Micros>(wait, 60 * kMicrosPerSecond);
    MR_TRY(Sleep(Steady::now() + std::chrono::microseconds(nap), stop));
  }
  const std::lock_guard lock(mutex_);
  told_ = false;
  return {};
}

Status Throttle::Spend(int64_t rows, int64_t bytes, std::stop_token stop) {
  double seconds = 0;
  if (limits_.rows_per_second > 0)
    seconds = static_cast<double>(rows) / static_cast<double>(limits_.rows_per_second);
  if (limits_.bytes_per_second > 0) {
    seconds = std::max(seconds,
                       static_cast<double>(bytes) / static_cast<double>(limits_.bytes_per_second));
  }
  if (seconds > 0) {
    Steady::time_point until;
    {
      const std::lock_guard lock(mutex_);
      paid_until_ =
          std::max(paid_until_, Steady::now() - kSavedUp) +
          std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
      until = paid_until_;
    }
    MR_TRY(Sleep(until, stop));
  }
  return AwaitHours(stop);
}

}  // namespace millrace::postgres
