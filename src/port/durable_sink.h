#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "model/position.h"
#include "port/record_sink.h"
#include "port/source.h"

namespace millrace {

// What a durable sink tells its owner, from its own threads. Neither may call back into the sink.
struct SinkEvents {
  // Everything up to the position is durable. In order of the stream; never before it is true.
  std::function<void(const SourcePosition&)> durable;
  // The sink gave up and takes nothing more; called at most once. What was not reported as durable
  // is to be sent again to a new sink.
  std::function<void(const Error&)> failed;
};

// A record sink that makes what it takes durable, whole source transactions at a time, and knows
// how far it got. After a failure it is thrown away and opened anew: it recovers from what is
// durable and from nothing else. Destroying it drops what is not durable yet.
class DurableSink : public RecordSink {
 public:
  // What was durable when the sink was opened: where the source has to go on.
  virtual ResumePoint resume() const = 0;
  // Records durably that an initial snapshot begins. What is written before the first batch with
  // snapshot_ranges vanishes with the sink; readers see nothing of the snapshot before the batch
  // with ends_snapshot is durable.
  virtual Status BeginSnapshot() = 0;
  // Makes everything up to the last transaction end written before the call durable, idle progress
  // included, and waits for it. While a transaction is under way there is nothing that could be
  // made durable without it: OK, and nothing happens.
  virtual Status Flush() = 0;
  // Flushes and stops; a transaction that is not complete is dropped. The sink takes nothing more.
  virtual Status Finish() = 0;
};

// Opens the sink anew for each attempt. Errors as the sink's store gives them; kFenced,
// kInvalidInput are final.
using SinkFactory = std::function<Result<std::unique_ptr<DurableSink>>(SinkEvents events)>;

}  // namespace millrace
