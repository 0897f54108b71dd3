#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapter/source_postgres/events/value_encoder.h"
#include "adapter/source_postgres/protocol/pgoutput.h"
#include "model/record_batch.h"

namespace millrace::postgres {

// One version of a table that we capture, with all that can be prepared once for its events.
struct CapturedTable {
  struct Column {
    std::string prefix;  // `,"name":`, padded so that kPrefixPad bytes may be copied blindly
    uint32_t prefix_size = 0;
    bool identity = false;  // PostgreSQL sends it in old key tuples
    ValueEncoder encoder;
  };
  static constexpr size_t kPrefixPad = 32;

  StreamPtr stream;
  std::vector<Column> columns;  // in the order of the tuples
  std::vector<uint16_t> key;    // indexes into columns, in key order
  std::string source_names;     // `,"schema":"public","table":"orders","txId":`

  // Its rows that were there before it was captured still have to be read: table_watcher.h.
  bool pending = false;
  // While it is pending: its rows are known but for what a rewrite may have changed, so events from
  // before the snapshot are not left out.
  bool goes_on = false;

  // Which slot of the batch's streams is ours: valid while batch_serial is the batch's.
  uint64_t batch_serial = 0;
  uint32_t stream_index = 0;
};

// `delimiters`: pg_type.typdelim per column, of an array's element type. `identity`: per column;
// empty means none.
CapturedTable Capture(const std::string& topic_prefix, TableSchema schema,
                      const std::vector<char>& delimiters, const std::vector<bool>& identity);

}  // namespace millrace::postgres
