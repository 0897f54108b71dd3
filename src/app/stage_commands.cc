#include <cstdio>

#include "app/invocation.h"
#include "app/lake_lock.h"
#include "app/runtime.h"
#include "app/snapshot_display.h"
#include "app/stage_loop.h"
#include "app/stop_signals.h"
#include "base/format.h"
#include "base/log.h"

// `capture`, `silver` and `gold`: one stage in a process of its own.
namespace millrace::app {
namespace {

// Runs until nothing is left to do. Prints each pass that did something.
Status RunToEnd(Stage& stage, std::stop_token stop) {
  while (true) {
    MR_ASSIGN(const StageReport report, stage.RunOnce(stop));
    if (report.did_work) log::Info(stage.name(), "{}", json::Write(report.details));
    if (stop.stop_requested())
      return Fail(ErrorKind::kCancelled,
                  "stopped before everything was done; what is done is committed");
    if (!report.did_work) return {};
  }
}

}  // namespace

Status RunCapture(const Invocation& invocation) {
  StopSignals signals;
  MR_ASSIGN(Config config, invocation.Load());
  MR_ASSIGN(const LakeLock lock, LakeLock::Take(config.lake.path, {"bronze"}, "capture"));
  MR_ASSIGN(const std::unique_ptr<Runtime> runtime, MakeRuntime(std::move(config)));
  const SnapshotDisplay display(*runtime->capture);
  if (!invocation.once) return runtime->capture->Run(signals.token());
  MR_ASSIGN(const StageReport report, runtime->capture->RunOnce(signals.token()));
  log::Info("capture", "{}", json::Write(report.details));
  return {};
}

Status RunSilver(const Invocation& invocation) {
  StopSignals signals;
  MR_ASSIGN(Config config, invocation.Load());
  MR_ASSIGN(const LakeLock lock, LakeLock::Take(config.lake.path, {"silver"}, "silver"));
  MR_ASSIGN(const std::unique_ptr<Runtime> runtime, MakeRuntime(std::move(config)));
  if (!invocation.resume.empty()) MR_TRY(runtime->silver->Resume(invocation.resume));
  if (invocation.once) return RunToEnd(*runtime->silver, signals.token());
  return RunStageLoop("silver", runtime->config.silver.interval, OnFailure::kStopWhenFinal,
                      PassesOf(*runtime->silver), signals.token());
}

Status RunGold(const Invocation& invocation) {
  StopSignals signals;
  MR_ASSIGN(Config config, invocation.Load());
  if (config.gold.sql.empty()) {
    return Fail(ErrorKind::kInvalidInput,
                "gold.sql is not set in {}: name the directory with the SQL files of your Gold "
                "tables there",
                config.file.string());
  }
  MR_ASSIGN(const LakeLock lock, LakeLock::Take(config.lake.path, {"gold"}, "gold"));
  MR_ASSIGN(const std::unique_ptr<Runtime> runtime, MakeRuntime(std::move(config)));
  if (invocation.once) return RunToEnd(*runtime->gold, signals.token());
  return RunStageLoop("gold", runtime->config.gold.interval, OnFailure::kGoOn,
                      PassesOf(*runtime->gold), signals.token());
}

}  // namespace millrace::app
