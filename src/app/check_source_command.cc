#include <algorithm>
#include <cstdio>

#include "app/invocation.h"
#include "app/registry.h"
#include "base/format.h"

namespace millrace::app {

Status RunCheckSource(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  std::vector<std::string> done;
  MR_ASSIGN(const std::vector<SourceFinding> findings, CheckSource(config, invocation.fix, done));
  for (const std::string& line : done) fmt::print("fixed  {}\n", line);
  int errors = 0;
  bool fixable = false;
  for (const SourceFinding& finding : findings) {
    fmt::print("{:<5}  {}: {}\n", finding.level, finding.topic, finding.message);
    if (!finding.cure.empty()) fmt::print("       cure: {}\n", finding.cure);
    errors += finding.level == "error" ? 1 : 0;
    fixable |= finding.level != "ok" && finding.fixable;
  }
  if (fixable)
    fmt::print(
        "\n`millrace check-source --fix` runs the cures that touch settings and publications "
        "only.\n");
  if (errors > 0)
    return Fail(ErrorKind::kInvalidInput, "{} is not ready: {} problem{} above",
                config.source.database, errors, errors == 1 ? "" : "s");
  fmt::print("{} is ready to be captured\n", config.source.database);
  return {};
}

}  // namespace millrace::app
