#include "pipeline/capture/retry.h"

#include <algorithm>

namespace millrace::capture {

bool WorthRetrying(ErrorKind kind) { return PolicyOf(kind).retry; }

std::chrono::milliseconds Backoff::Next(uint64_t random) {
  constexpr int64_t kFirst = 1000;
  constexpr int64_t kLongest = 30'000;
  const int64_t full = std::min(kLongest, kFirst << std::min(failures_, 10));
  ++failures_;
  return std::chrono::milliseconds(
      full - static_cast<int64_t>(random % static_cast<uint64_t>(full / 4 + 1)));
}

}  // namespace millrace::capture
