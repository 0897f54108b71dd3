#pragma once

#include "base/result.h"
#include "model/record_batch.h"

namespace millrace {

// Takes record batches in stream order. Accepted is not durable: what has become durable comes back through Source::Confirm.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Blocks while the sink is full. kCancelled when it was closed or asked to stop.
  virtual Status Write(RecordBatch batch) = 0;
};

}  // namespace millrace
