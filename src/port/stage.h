#pragma once

#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "codec/json.h"

namespace millrace {

struct StageReport {
  bool did_work = false;
  json::Value details;  // an object of counts and positions, for logs, `--json` and the run history
};

// A pipeline stage as its supervisor sees it: take what is committed upstream, commit the result,
// return. Running it again without new input changes nothing.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::string_view name() const = 0;
  virtual Result<StageReport> RunOnce(std::stop_token stop) = 0;
};

}  // namespace millrace
