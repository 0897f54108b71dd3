#pragma once

#include <chrono>
#include <cstdint>

#include "base/error.h"

namespace millrace::capture {

// Whether a new attempt, from what is durable, may succeed where the last one failed with this
// kind.
bool WorthRetrying(ErrorKind kind);

// Delays between attempts: 1 s, doubling to 30 s, each shortened by up to a quarter at random, so
// that many connectors do not come back at the same moment. Starts anew after an attempt that got
// somewhere.
class Backoff {
 public:
  // `random`: any 64 random bits.
  std::chrono::milliseconds Next(uint64_t random);
  void Reset() { failures_ = 0; }

 private:
  int failures_ = 0;
};

}  // namespace millrace::capture
