#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_buffer.h"
#include "base/result.h"
#include "codec/compression.h"
#include "codec/hash.h"
#include "model/bronze_commit.h"
#include "model/record_batch.h"
#include "port/object_store.h"

namespace millrace::bronze {

// A complete Bronze object on its way to the store: the end of it in memory, the rest (when it was
// large) in a writer.
struct ClosedFile {
  BronzeFile file;  // all of it known
  StreamPtr stream;
  ByteBuffer bytes;
  std::unique_ptr<ObjectWriter> writer;

  // Durable on return.
  Status Store(ObjectStore& store);
};

// Memory that files pass on to each other, because a compressor and a buffer are costly to make.
class Workshop {
 public:
  Workshop(Compression compression, int level) : compression_(compression), level_(level) {}
  Result<std::unique_ptr<Compressor>> TakeCompressor();
  void Return(std::unique_ptr<Compressor> compressor);
  ByteBuffer TakeBuffer();
  void Return(ByteBuffer buffer);
  int compressors_in_use() const { return in_use_; }

 private:
  const Compression compression_;
  const int level_;
  int in_use_ = 0;
  std::vector<std::unique_ptr<Compressor>> compressors_;
  std::vector<ByteBuffer> buffers_;
};

// One Bronze object while it is filled with lines. Compresses in pieces, and streams to the store
// what is large, so that its memory does not grow with its size.
class OpenFile {
 public:
  // `file`: path, topic, partition, first offset, schema, compression and snapshot are set.
  OpenFile(ObjectStore& store, Workshop& workshop, BronzeFile file, StreamPtr stream);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  Status Add(const RecordBatch& batch, const Record& record);
  // All lines compressed. No use of the file afterwards.
  Result<ClosedFile> Close();

  const StreamPtr& stream() const { return stream_; }
  int64_t raw_bytes() const { return raw_bytes_; }  // of lines so far
  int64_t pending_bytes() const {
    return static_cast<int64_t>(pending_.size());
  }  // of those, not compressed yet
  bool streamed() const { return compressor_ != nullptr; }
  int64_t first_hour() const { return first_hour_; }  // since 1970

 private:
  Status CompressPending();

  ObjectStore* const store_;
  Workshop* const workshop_;
  BronzeFile file_;
  const StreamPtr stream_;
  ByteBuffer pending_;     // lines
  ByteBuffer compressed_;  // not handed to writer_ yet
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<ObjectWriter> writer_;
  Sha256 sha256_;
  int64_t raw_bytes_ = 0;
  int64_t first_hour_ = 0;
};

// Hours since 1970, UTC.
int64_t HourOf(int64_t timestamp_ms);

}  // namespace millrace::bronze
