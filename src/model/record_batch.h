#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_buffer.h"
#include "model/position.h"
#include "model/snapshot_range.h"
#include "model/table_schema.h"

namespace millrace {

// A table version under which records of a batch were written. Shared by all batches until the
// table changes.
struct Stream {
  std::string topic;
  TableSchema schema;
  std::string fingerprint;
};
using StreamPtr = std::shared_ptr<const Stream>;

// One event: slices of the batch's bytes that hold finished JSON. `key` and `headers` may be empty
// (written as null).
struct Record {
  uint32_t stream;  // index into RecordBatch::streams
  uint32_t key_size;
  uint32_t value_size;
  uint32_t headers_size;
  uint64_t offset;       // of the key in RecordBatch::bytes; value and headers follow without a gap
  int64_t timestamp_ms;  // commit time of the transaction, or the snapshot's
};

// What flows from capture to Bronze: records in stream order, whose JSON lies in one arena.
struct RecordBatch {
  ByteBuffer bytes;
  std::vector<Record> records;
  // Those of the records. A batch without records may name tables as well: their schemas become
  // durable with the next commit, though no file names them yet.
  std::vector<StreamPtr> streams;
  // Set when the batch ends at a source commit (or an idle keepalive): everything up to here has
  // been handed over. Bronze may commit at such a point and only there. A transaction may span many
  // batches.
  std::optional<SourcePosition> ends_at;
  // Of the initial snapshot: all rows of these are in this batch or an earlier one. Comes with
  // ends_at, the snapshot's position. Bronze may commit, and what else was written goes with it.
  std::vector<SnapshotRange> snapshot_ranges;
  // Records that say that their table begins anew here: what came before of it is not needed for
  // its state. Indexes, ascending.
  std::vector<uint32_t> anew;
  // The end of the initial snapshot: Bronze commits at once and marks the snapshot as done.
  bool ends_snapshot = false;
};

}  // namespace millrace
