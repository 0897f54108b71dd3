#include "base/byte_buffer.h"
#include "base/format.h"
#include "base/uuid.h"
#include "codec/avro.h"
#include "codec/avro_schema.h"
#include "codec/compression.h"

namespace millrace::avro {
namespace {

constexpr std::string_view kMagic("Obj\x01", 4);
constexpr size_t kBlockBytes = 64 << 10;  // before compression; what Java uses

void AppendLong(ByteBuffer& out, int64_t value) {
  uint64_t zigzag = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; zigzag >= 0x80; zigzag >>= 7) out.Append(static_cast<char>((zigzag & 0x7f) | 0x80));
  out.Append(static_cast<char>(zigzag));
}

void AppendBytes(ByteBuffer& out, std::string_view bytes) {
  AppendLong(out, static_cast<int64_t>(bytes.size()));
  out.Append(bytes);
}

Error Mismatch(const Node& node) {
  return Fail(ErrorKind::kInternal, "Avro: a value does not have the shape of its schema (kind {})",
              static_cast<int>(node.kind));
}

// `T` of the datum, or an error; little-endian machines only, as the rest of the product.
template <typename T>
Status AppendRaw(const Node& node, const Datum& datum, ByteBuffer& out) {
  const T* value = std::get_if<T>(&datum.scalar);
  if (value == nullptr) return Mismatch(node);
  out.Append(value, sizeof(T));
  return {};
}

Status Encode(const Node& node, const Datum& datum, ByteBuffer& out);

Status EncodeUnion(const Node& node, const Datum& datum, ByteBuffer& out) {
  for (size_t i = 0; i < node.children.size(); ++i) {
    if ((node.children[i]->kind == Node::Kind::kNull) != datum.is_null()) continue;
    AppendLong(out, static_cast<int64_t>(i));
    return Encode(*node.children[i], datum, out);
  }
  return Mismatch(node);
}

Status EncodeRecord(const Node& node, const Datum& datum, ByteBuffer& out) {
  if (datum.items.size() != node.children.size()) return Mismatch(node);
  for (size_t i = 0; i < node.children.size(); ++i) {
    const Status status = Encode(*node.children[i], datum.items[i], out);
    if (!status.ok()) return status.error().Wrap(node.names[i]);
  }
  return {};
}

Status Encode(const Node& node, const Datum& datum, ByteBuffer& out) {
  using Kind = Node::Kind;
  const auto* text = std::get_if<std::string>(&datum.scalar);
  const auto* number = std::get_if<int64_t>(&datum.scalar);
  switch (node.kind) {
    case Kind::kNull:
      return datum.is_null() ? Status() : Status(Mismatch(node));
    case Kind::kBoolean: {
      const bool* value = std::get_if<bool>(&datum.scalar);
      if (value == nullptr) return Mismatch(node);
      out.Append(*value ? '\1' : '\0');
      return {};
    }
    case Kind::kInt:
    case Kind::kEnum:
      if (number == nullptr || *number != static_cast<int32_t>(*number)) return Mismatch(node);
      AppendLong(out, *number);
      return {};
    case Kind::kLong:
      if (number == nullptr) return Mismatch(node);
      AppendLong(out, *number);
      return {};
    case Kind::kFloat:
      return AppendRaw<float>(node, datum, out);
    case Kind::kDouble:
      return AppendRaw<double>(node, datum, out);
    case Kind::kBytes:
    case Kind::kString:
      if (text == nullptr) return Mismatch(node);
      AppendBytes(out, *text);
      return {};
    case Kind::kFixed:
      if (text == nullptr || text->size() != node.size) return Mismatch(node);
      out.Append(*text);
      return {};
    case Kind::kRecord:
      return EncodeRecord(node, datum, out);
    case Kind::kArray:
      if (!datum.items.empty()) {
        AppendLong(out, static_cast<int64_t>(datum.items.size()));
        for (const Datum& item : datum.items) MR_TRY(Encode(*node.children[0], item, out));
      }
      AppendLong(out, 0);
      return {};
    case Kind::kUnion:
      return EncodeUnion(node, datum, out);
    case Kind::kMap:
      return Fail(ErrorKind::kInternal, "Avro: maps are written as arrays of key-value records");
  }
  return Mismatch(node);
}

class FileWriter : public Writer {
 public:
  FileWriter(CompiledSchema schema, const std::string& schema_text,
             const std::map<std::string, std::string>& metadata)
      : schema_(std::move(schema)) {
    for (int i = 0; i < 2; ++i) {
      const uint64_t random = RandomBits();
      sync_.append(reinterpret_cast<const char*>(&random), sizeof random);
    }
    file_.Append(kMagic);
    AppendLong(file_, static_cast<int64_t>(metadata.size()) + 2);
    AppendBytes(file_, "avro.schema");
    AppendBytes(file_, schema_text);
    AppendBytes(file_, "avro.codec");
    AppendBytes(file_, "deflate");
    for (const auto& [key, value] : metadata) {
      AppendBytes(file_, key);
      AppendBytes(file_, value);
    }
    AppendLong(file_, 0);
    file_.Append(sync_);
  }

  Status Append(const Datum& record) override {
    MR_TRY(Encode(schema_.root(), record, block_));
    ++block_records_;
    return block_.size() < kBlockBytes ? Status() : Flush();
  }

  Result<std::string> Finish() override {
    MR_TRY(Flush());
    return std::string(file_.view());
  }

 private:
  Status Flush() {
    if (block_records_ == 0) return {};
    MR_ASSIGN(const std::string packed, DeflateRaw(block_.view()));
    AppendLong(file_, block_records_);
    AppendBytes(file_, packed);
    file_.Append(sync_);
    block_.Clear();
    block_records_ = 0;
    return {};
  }

  const CompiledSchema schema_;
  std::string sync_;
  ByteBuffer file_;
  ByteBuffer block_;
  int64_t block_records_ = 0;
};

}  // namespace

Result<std::unique_ptr<Writer>> Writer::New(const json::Value& schema,
                                            const std::map<std::string, std::string>& metadata) {
  MR_ASSIGN(CompiledSchema compiled, CompiledSchema::Compile(schema, "Avro writer"));
  return std::unique_ptr<Writer>(
      std::make_unique<FileWriter>(std::move(compiled), json::Write(schema), metadata));
}

}  // namespace millrace::avro
