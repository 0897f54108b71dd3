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

// Contents of all rows of the row space, numbered from 0: rows with the same number are equal in
// the columns that the table has in one epoch (between two schema changes).
struct Contents {
  std::vector<int32_t> of_row;
  int32_t count = 0;
};

struct MultisetResult {
  std::vector<Version> versions;  // without a key
  struct Ended {
    size_t instance = 0;  // into `open`
    Micros valid_to = 0;
    EventPosition to;
    bool deleted = false;
  };
  std::vector<Ended> closings;
  int64_t replays = 0, unchanged = 0;
};

// `events` sorted; `open` are the table's open rows, oldest first; `epochs` has an entry for each
// epoch that events name, in their order. Events at or before `covered` are replays. kCorrupt when
// an event takes away a row that is not there.
Result<MultisetResult> FoldMultiset(const std::vector<Event>& events,
                                    const std::vector<OpenInstance>& open,
                                    const std::vector<Contents>& epochs, EventPosition covered);

}  // namespace millrace::silver
