#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "pipeline/silver/event.h"

// What a batch of events does to the versions of its keys. Pure: no I/O, no Arrow.
// docs/formats/silver.md, "Versions".
namespace millrace::silver {

// What the table knows of a key before the batch.
struct KeyState {
  int64_t row = -1;  // the open version's row in the row space; -1: none is open
  int32_t version =
      0;             // of the open version, or the highest closed one; 0: the key was never there
  Micros floor = 0;  // no later version may begin before: the open version's valid_from, or the
                     // closed one's valid_to
  EventPosition fence{0, -2};  // events at or before it are replays: where the open version began,
                               // or the last one ended
};

// A version that the batch opened. It is closed again when `to` is set.
struct Version {
  int64_t row = -1;
  int32_t key = -1;
  int32_t version = 0;
  Micros valid_from = 0, valid_to = 0;
  EventPosition from, to;
  char op = 0;
  bool closed = false, deleted = false;
};

// The end of a version that was open in the table.
struct Closing {
  int32_t key = -1;
  Micros valid_to = 0;
  EventPosition to;
  bool deleted = false;
};

struct FoldResult {
  std::vector<Version> versions;
  std::vector<Closing> closings;
  int64_t replays = 0;    // events dropped by the fence
  int64_t unchanged = 0;  // transactions that left a key's row as it was
};

// The rows that events name.
class FoldRows {
 public:
  virtual ~FoldRows() = default;
  // Whether two rows are equal in every column.
  virtual bool Equal(int64_t a, int64_t b) const = 0;
  // Gives `row` the values that were not sent with it from row `from`.
  virtual void Inherit(int64_t row, int32_t missing, int64_t from) = 0;
};

struct FoldOptions {
  bool keep_unchanged = false;  // an update that changes nothing makes a version all the same
};

// Order of a batch: by transaction, snapshot rows before what is streamed at the same commit_lsn.
// Stable.
void SortEvents(std::vector<Event>& events);

// `events` sorted; `keys` by the events' key numbers. kUnsupported when a value that was not sent
// has no version to take it from.
Result<FoldResult> Fold(const std::vector<Event>& events, const std::vector<KeyState>& keys,
                        const FoldOptions& options, FoldRows& rows);

}  // namespace millrace::silver
