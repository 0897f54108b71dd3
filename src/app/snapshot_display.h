#pragma once

#include <stop_token>
#include <string>
#include <thread>

#include "pipeline/capture/capture_stage.h"

namespace millrace::app {

// "snapshot: public.orders 1,200,000 of about 2,000,000 rows, 250,000 rows/s, 3.2 s left; tables
// done: 1 of 5". A rate of 0 is not known.
std::string DescribeSnapshot(const SnapshotProgress& progress, double rows_per_second);

// While it lives, tells how far an initial snapshot is: one line that is written over on a
// terminal, a log line every five seconds elsewhere. Silent outside of snapshots.
class SnapshotDisplay {
 public:
  explicit SnapshotDisplay(const capture::CaptureStage& stage);
  ~SnapshotDisplay();
  SnapshotDisplay(const SnapshotDisplay&) = delete;

 private:
  void Watch(std::stop_token stop);

  const capture::CaptureStage& stage_;
  const bool terminal_;
  std::jthread thread_;
};

}  // namespace millrace::app
