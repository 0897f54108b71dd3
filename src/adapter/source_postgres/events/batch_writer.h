#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "adapter/source_postgres/events/captured_table.h"
#include "model/record_batch.h"
#include "port/record_sink.h"

namespace millrace::postgres {

// Gathers events into batches of about `batch_bytes` and hands them to the sink. Not thread-safe.
class BatchWriter {
 public:
  BatchWriter(RecordSink& sink, size_t batch_bytes) : sink_(&sink), batch_bytes_(batch_bytes) {}

  RecordBatch& batch() { return batch_; }
  bool empty() const { return batch_.records.empty() && !batch_.ends_at; }
  bool full() const { return batch_.bytes.size() >= batch_bytes_; }

  // The place of the table's stream in the current batch. Reserves the batch's memory when it is
  // the first.
  uint32_t StreamIndex(CapturedTable& table) {
    if (table.batch_serial != serial_) AddStream(table);
    return table.stream_index;
  }
  // Whatever was appended so far ends at a source commit, or no longer does.
  void EndsAt(const SourcePosition& position) { batch_.ends_at = position; }
  void Continues() { batch_.ends_at.reset(); }
  // ... completes a part of a snapshot, which stands at `position`.
  void Completes(const SnapshotRange& range, const SourcePosition& position) {
    batch_.snapshot_ranges.push_back(range);
    EndsAt(position);
  }

  // The event appended last says that its table begins anew.
  void BeginsAnew() { batch_.anew.push_back(static_cast<uint32_t>(batch_.records.size() - 1)); }

  Status Flush();

 private:
  void AddStream(CapturedTable& table);

  RecordSink* sink_;
  size_t batch_bytes_;
  RecordBatch batch_;
  uint64_t serial_ = NextSerial();
  size_t usual_records_ = 0;  // how many records the largest batch so far had
  static uint64_t NextSerial();
};

}  // namespace millrace::postgres
