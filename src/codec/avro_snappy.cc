#include "codec/avro_snappy.h"

#include <zlib.h>

#include <cstdint>

#include "base/format.h"

namespace millrace::avro {
namespace {

// Format: https://github.com/google/snappy/blob/main/format_description.txt
class Snappy {
 public:
  explicit Snappy(std::string_view in) : in_(in) {}

  bool Unpack(std::string& out) {
    uint64_t size = 0;
    if (!Varint(size) || size > kMaxBytes) return false;
    out.reserve(size);
    while (!in_.empty()) {
      const unsigned tag = Byte();
      if (!((tag & 3) == 0 ? Literal(tag >> 2, out) : Copy(tag, out)) || out.size() > size)
        return false;
    }
    return out.size() == size;
  }

 private:
  static constexpr uint64_t kMaxBytes = uint64_t{1} << 31;

  unsigned Byte() {
    const auto byte = static_cast<unsigned char>(in_.front());
    in_.remove_prefix(1);
    return byte;
  }
  bool Varint(uint64_t& value) {
    for (unsigned shift = 0; shift < 35 && !in_.empty(); shift += 7) {
      const unsigned byte = Byte();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool LittleEndian(unsigned bytes, uint64_t& value) {
    if (in_.size() < bytes) return false;
    for (unsigned i = 0; i < bytes; ++i) value |= static_cast<uint64_t>(Byte()) << (8 * i);
    return true;
  }
  bool Literal(unsigned length_code, std::string& out) {
    uint64_t length = length_code;
    if (length_code >= 60) {
      length = 0;
      if (!LittleEndian(length_code - 59, length)) return false;
    }
    if (++length > in_.size()) return false;
    out.append(in_.substr(0, length));
    in_.remove_prefix(length);
    return true;
  }
  bool Copy(unsigned tag, std::string& out) {
    uint64_t offset = 0;
    uint64_t length = (tag >> 2) + 1;
    if ((tag & 3) == 1) {
      length = ((tag >> 2) & 7) + 4;
      if (!LittleEndian(1, offset)) return false;
      offset |= static_cast<uint64_t>(tag >> 5) << 8;
    } else if (!LittleEndian((tag & 3) == 2 ? 2 : 4, offset)) {
      return false;
    }
    if (offset == 0 || offset > out.size()) return false;
    for (uint64_t i = 0; i < length; ++i)
      out.push_back(out[out.size() - offset]);  // source and target may overlap
    return true;
  }

  std::string_view in_;
};

}  // namespace

Result<std::string> UnpackSnappy(std::string_view block, std::string_view what) {
  const auto damaged = [&] {
    return Fail(ErrorKind::kCorrupt, "{}: a snappy block is damaged", what);
  };
  if (block.size() < 4) return damaged();
  std::string out;
  if (!Snappy(block.substr(0, block.size() - 4)).Unpack(out)) return damaged();
  uint32_t expected = 0;
  for (const char c : block.substr(block.size() - 4))
    expected = expected << 8 | static_cast<unsigned char>(c);
  const uLong actual = crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size());
  if (actual != expected) return damaged();
  return out;
}

}  // namespace millrace::avro
