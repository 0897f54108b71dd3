#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/event_decoder.h"
#include "pipeline/silver/fold.h"
#include "pipeline/silver/key_passes.h"
#include "pipeline/silver/table_access.h"
#include "pipeline/silver/upkeep.h"
#include "table/data_writer.h"
#include "table/snapshot_producer.h"

namespace millrace::silver {

struct MergeOptions {
  FoldOptions fold;
  table::DataWriterOptions writer;
  UpkeepOptions upkeep;
};

struct MergeStats {
  int64_t events = 0, replays = 0, unchanged = 0;
  int64_t opened = 0;       // versions that are open after the merge and were not before
  int64_t closed = 0;       // versions written to history
  int64_t files_delta = 0;  // current files that got a delete file
  int64_t files_rewritten = 0, files_folded = 0;

  MergeStats& operator+=(const MergeStats& other) {
    events += other.events;
    replays += other.replays;
    unchanged += other.unchanged;
    opened += other.opened;
    closed += other.closed;
    files_delta += other.files_delta;
    files_rewritten += other.files_rewritten;
    files_folded += other.files_folded;
    return *this;
  }
};

struct MergeOutcome {
  table::SnapshotChange change;  // files only; nothing in it when the batch changed nothing
  MergeStats stats;
  EventPosition last{0, -2};  // of the newest event
  bool changed = false;       // whether any version was opened or closed
};

// The batch, pass by pass: `take` gives a pass's part of the files, in stream order. Called once
// for each pass, in order.
struct MergePasses {
  const KeyPasses& keys;
  std::function<Result<std::vector<DecodedFile>>(int pass)> take;
};

// Merges a batch into one table. Writes data and delete files, commits nothing: the caller stages
// `change`. `covered`: for tables without a key, the newest event merged before. Memory grows with
// a pass and with the versions that it closes, not with the table.
Result<MergeOutcome> MergeTable(const TableAccess& table, const std::string& write_id,
                                const MergePasses& passes, EventPosition covered,
                                const MergeOptions& options);

}  // namespace millrace::silver
