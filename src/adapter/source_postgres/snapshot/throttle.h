#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <stop_token>

#include "adapter/source_postgres/server/options.h"
#include "base/result.h"

namespace millrace::postgres {

// Holds a snapshot's workers back to what the source is to bear: so many rows and bytes of events a
// second over all of them, and only in its hours. Thread-safe.
class Throttle {
 public:
  explicit Throttle(const SnapshotLimits& limits) : limits_(limits) {}

  // Waits for the hours. kCancelled when stop was asked for.
  Status AwaitHours(std::stop_token stop);
  // Accounts for what was just read, and waits until that much may have been.
  Status Spend(int64_t rows, int64_t bytes, std::stop_token stop);

 private:
  using Steady = std::chrono::steady_clock;
  const SnapshotLimits limits_;
  std::mutex mutex_;
  Steady::time_point paid_until_ = Steady::now();  // guarded by mutex_
  bool told_ = false;                              // guarded by mutex_
};

}  // namespace millrace::postgres
