#include <cstdio>

#include "app/invocation.h"
#include "app/registry.h"
#include "base/format.h"

namespace millrace::app {

Status RunReread(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  MR_TRY(AskForReread(config, invocation.tables));
  for (const std::string& table : invocation.tables) fmt::print("{} is read again\n", table);
  fmt::print("by `up` or `capture`: within {} s when it runs, at its next start otherwise\n",
             config.source.table_check_interval / kMicrosPerSecond);
  return {};
}

}  // namespace millrace::app
