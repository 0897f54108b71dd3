#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/event.h"
#include "pipeline/silver/fold.h"

// Tables without a key: rows are told apart by their contents only, and equal rows are
// interchangeable. Pure.
namespace millrace::silver {

// An open row of the table.
struct OpenInstance {
  int64_t row = -1;  // row space
  int32_t version = 0;
  Micros valid_from = 0;
};

struct MultisetResult {
  std::vector<Version> versions;  // `key` is the content
  struct Ended {
    int32_t content = -1;
    size_t instance = 0;  // into open[content]
    Micros valid_to = 0;
    EventPosition to;
    bool deleted = false;
  };
  std::vector<Ended> closings;
  int64_t replays = 0, unchanged = 0;
};

// `events` sorted; `key` numbers the content of `row`, `old_key` that of `before`. `open[content]`
// are the table's open rows with that content, oldest first. Events at or before `covered` are
// replays. kCorrupt when an event takes away a row that is not there.
Result<MultisetResult> FoldMultiset(const std::vector<Event>& events,
                                    const std::vector<std::vector<OpenInstance>>& open,
                                    EventPosition covered);

}  // namespace millrace::silver
