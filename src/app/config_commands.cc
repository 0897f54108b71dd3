#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/invocation.h"
#include "base/format.h"

namespace millrace::app {

Status RunInit(const Invocation& invocation) {
  if (invocation.path == "-") {
    fmt::print("{}", StarterConfig());
    return {};
  }
  std::error_code error;
  if (std::filesystem::exists(invocation.path, error)) {
    return Fail(ErrorKind::kAlreadyExists,
                "{} exists already and is left as it is; name another path, or remove it first",
                invocation.path);
  }
  std::ofstream file(invocation.path, std::ios::binary);
  file << StarterConfig();
  file.close();
  if (!file)
    return Fail(ErrorKind::kPermission,
                "cannot write {}; check that its directory exists and is writable",
                invocation.path);
  fmt::print(
      "wrote {}: set source and lake in it, then run `millrace check-source` and `millrace up`\n",
      invocation.path);
  return {};
}

Status RunConfig(const Invocation& invocation) {
  if (invocation.reference) {
    fmt::print("{}", ReferencePage());
    return {};
  }
  MR_ASSIGN(const Config config, invocation.Load());
  fmt::print("{}", ShowConfig(config));
  return {};
}

Status RunVersion(const Invocation&) {
  fmt::print("millrace {}\n", MILLRACE_VERSION);
  return {};
}

}  // namespace millrace::app
