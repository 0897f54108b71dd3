#include <algorithm>
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

// Reads encoded values from a run of bytes; every read is checked against its end. A read that
// fails returns false and leaves the reason in error(); nothing is to be read after that.
class Decoder {
 public:
  Decoder(std::string_view bytes, std::string_view what) : rest_(bytes), what_(what) {}

  bool done() const { return rest_.empty(); }
  Error error() const {
    return Fail(ErrorKind::kCorrupt, "{}: damaged Avro data: {}", what_, reason_);
  }

  bool Long(int64_t& value) {
    uint64_t zigzag = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      zigzag |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        value = static_cast<int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
        return true;
      }
    }
    return Bad("an integer is cut or too long");
  }

  bool Take(int64_t size, std::string_view& bytes) {
    if (size < 0 || static_cast<uint64_t>(size) > rest_.size()) {
      return Bad("a value reaches past the end");
    }
    bytes = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(bytes.size());
    return true;
  }

  bool Bytes(std::string_view& bytes) {
    int64_t size = 0;
    return Long(size) && Take(size, bytes);
  }

  // The count of a block of array or map items; 0 ends them. A negative count is followed by the
  // block's size.
  bool BlockCount(int64_t& count) {
    if (!Long(count)) return false;
    if (count < 0) {
      int64_t size = 0;
      if (!Long(size)) return false;
      if (size < 0 || count == INT64_MIN) return Bad("a block has an impossible size");
      count = -count;
    }
    // Every item of Iceberg's files takes a byte at least: more items than bytes is damage.
    if (static_cast<uint64_t>(count) > rest_.size()) {
      return Bad("a block claims more items than it has bytes");
    }
    return true;
  }

  bool Value(const Node& node, Datum& value);

 private:
  template <typename T>
  bool Raw(Datum& value) {
    std::string_view bytes;
    if (!Take(sizeof(T), bytes)) return false;
    T number;
    std::memcpy(&number, bytes.data(), sizeof number);
    value.scalar = number;
    return true;
  }
  bool Items(const Node& node, std::vector<Datum>& items);
  bool Bad(std::string_view reason) {
    reason_ = reason;
    return false;
  }

  std::string_view rest_;
  std::string_view what_;
  std::string_view reason_;
};

bool Decoder::Items(const Node& node, std::vector<Datum>& items) {
  constexpr int64_t kReserve = 1024;  // a damaged count must not take memory before it is found out
  while (true) {
    int64_t count = 0;
    if (!BlockCount(count)) return false;
    if (count == 0) return true;
    items.reserve(items.size() + static_cast<size_t>(std::min(count, kReserve)));
    for (int64_t i = 0; i < count; ++i) {
      Datum& item = items.emplace_back();
      if (node.kind == Node::Kind::kArray) {
        if (!Value(*node.children[0], item)) return false;
        continue;
      }
      std::string_view key;
      if (!Bytes(key)) return false;
      item.items.resize(2);
      item.items[0].scalar = std::string(key);
      if (!Value(*node.children[0], item.items[1])) return false;
    }
  }
}

bool Decoder::Value(const Node& node, Datum& value) {
  using Kind = Node::Kind;
  int64_t number = 0;
  std::string_view bytes;
  switch (node.kind) {
    case Kind::kNull:
      return true;
    case Kind::kBoolean:
      if (!Take(1, bytes)) return false;
      value.scalar = bytes[0] != '\0';
      return true;
    case Kind::kInt:
    case Kind::kLong:
    case Kind::kEnum:
      if (!Long(number)) return false;
      value.scalar = number;
      return true;
    case Kind::kFloat:
      return Raw<float>(value);
    case Kind::kDouble:
      return Raw<double>(value);
    case Kind::kBytes:
    case Kind::kString:
      if (!Bytes(bytes)) return false;
      value.scalar = std::string(bytes);
      return true;
    case Kind::kFixed:
      if (!Take(static_cast<int64_t>(node.size), bytes)) return false;
      value.scalar = std::string(bytes);
      return true;
    case Kind::kRecord:
      value.items.resize(node.children.size());
      for (size_t i = 0; i < node.children.size(); ++i) {
        if (!Value(*node.children[i], value.items[i])) return false;
      }
      return true;
    case Kind::kArray:
    case Kind::kMap:
      return Items(node, value.items);
    case Kind::kUnion:
      if (!Long(number)) return false;
      if (number < 0 || static_cast<uint64_t>(number) >= node.children.size()) {
        return Bad("no such union branch");
      }
      return Value(*node.children[static_cast<size_t>(number)], value);
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

bool ReadHeader(Decoder& in, std::map<std::string, std::string>& metadata) {
  while (true) {
    int64_t count = 0;
    if (!in.BlockCount(count)) return false;
    if (count == 0) return true;
    for (int64_t i = 0; i < count; ++i) {
      std::string_view key, value;
      if (!in.Bytes(key) || !in.Bytes(value)) return false;
      metadata[std::string(key)] = std::string(value);
    }
  }
}

class FileReader : public Reader {
 public:
  FileReader(Decoder rest, std::string_view what, std::map<std::string, std::string> metadata,
             json::Value schema, CompiledSchema compiled, std::string_view sync)
      : what_(what),
        metadata_(std::move(metadata)),
        schema_(std::move(schema)),
        compiled_(std::move(compiled)),
        sync_(sync),
        file_(rest),
        block_({}, what) {
    const auto codec = metadata_.find("avro.codec");
    codec_ = codec == metadata_.end() ? "null" : codec->second;
  }

  const json::Value& schema() const override { return schema_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

  Result<bool> Next(Datum& record) override {
    while (left_ == 0) {
      if (!block_.done()) return Damaged("holds more than its records");
      if (file_.done()) return false;
      MR_TRY(OpenBlock());
    }
    if (block_.done()) return Damaged("ends before its last record");
    --left_;
    if (!block_.Value(compiled_.root(), record)) return block_.error();
    return true;
  }

 private:
  Status OpenBlock() {
    std::string_view packed, mark;
    if (!file_.Long(left_) || !file_.Bytes(packed) || !file_.Take(kSyncBytes, mark)) {
      return file_.error();
    }
    if (left_ < 0 || mark != sync_) return Damaged("has no sync mark after it");
    auto unpacked = Unpack(packed, codec_, what_);
    if (!unpacked.ok()) return unpacked.error().Wrap(what_);
    bytes_ = *std::move(unpacked);
    block_ = Decoder(bytes_, what_);
    return {};
  }
  Error Damaged(std::string_view how) const {
    return Fail(ErrorKind::kCorrupt, "{}: an Avro block {}", what_, how);
  }

  const std::string_view what_;
  const std::map<std::string, std::string> metadata_;
  const json::Value schema_;
  const CompiledSchema compiled_;
  const std::string_view sync_;
  std::string codec_;
  Decoder file_;       // what is left of the file
  std::string bytes_;  // the open block, unpacked
  Decoder block_;      // what is left of it
  int64_t left_ = 0;   // its records not yet read
};

}  // namespace

Result<std::unique_ptr<Reader>> Reader::Open(std::string_view bytes, std::string_view what) {
  if (!bytes.starts_with(kMagic)) {
    return Fail(ErrorKind::kCorrupt, "{}: not an Avro container file", what);
  }
  std::map<std::string, std::string> metadata;
  std::string_view sync;
  Decoder in(bytes.substr(kMagic.size()), what);
  if (!ReadHeader(in, metadata) || !in.Take(kSyncBytes, sync)) return in.error();
  MR_ASSIGN(json::Value schema, json::Parse(metadata["avro.schema"], what));
  MR_ASSIGN(CompiledSchema compiled, CompiledSchema::Compile(schema, what));
  return std::unique_ptr<Reader>(std::make_unique<FileReader>(
      in, what, std::move(metadata), std::move(schema), std::move(compiled), sync));
}

Result<File> Read(std::string_view bytes, std::string_view what) {
  MR_ASSIGN(const std::unique_ptr<Reader> reader, Reader::Open(bytes, what));
  File file;
  file.schema = reader->schema();
  file.metadata = reader->metadata();
  while (true) {
    Datum record;
    MR_ASSIGN(const bool more, reader->Next(record));
    if (!more) return file;
    file.records.push_back(std::move(record));
  }
}

}  // namespace millrace::avro
