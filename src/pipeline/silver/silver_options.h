#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "pipeline/silver/table_merge.h"
#include "table/snapshot_producer.h"

namespace millrace::silver {

struct SilverOptions {
  std::string space = "silver";            // namespace of the tables
  std::string system_space = "_millrace";  // namespace of the table of cuts
  // How much one cut takes: whole commits up to this many stored bytes, at least one. Memory
  // follows it: events take about twenty times their stored size while they are merged.
  int64_t max_cut_bytes = 24 << 20;
  size_t max_cut_commits = 4096;
  int threads = 2;
  std::string spill_directory = "/tmp";  // where what is larger waits for its turn
  Micros idle_cut_after =
      3'600 * kMicrosPerSecond;  // commits without rows make a cut at most this often
  int max_attempts = 5;          // at a cut, when other writers interfere
  MergeOptions merge;
  table::Retention retention;
};

}  // namespace millrace::silver
