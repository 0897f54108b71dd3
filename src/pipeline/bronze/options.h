#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/time.h"
#include "codec/compression.h"

namespace millrace::bronze {

struct Options {
  std::string source;  // topic prefix; the log refuses another
  std::string slot;    // replication slot; the log refuses another
  Compression compression = Compression::kZstd;
  int level = 1;  // the codec's own scale

  // A commit happens at a transaction's end when the first uncommitted record is this old, or so
  // many bytes of lines wait, or the input has been silent for `idle` and the last commit is at
  // least `min_gap` ago.
  std::chrono::milliseconds commit_interval{500};
  int64_t commit_bytes = int64_t{256} << 20;
  std::chrono::milliseconds idle{15};
  std::chrono::milliseconds min_gap{100};
  // Progress without records is committed this often.
  std::chrono::milliseconds idle_progress{10'000};

  int64_t file_bytes = int64_t{64} << 20;     // of lines, before compression: where a file rolls
  size_t queue_bytes = size_t{64} << 20;      // of batches that wait
  int64_t pending_bytes = int64_t{48} << 20;  // of lines that wait for compression, over all files
  int max_streamed_files = 24;                // files that hold a compressor at a time

  int64_t roll_up_every = 1000;  // commits
  // Leftovers of older writers are removed at open when they are older than this. 0 is safe: the
  // claim has fenced whoever wrote them.
  Micros orphan_grace = 0;
};

}  // namespace millrace::bronze
