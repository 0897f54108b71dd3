#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "pipeline/bronze/options.h"

namespace millrace::bronze {

using Duration = std::chrono::steady_clock::duration;

// What has been taken and not been committed, seen at one moment.
struct Uncommitted {
  bool at_boundary = false;    // the last batch ended a source transaction
  bool ends_snapshot = false;  // and the initial snapshot
  bool in_snapshot = false;    // which goes on, or has just ended
  bool moved = false;          // the boundary is beyond the last commit
  int64_t records = 0;
  int64_t bytes = 0;        // of lines
  Duration age{};           // of the first uncommitted record
  Duration silence{};       // since the last batch
  Duration since_commit{};  // since the last commit was done
};

// How long to wait for more input before committing: 0 commits now, nullopt only after more input.
// Pure.
std::optional<Duration> TimeToCommit(const Uncommitted& state, const Options& options);

}  // namespace millrace::bronze
