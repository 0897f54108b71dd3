#include "app/snapshot_display.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "app/stage_loop.h"
#include "app/text_table.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::app {
namespace {

constexpr Micros kTerminalInterval = 200'000;
constexpr int kPassesBetweenLines = 25;  // five seconds where there is no terminal

}  // namespace

std::string DescribeSnapshot(const SnapshotProgress& progress, double rows_per_second) {
  std::string text = Format("snapshot: {} {}", progress.table, GroupDigits(progress.rows));
  if (progress.estimated_rows > 0)
    text += Format(" of about {}", GroupDigits(progress.estimated_rows));
  text += " rows";
  if (rows_per_second >= 1) {
    text += Format(", {} rows/s", GroupDigits(static_cast<int64_t>(rows_per_second)));
    if (progress.estimated_rows > progress.rows) {
      const double left =
          static_cast<double>(progress.estimated_rows - progress.rows) / rows_per_second;
      text += Format(", {} left", HumanAge(static_cast<Micros>(left * kMicrosPerSecond)));
    }
  }
  return text + Format("; tables done: {} of {}", progress.tables_done, progress.tables_total);
}

SnapshotDisplay::SnapshotDisplay(const capture::CaptureStage& stage)
    : stage_(stage),
      terminal_(isatty(STDERR_FILENO) == 1),
      thread_([this](std::stop_token stop) { Watch(stop); }) {}

SnapshotDisplay::~SnapshotDisplay() {
  thread_.request_stop();
  thread_.join();
}

void SnapshotDisplay::Watch(std::stop_token stop) {
  using Clock = std::chrono::steady_clock;
  int64_t total = 0;  // rows of all tables
  double rate = 0;    // as of the last time that rows came
  bool running = false;
  Clock::time_point started;
  size_t shown = 0;  // characters on the terminal's line
  const auto clear = [&] {
    if (shown == 0) return;
    fmt::print(stderr, "{:{}}\r", "", shown);
    std::fflush(stderr);
    shown = 0;
  };
  for (int pass = 0; SleepFor(kTerminalInterval, stop); ++pass) {
    const capture::CaptureStatus status = stage_.status();
    const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
    if (status.phase != capture::Phase::kSnapshot) {
      clear();
      if (running) {
        log::Info("capture", "the snapshot ended after {:.1f} s: {} rows of {} tables", seconds,
                  GroupDigits(status.snapshot.total_rows), status.snapshot.tables_total);
      }
      running = false;
      continue;
    }
    if (!running) {
      running = true;
      started = Clock::now();
      total = 0;
      rate = 0;
      continue;
    }
    if (status.snapshot.table.empty()) continue;
    if (status.snapshot.total_rows != total) {
      total = status.snapshot.total_rows;
      rate = static_cast<double>(total) / seconds;
    }
    const std::string line = DescribeSnapshot(status.snapshot, rate);
    if (terminal_) {
      clear();
      // The cursor goes back to the start, so that a log line takes the place of this one.
      fmt::print(stderr, "{}\r", line);
      std::fflush(stderr);
      shown = TextWidth(line);
    } else if (pass % kPassesBetweenLines == 0) {
      log::Info("capture", "{}", line);
    }
  }
  clear();
}

}  // namespace millrace::app
