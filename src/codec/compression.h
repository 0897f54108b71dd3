#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/byte_buffer.h"
#include "base/result.h"

namespace millrace {

enum class Compression { kNone, kGzip, kZstd };

// "none" | "gzip" | "zstd", and back.
Result<Compression> ParseCompression(std::string_view name);
std::string_view CompressionName(Compression c);
// "", ".gz", ".zst": what an object's name ends with.
std::string_view CompressionSuffix(Compression c);

// Compresses a stream of writes into one frame (gzip member, zstd frame with content checksum). One
// object per stream; Reset starts the next frame with the same memory.
class Compressor {
 public:
  virtual ~Compressor() = default;
  virtual Status Write(std::string_view input, ByteBuffer& out) = 0;
  virtual Status Finish(ByteBuffer& out) = 0;
  virtual void Reset() = 0;
};
// `level` is the codec's own scale; kNone copies.
Result<std::unique_ptr<Compressor>> NewCompressor(Compression c, int level);

// Whole frames at once; concatenated frames or members are decoded one after another. kCorrupt on a
// damaged or cut input.
Status Decompress(Compression c, std::string_view input, ByteBuffer& out);

// Raw deflate without any header, as Avro's `deflate` codec wants it. Inflating ignores bytes after
// the stream's end: Python's Avro writers (PyIceberg, fastavro) leave a part of zlib's checksum
// there.
Result<std::string> DeflateRaw(std::string_view input);
Result<std::string> InflateRaw(std::string_view input);

}  // namespace millrace
