#pragma once

#include "base/result.h"
#include "model/record_batch.h"

namespace millrace {

// Takes record batches in stream order. Thread-safe: a snapshot's workers write at once. Accepted
// is not durable: that comes back by Source::Confirm.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Blocks while the sink is full. kCancelled when it was closed or asked to stop.
  virtual Status Write(RecordBatch batch) = 0;
};

}  // namespace millrace
