#include "pipeline/silver/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace millrace::silver {

Status ParallelFor(size_t n, int threads, const std::function<Status(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  size_t failed_at = n;
  std::optional<Error> error;
  const auto run = [&] {
    for (size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) {
      const Status done = work(i);
      if (done.ok()) continue;
      std::lock_guard lock(mutex);
      if (i < failed_at) {
        failed_at = i;
        error = done.error();
      }
      next.store(n);
    }
  };
  std::vector<std::jthread> others;
  const size_t wanted = std::min(n, static_cast<size_t>(std::max(threads, 1)));
  for (size_t i = 1; i < wanted; ++i) others.emplace_back(run);
  run();
  others.clear();  // joins
  if (error) return *error;
  return {};
}

}  // namespace millrace::silver
