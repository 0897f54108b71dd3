#pragma once

#include <atomic>

#include "port/clock.h"

namespace millrace::testing {

// A clock that stands still until it is moved. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Micros now = 1'800'000'000 * kMicrosPerSecond) : now_(now) {}
  Micros Now() const override { return now_; }
  void Advance(Micros by) { now_ += by; }

 private:
  std::atomic<Micros> now_;
};

}  // namespace millrace::testing
