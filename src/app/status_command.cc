#include <cstdio>

#include "app/invocation.h"
#include "app/lake_status.h"
#include "base/format.h"

namespace millrace::app {

Status RunStatus(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  MR_ASSIGN(const LakeStatus status, ReadLakeStatus(config));
  if (invocation.json) {
    fmt::print("{}\n", json::Write(ToJson(status, config), true));
  } else {
    fmt::print("{}", ToText(status, config));
  }
  return {};
}

}  // namespace millrace::app
