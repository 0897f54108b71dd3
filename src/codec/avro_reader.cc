#include <cstring>

#include "base/format.h"
#include "codec/avro.h"
#include "codec/avro_schema.h"
#include "codec/avro_snappy.h"
#include "codec/compression.h"

namespace millrace::avro {
namespace {

constexpr std::string_view kMagic("Obj\x01", 4);
constexpr size_t kSyncBytes = 16;

// Reads encoded values from a run of bytes; every read is checked against its end.
class Decoder {
 public:
  Decoder(std::string_view bytes, std::string_view what) : rest_(bytes), what_(what) {}

  bool done() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }

  Result<int64_t> Long() {
    uint64_t zigzag = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      zigzag |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return static_cast<int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
    }
    return Bad("an integer is cut or too long");
  }

  Result<std::string_view> Take(int64_t size) {
    if (size < 0 || static_cast<uint64_t>(size) > rest_.size())
      return Bad("a value reaches past the end");
    const std::string_view bytes = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  Result<std::string_view> Bytes() {
    MR_ASSIGN(const int64_t size, Long());
    return Take(size);
  }

  // The count of a block of array or map items; 0 ends them. A negative count is followed by the
  // block's size.
  Result<int64_t> BlockCount() {
    MR_ASSIGN(int64_t count, Long());
    if (count < 0) {
      MR_ASSIGN(const int64_t size, Long());
      if (size < 0 || count == INT64_MIN) return Bad("a block has an impossible size");
      count = -count;
    }
    // Every item of Iceberg's files takes a byte at least, so more items than bytes is damage, not
    // data.
    if (static_cast<uint64_t>(count) > rest_.size())
      return Bad("a block claims more items than it has bytes");
    return count;
  }

  Result<Datum> Value(const Node& node);

 private:
  template <typename T>
  Result<Datum> Raw() {
    MR_ASSIGN(const std::string_view bytes, Take(sizeof(T)));
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return Datum(value);
  }
  Result<Datum> Items(const Node& node);
  Error Bad(std::string_view why) const {
    return Fail(ErrorKind::kCorrupt, "{}: damaged Avro data: {}", what_, why);
  }

  std::string_view rest_;
  std::string_view what_;
};

Result<Datum> Decoder::Items(const Node& node) {
  Datum array;
  while (true) {
    MR_ASSIGN(const int64_t count, BlockCount());
    if (count == 0) return array;
    array.items.reserve(array.items.size() + static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      if (node.kind == Node::Kind::kArray) {
        MR_ASSIGN(Datum item, Value(*node.children[0]));
        array.items.push_back(std::move(item));
        continue;
      }
      MR_ASSIGN(const std::string_view key, Bytes());
      MR_ASSIGN(Datum value, Value(*node.children[0]));
      std::vector<Datum> pair;
      pair.push_back(Datum(std::string(key)));
      pair.push_back(std::move(value));
      array.items.push_back(Datum::Of(std::move(pair)));
    }
  }
}

Result<Datum> Decoder::Value(const Node& node) {
  using Kind = Node::Kind;
  switch (node.kind) {
    case Kind::kNull:
      return Datum();
    case Kind::kBoolean: {
      MR_ASSIGN(const std::string_view byte, Take(1));
      return Datum(byte[0] != '\0');
    }
    case Kind::kInt:
    case Kind::kLong:
    case Kind::kEnum: {
      MR_ASSIGN(const int64_t value, Long());
      return Datum(value);
    }
    case Kind::kFloat:
      return Raw<float>();
    case Kind::kDouble:
      return Raw<double>();
    case Kind::kBytes:
    case Kind::kString: {
      MR_ASSIGN(const std::string_view bytes, Bytes());
      return Datum(std::string(bytes));
    }
    case Kind::kFixed: {
      MR_ASSIGN(const std::string_view bytes, Take(static_cast<int64_t>(node.size)));
      return Datum(std::string(bytes));
    }
    case Kind::kRecord: {
      std::vector<Datum> fields;
      fields.reserve(node.children.size());
      for (const Node* child : node.children) {
        MR_ASSIGN(Datum field, Value(*child));
        fields.push_back(std::move(field));
      }
      return Datum::Of(std::move(fields));
    }
    case Kind::kArray:
    case Kind::kMap:
      return Items(node);
    case Kind::kUnion: {
      MR_ASSIGN(const int64_t branch, Long());
      if (branch < 0 || static_cast<uint64_t>(branch) >= node.children.size())
        return Bad("no such union branch");
      return Value(*node.children[static_cast<size_t>(branch)]);
    }
  }
  return Bad("unknown kind");
}

Result<std::string> Unpack(std::string_view block, std::string_view codec, std::string_view what) {
  if (codec == "null") return std::string(block);
  if (codec == "deflate") return InflateRaw(block);
  if (codec == "snappy") return UnpackSnappy(block, what);
  if (codec == "zstandard") {
    ByteBuffer out;
    MR_TRY(Decompress(Compression::kZstd, block, out));
    return std::string(out.view());
  }
  return Fail(ErrorKind::kUnsupported, "{}: Avro codec '{}' is not supported", what, codec);
}

Status ReadHeader(Decoder& in, File& file) {
  while (true) {
    MR_ASSIGN(const int64_t count, in.BlockCount());
    if (count == 0) return {};
    for (int64_t i = 0; i < count; ++i) {
      MR_ASSIGN(const std::string_view key, in.Bytes());
      MR_ASSIGN(const std::string_view value, in.Bytes());
      file.metadata[std::string(key)] = std::string(value);
    }
  }
}

}  // namespace

Result<File> Read(std::string_view bytes, std::string_view what) {
  if (!bytes.starts_with(kMagic))
    return Fail(ErrorKind::kCorrupt, "{}: not an Avro container file", what);
  File file;
  Decoder in(bytes.substr(kMagic.size()), what);
  MR_TRY(ReadHeader(in, file));
  MR_ASSIGN(const std::string_view sync, in.Take(kSyncBytes));
  MR_ASSIGN(file.schema, json::Parse(file.metadata["avro.schema"], what));
  MR_ASSIGN(const CompiledSchema schema, CompiledSchema::Compile(file.schema, what));
  const auto codec = file.metadata.find("avro.codec");
  const std::string codec_name = codec == file.metadata.end() ? "null" : codec->second;
  while (!in.done()) {
    MR_ASSIGN(const int64_t count, in.Long());
    MR_ASSIGN(const std::string_view packed, in.Bytes());
    const auto block = Unpack(packed, codec_name, what);
    if (!block.ok()) return block.error().Wrap(what);
    Decoder records(*block, what);
    for (int64_t i = 0; i < count; ++i) {
      if (records.done())
        return Fail(ErrorKind::kCorrupt, "{}: an Avro block ends before its last record", what);
      MR_ASSIGN(Datum record, records.Value(schema.root()));
      file.records.push_back(std::move(record));
    }
    MR_ASSIGN(const std::string_view mark, in.Take(kSyncBytes));
    if (!records.done() || mark != sync)
      return Fail(ErrorKind::kCorrupt, "{}: an Avro block is damaged", what);
  }
  return file;
}

}  // namespace millrace::avro
