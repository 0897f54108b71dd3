#pragma once

#include <cstdint>

#include "base/time.h"
#include "model/position.h"

namespace millrace::silver {

// One change as the merge sees it. Rows and keys are numbers: of rows in a file's decoded columns
// first, of the batch's row space and key index once files are joined.
struct Event {
  // Of snapshot rows the ordinal is -1: they come before all that is streamed at their commit_lsn.
  // A truncate that says that a table is read again has -2.
  EventPosition position;
  Micros time = 0;       // of the commit, or the snapshot
  int32_t row = -1;      // the image after the change; -1 for d and t
  int32_t before = -1;   // the image before it: tables without a key only
  int32_t key = -1;      // -1 for t
  int32_t old_key = -1;  // c: the key that the row had before its key changed
  int32_t missing =
      -1;             // bitmap of columns whose value was not sent (unchanged TOAST); -1: all were
  int32_t epoch = 0;  // tables without a key: which columns its file's schema version has
  bool snapshot = false;  // r, and the truncate before a table is read again
  char op = 0;            // c, u, d, r, t
};

}  // namespace millrace::silver
