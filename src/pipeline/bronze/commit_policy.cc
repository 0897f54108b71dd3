#include "pipeline/bronze/commit_policy.h"

#include <algorithm>

namespace millrace::bronze {
namespace {

constexpr int kSnapshotPace = 4;  // commit intervals between two commits of a snapshot that runs

}  // namespace

std::optional<Duration> TimeToCommit(const Uncommitted& state, const Options& options) {
  if (!state.at_boundary) return std::nullopt;
  if (state.ends_snapshot) return Duration::zero();
  if (state.records > 0) {
    if (state.bytes >= options.commit_bytes) return Duration::zero();
    // Nobody waits for a part of it; its commits are what a killed process need not read again.
    if (state.in_snapshot)
      return std::max<Duration>(Duration::zero(),
                                kSnapshotPace * options.commit_interval - state.age);
    const Duration when_idle =
        std::max<Duration>(options.idle - state.silence, options.min_gap - state.since_commit);
    return std::max(Duration::zero(),
                    std::min<Duration>(options.commit_interval - state.age, when_idle));
  }
  if (!state.moved) return std::nullopt;
  return std::max<Duration>(Duration::zero(), options.idle_progress - state.since_commit);
}

}  // namespace millrace::bronze
