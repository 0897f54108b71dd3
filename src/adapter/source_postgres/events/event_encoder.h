#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapter/source_postgres/events/captured_table.h"
#include "base/byte_buffer.h"
#include "model/record_batch.h"

namespace millrace::postgres {

// What all events of a transaction (or of a snapshot) share.
struct EventContext {
  Lsn commit_lsn = 0;
  Micros commit_time = 0;
  std::optional<uint32_t> xid;  // none in a snapshot
  bool snapshot = false;
  Lsn previous_end = 0;  // end of the transaction before; 0: not known
  std::optional<std::string>
      origin;            // replication origin, when the transaction was replicated from elsewhere
  Lsn origin_lsn = 0;    // 0: not known
  Micros read_time = 0;  // when we read it
};

struct Event {
  char op = 0;                 // r c u d t
  const Tuple* key = nullptr;  // whose key columns make the record's key; nullptr: null key
  const Tuple* before = nullptr;
  bool before_identity_only = false;  // `before` has its identity columns only
  const Tuple* after = nullptr;
  const Tuple* toast = nullptr;  // where unchanged TOAST values of `after` may be found
  // "" or the name of the header that holds the key of `header_key`.
  std::string_view header_name = {};
  const Tuple* header_key = nullptr;
  Lsn lsn = 0;
  int64_t ordinal = 0;
};

// Rows to events of the `exact` profile (docs/formats/events.md), straight into a batch's bytes.
// Not thread-safe; allocates when a transaction begins, never for an event (the batch's own growth
// aside).
class EventEncoder {
 public:
  // `name`: topic prefix; `database`: for source.db.
  EventEncoder(std::string_view name, std::string_view database);

  void Begin(const EventContext& context);
  // Appends the bytes and the record. REQUIRES: Begin was called; tuples are as wide as the table.
  void Append(const CapturedTable& table, uint32_t stream_index, const Event& event,
              RecordBatch& batch);

 private:
  std::string head_;      // up to ts_ms
  std::string database_;  // quoted
  // Parts of `source` around what differs between events: lsn twice, names, ordinal, op.
  std::string before_sequence_lsn_, after_sequence_lsn_, before_lsn_, before_ordinal_, tail_;
  int64_t timestamp_ms_ = 0;
};

}  // namespace millrace::postgres
