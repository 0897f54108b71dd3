#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "port/engine.h"

namespace millrace {

struct DuckDbOptions {
  int64_t memory_limit_bytes =
      int64_t{512} << 20;  // DuckDB's buffers; what does not fit goes to the temporary directory
  int threads = 0;         // 0: one per core
  std::string
      temp_directory;  // inside the data directory; made when first needed. Empty: never spill
  std::string time_zone = "UTC";  // in which a timestamptz becomes a date
  // When not empty: SQL can read files below these directories only, and the temporary directory.
  std::vector<std::string> allowed_directories;
};

// An engine with a database of its own, in memory. Extensions are neither installed nor loaded on
// demand, and SQL cannot change its configuration. kInvalidInput names an option that DuckDB
// refuses.
Result<std::unique_ptr<Engine>> OpenDuckDbEngine(const DuckDbOptions& options);

}  // namespace millrace
