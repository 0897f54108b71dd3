#pragma once

#include "base/time.h"

namespace millrace {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Micros Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Micros Now() const override { return WallClockNow(); }
};

}  // namespace millrace
