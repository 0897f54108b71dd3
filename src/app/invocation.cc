#include "app/invocation.h"

#include "base/log.h"

namespace millrace::app {

Result<Config> Invocation::Load() const {
  MR_ASSIGN(Config config, LoadConfig(config_file, overrides));
  MR_ASSIGN(const log::Level level, log::ParseLevel(config.log.level));
  log::Configure({level, config.log.json});
  return config;
}

}  // namespace millrace::app
