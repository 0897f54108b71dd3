#pragma once

#include <memory>

#include "app/config.h"
#include "app/lake.h"
#include "base/result.h"
#include "pipeline/capture/capture_stage.h"
#include "pipeline/silver/silver_stage.h"
#include "port/stage.h"

namespace millrace::app {

// The lake and the stages over it, wired together. Making it connects to nothing and writes nothing
// but missing directories; each stage opens what it needs when it runs. Stages may run side by
// side, each in one thread.
struct Runtime {
  Config config;
  std::unique_ptr<Lake> lake;
  std::unique_ptr<capture::CaptureStage> capture;  // with Bronze as its sink
  std::unique_ptr<SilverStage> silver;
  std::unique_ptr<Stage> gold;  // nullptr when gold.sql is not set
};
// The stages refer to the Runtime's other members, so it does not move.
Result<std::unique_ptr<Runtime>> MakeRuntime(Config config);

}  // namespace millrace::app
