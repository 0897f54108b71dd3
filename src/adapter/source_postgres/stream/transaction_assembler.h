#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapter/source_postgres/stream/spill_file.h"
#include "base/result.h"
#include "codec/compression.h"
#include "model/position.h"

namespace millrace::postgres {

// Messages of pgoutput with `streaming 'on'` in, the messages of protocol version 1 out: what the
// server sends of transactions that have not ended waits, in scratch files where it is much, and
// comes out as BEGIN ... COMMIT when they commit. So positions and events are the same whether the
// server streamed a transaction or not, which it may decide anew after each restart. Not
// thread-safe. docs/decisions/0011.
class TransactionAssembler {
 public:
  // `lsn`: where the message lay in the WAL, 0 for BEGIN and COMMIT of what was streamed.
  using Output = std::function<Status(Lsn lsn, std::string_view message)>;

  // `folder`: of the scratch files, made when the first one is; what a dead process left there is
  // removed now. REQUIRES: no other process uses it.
  static Result<std::unique_ptr<TransactionAssembler>> Open(std::string folder, Output output);

  // One message. kCorrupt: not pgoutput, or out of order; errors of the scratch files and of
  // `output`. A commit may take its time: kCancelled when stopped meanwhile.
  Status Handle(Lsn lsn, std::string_view message, std::stop_token stop);

  // Between STREAM START and STREAM STOP: more is on its way.
  bool in_block() const { return block_ != nullptr; }

 private:
  struct Streamed {
    Streamed(uint32_t id, std::string path) : xid(id), messages(std::move(path)) {}
    const uint32_t xid;
    SpillFile messages;
    std::vector<uint32_t> aborted;  // subtransactions that were rolled back
  };

  TransactionAssembler(std::string folder, std::unique_ptr<Compressor> compressor, Output output)
      : folder_(std::move(folder)),
        compressor_(std::move(compressor)),
        output_(std::move(output)) {}
  Status HandleInBlock(Lsn lsn, std::string_view message);
  Status HandleStart(std::string_view message);
  Status HandleCommit(std::string_view message, std::stop_token stop);
  Status HandleAbort(std::string_view message);

  const std::string folder_;
  const std::unique_ptr<Compressor> compressor_;
  const Output output_;
  std::unordered_map<uint32_t, Streamed> open_;  // by the xid of the whole transaction
  Streamed* block_ = nullptr;                    // whose block is coming in
};

}  // namespace millrace::postgres
