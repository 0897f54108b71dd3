#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/byte_buffer.h"
#include "base/result.h"
#include "codec/compression.h"
#include "model/position.h"

namespace millrace::postgres {

// The messages of one transaction that has not ended, in order: the newest in memory, the rest in a
// scratch file that exists from the first full block on and goes with this object. Never synced:
// whoever dies gets the transaction from the server again. Not thread-safe.
class SpillFile {
 public:
  // What is kept in memory; a block of this much is compressed and written at once.
  static constexpr size_t kBlockBytes = 128 << 10;

  explicit SpillFile(std::string path) : path_(std::move(path)) {}
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  // A message of (sub)transaction `xid` in two parts. kOutOfSpace, kPermission, kUnavailable: the
  // file cannot be written; the error names it.
  Status Append(Lsn lsn, uint32_t xid, char type, std::string_view rest, Compressor& compressor);

  // Gives back everything in order. The view is valid during the call. kCancelled when stopped.
  using Each = std::function<Status(Lsn lsn, uint32_t xid, std::string_view message)>;
  Status Replay(const Each& each, std::stop_token stop) const;

 private:
  Status WriteBlock(Compressor& compressor);

  const std::string path_;
  ByteBuffer block_;  // (size, lsn, xid, message) of each, in this machine's byte order
  int64_t file_bytes_ = 0;
};

}  // namespace millrace::postgres
