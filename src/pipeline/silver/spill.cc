#include "pipeline/silver/spill.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "base/descriptor_io.h"
#include "base/format.h"
#include "pipeline/silver/arrow_result.h"

namespace millrace::silver {
namespace {

Error Failed(const char* what, int code) {
  return Fail(code == ENOSPC ? ErrorKind::kOutOfSpace : ErrorKind::kUnavailable,
              "{} of the overflow of a merge (lake.path/tmp): {}", what, std::strerror(code));
}

arrow::ipc::IpcWriteOptions WriteOptions() {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.use_threads = false;
  if (auto codec = arrow::util::Codec::Create(arrow::Compression::LZ4_FRAME); codec.ok())
    options.codec = std::move(codec).ValueUnsafe();
  return options;
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const arrow::ArrayVector& columns, int64_t rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector present;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!columns[i]) continue;
    fields.push_back(arrow::field(std::to_string(i), columns[i]->type()));
    present.push_back(columns[i]);
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows, std::move(present));
}

}  // namespace

// What most parts have in common, and share.
struct Spill::Shape {
  std::vector<bool> has_text;                 // per column
  std::shared_ptr<arrow::Schema> image, key;  // `image`: values, and the texts that there are
};

// A part as stored, from `offset` on: events, missing bitmaps, images, keys.
struct Spill::Segment {
  int64_t offset = 0;
  size_t events = 0, missing = 0;          // how many
  int64_t image_bytes = 0, key_bytes = 0;  // as IPC messages
  std::shared_ptr<const Shape> shape;
  size_t missing_words = 0;
  std::vector<size_t> absent;
  int64_t rows = 0, key_rows = 0;
};

Result<std::unique_ptr<Spill>> Spill::Open(const std::string& directory, int passes) {
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  if (made) return Failed("making the directory", made.value());
  std::string path = directory + "/merge-XXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0) return Failed("opening", errno);
  (void)::unlink(path.c_str());
  return std::unique_ptr<Spill>(new Spill(fd, passes));
}

Spill::Spill(int fd, int passes) : fd_(fd), passes_(static_cast<size_t>(passes)) {}
Spill::~Spill() { (void)::close(fd_); }

Status Spill::Write(const void* bytes, size_t size) {
  if (const int error = WriteAll(fd_, {static_cast<const char*>(bytes), size}); error != 0)
    return Failed("writing", error);
  end_ += static_cast<int64_t>(size);
  return {};
}

Status Spill::Add(int pass, const DecodedFile& part) {
  static_assert(std::is_trivially_copyable_v<Event>);
  if (part.events.empty()) return {};
  static const arrow::ipc::IpcWriteOptions options = WriteOptions();
  Segment segment;
  segment.offset = end_;
  segment.events = part.events.size();
  segment.missing = part.missing.size();
  segment.missing_words = part.missing_words;
  segment.absent = part.absent;
  segment.rows = part.rows;
  segment.key_rows = part.key_rows;
  arrow::ArrayVector images = part.values;
  std::vector<bool> has_text;
  for (const auto& text : part.texts) {
    has_text.push_back(text != nullptr);
    if (text) images.push_back(text);
  }
  const auto image = BatchOf(images, part.rows), key = BatchOf(part.keys, part.key_rows);
  if (!shape_ || shape_->has_text != has_text)
    shape_ = std::make_shared<Shape>(Shape{has_text, image->schema(), key->schema()});
  segment.shape = shape_;
  MR_TRY(Write(part.events.data(), part.events.size() * sizeof(Event)));
  MR_TRY(Write(part.missing.data(), part.missing.size() * sizeof(uint64_t)));
  MR_ASSIGN(const auto image_bytes,
            FromArrow(arrow::ipc::SerializeRecordBatch(*image, options), "writing a part"));
  segment.image_bytes = image_bytes->size();
  MR_TRY(Write(image_bytes->data(), static_cast<size_t>(image_bytes->size())));
  MR_ASSIGN(const auto key_bytes,
            FromArrow(arrow::ipc::SerializeRecordBatch(*key, options), "writing a part"));
  segment.key_bytes = key_bytes->size();
  MR_TRY(Write(key_bytes->data(), static_cast<size_t>(key_bytes->size())));
  passes_[static_cast<size_t>(pass)].push_back(std::move(segment));
  return {};
}

Result<DecodedFile> Spill::ReadSegment(const Segment& segment) const {
  int64_t at = segment.offset;
  const auto read = [&](void* into, size_t size) -> Status {
    const ReadOutcome outcome = ReadAllAt(fd_, into, size, at);
    if (outcome.size < size) return Failed("reading", outcome.error != 0 ? outcome.error : EIO);
    at += static_cast<int64_t>(size);
    return {};
  };
  const auto batch = [&](const std::shared_ptr<arrow::Schema>& schema,
                         int64_t size) -> Result<std::shared_ptr<arrow::RecordBatch>> {
    MR_ASSIGN(std::shared_ptr<arrow::Buffer> buffer,
              FromArrow(arrow::AllocateBuffer(size), "reading a part"));
    MR_TRY(read(buffer->mutable_data(), static_cast<size_t>(size)));
    arrow::io::BufferReader reader(buffer);
    const arrow::ipc::DictionaryMemo memo;  // of dictionary-encoded columns: there are none
    return FromArrow(
        arrow::ipc::ReadRecordBatch(schema, &memo, arrow::ipc::IpcReadOptions::Defaults(), &reader),
        "reading a part");
  };
  DecodedFile part;
  part.events.resize(segment.events);
  part.missing.resize(segment.missing);
  part.missing_words = segment.missing_words;
  part.absent = segment.absent;
  part.rows = segment.rows;
  part.key_rows = segment.key_rows;
  MR_TRY(read(part.events.data(), segment.events * sizeof(Event)));
  MR_TRY(read(part.missing.data(), segment.missing * sizeof(uint64_t)));
  MR_ASSIGN(const auto image, batch(segment.shape->image, segment.image_bytes));
  MR_ASSIGN(const auto key, batch(segment.shape->key, segment.key_bytes));
  const std::vector<bool>& has_text = segment.shape->has_text;
  int next = 0;
  for (size_t i = 0; i < has_text.size(); ++i) part.values.push_back(image->column(next++));
  for (size_t i = 0; i < has_text.size(); ++i)
    part.texts.push_back(has_text[i] ? image->column(next++) : nullptr);
  part.keys = key->columns();
  return part;
}

Result<std::vector<DecodedFile>> Spill::Read(int pass) const {
  std::vector<DecodedFile> parts;
  for (const Segment& segment : passes_[static_cast<size_t>(pass)]) {
    MR_ASSIGN(DecodedFile part, ReadSegment(segment));
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace millrace::silver
