#include "base/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"

namespace millrace {
namespace {

struct Failpoint {
  std::string name;
  std::string action;
  int64_t at;  // 0: each pass
  int64_t passes = 0;
};

struct Failpoints {
  std::mutex mutex;
  std::vector<Failpoint> list;
};

Failpoints& All() {
  static Failpoints* all = [] {
    auto* made = new Failpoints;
    const char* spec = std::getenv("MILLRACE_FAILPOINTS");
    if (spec == nullptr) return made;
    for (std::string_view item : Split(spec, ',')) {
      const size_t equal = item.find('=');
      if (equal == std::string_view::npos) continue;
      std::string_view action = item.substr(equal + 1);
      int64_t at = 1;
      if (const size_t sign = action.find('@'); sign != std::string_view::npos) {
        const std::string count(action.substr(sign + 1));
        at = count == "*" ? 0 : std::atoll(count.c_str());
        action = action.substr(0, sign);
      }
      made->list.push_back({std::string(item.substr(0, equal)), std::string(action), at});
    }
    return made;
  }();
  return *all;
}

}  // namespace

bool FailpointsActive() {
  static const bool active = !All().list.empty();
  return active;
}

Status PassFailpoint(std::string_view name) {
  Failpoints& all = All();
  std::lock_guard lock(all.mutex);
  for (Failpoint& point : all.list) {
    if (point.name != name) continue;
    ++point.passes;
    if (point.at != 0 && point.passes != point.at) continue;
    log::Warn("failpoint", "{} acts: {}", name, point.action);
    if (point.action == "kill") _exit(137);
    if (point.action == "stop") {
      raise(SIGSTOP);
      return {};
    }
    if (point.action == "nospace")
      return Fail(ErrorKind::kOutOfSpace, "failpoint {}: no space left on device", name);
    if (point.action == "unknown")
      return Fail(ErrorKind::kUnknownOutcome, "failpoint {}: outcome unknown", name);
    return Fail(ErrorKind::kUnavailable, "failpoint {}", name);
  }
  return {};
}

bool Sabotaged([[maybe_unused]] std::string_view bug) {
#ifdef MILLRACE_SABOTAGE
  static const char* chosen = std::getenv("MILLRACE_SABOTAGE_BUG");
  return chosen != nullptr && bug == chosen;
#else
  return false;
#endif
}

}  // namespace millrace
