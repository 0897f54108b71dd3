#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "app/invocation.h"
#include "app/lake_lock.h"
#include "app/runtime.h"
#include "app/snapshot_display.h"
#include "app/stage_loop.h"
#include "app/stop_signals.h"
#include "base/format.h"
#include "base/log.h"
#include "pipeline/gold/gold_sql.h"

namespace millrace::app {
namespace {

// Runs each stage in a thread of its own until stop is asked for. A stage that fails for good stops
// the others, which end their pass.
class Supervisor {
 public:
  explicit Supervisor(StopSignals& signals) : signals_(signals) {}

  template <typename Body>
  void Start(std::string_view name, Body body) {
    threads_.emplace_back([this, name, body = std::move(body)] {
      const Status status = body(signals_.token());
      if (status.ok()) return;
      log::Error(name, "{}", status.error().ToString());
      std::lock_guard lock(mutex_);
      if (!first_failure_) {
        first_failure_ = status.error().Wrap(name);
        log::Error("app", "{} cannot go on; stopping the other stages", name);
      }
      signals_.RequestStop();
    });
  }

  // Waits for all stages; the first failure.
  Status Join() {
    for (std::jthread& thread : threads_) thread.join();
    return first_failure_ ? Status(*first_failure_) : Status();
  }

 private:
  StopSignals& signals_;
  std::vector<std::jthread> threads_;
  std::mutex mutex_;  // of first_failure_
  std::optional<Error> first_failure_;
};

}  // namespace

Status RunUp(const Invocation& invocation) {
  StopSignals signals;
  MR_ASSIGN(Config loaded, invocation.Load());
  MR_ASSIGN(const LakeLock lock,
            LakeLock::Take(loaded.lake.path, {"bronze", "silver", "gold"}, "up"));
  MR_ASSIGN(const std::unique_ptr<Runtime> runtime, MakeRuntime(std::move(loaded)));
  const Config& config = runtime->config;
  log::Info("app", "millrace {}: {} at {}:{} into {}", MILLRACE_VERSION, config.source.database,
            config.source.host, config.source.port, config.lake.path.string());
  if (runtime->gold) {
    // A file that cannot be read is told at once; one that breaks later holds back its table only.
    MR_TRY(gold::ReadGoldDirectory(config.gold.sql.string()));
  } else {
    log::Info("app", "gold.sql is not set: no Gold tables are made");
  }

  const SnapshotDisplay display(*runtime->capture);
  Supervisor supervisor(signals);
  supervisor.Start("capture", [&](std::stop_token stop) { return runtime->capture->Run(stop); });
  supervisor.Start("silver", [&](std::stop_token stop) {
    return RunStageLoop("silver", config.silver.interval, OnFailure::kStopWhenFinal,
                        PassesOf(*runtime->silver), stop);
  });
  if (runtime->gold) {
    supervisor.Start("gold", [&](std::stop_token stop) {
      return RunStageLoop("gold", config.gold.interval, OnFailure::kGoOn, PassesOf(*runtime->gold),
                          stop);
    });
  }
  const Status status = supervisor.Join();
  log::Info("app", "stopped");
  return status;
}

}  // namespace millrace::app
