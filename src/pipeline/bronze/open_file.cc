#include "pipeline/bronze/open_file.h"

#include <algorithm>

#include "base/failpoint.h"
#include "pipeline/bronze/record_line.h"

namespace millrace::bronze {
namespace {

constexpr size_t kPiece = size_t{1} << 20;  // of lines per compression step, of bytes per write
constexpr size_t kKeptBuffers = 8;

}  // namespace

Status ClosedFile::Store(ObjectStore& store) {
  MR_FAILPOINT("bronze.before_object");
  if (writer) {
    MR_TRY(writer->Append(bytes.view()));
    MR_TRY(writer->Finish());
  } else {
    MR_TRY(store.Put(file.path, bytes.view()));
  }
  MR_FAILPOINT("bronze.after_object");
  return {};
}

Result<std::unique_ptr<Compressor>> Workshop::TakeCompressor() {
  std::unique_ptr<Compressor> taken;
  if (compressors_.empty()) {
    MR_ASSIGN(taken, NewCompressor(compression_, level_));
  } else {
    taken = std::move(compressors_.back());
    compressors_.pop_back();
    taken->Reset();
  }
  ++in_use_;
  return taken;
}

void Workshop::Return(std::unique_ptr<Compressor> compressor) {
  --in_use_;
  compressors_.push_back(std::move(compressor));
}

ByteBuffer Workshop::TakeBuffer() {
  if (buffers_.empty()) return {};
  ByteBuffer taken = std::move(buffers_.back());
  buffers_.pop_back();
  return taken;
}

void Workshop::Return(ByteBuffer buffer) {
  if (buffers_.size() >= kKeptBuffers) return;
  buffer.Clear();
  buffers_.push_back(std::move(buffer));
}

OpenFile::OpenFile(ObjectStore& store, Workshop& workshop, BronzeFile file, StreamPtr stream)
    : store_(&store),
      workshop_(&workshop),
      file_(std::move(file)),
      stream_(std::move(stream)),
      pending_(workshop.TakeBuffer()) {}

OpenFile::~OpenFile() {
  workshop_->Return(std::move(pending_));
  if (compressor_) workshop_->Return(std::move(compressor_));
}

Status OpenFile::Add(const RecordBatch& batch, const Record& record) {
  const size_t before = pending_.size();
  AppendLine(batch, record, file_.first_offset + file_.records, pending_);
  raw_bytes_ += static_cast<int64_t>(pending_.size() - before);
  if (file_.records++ == 0) {
    first_hour_ = HourOf(record.timestamp_ms);
    file_.min_timestamp_ms = file_.max_timestamp_ms = record.timestamp_ms;
  } else {
    file_.min_timestamp_ms = std::min(file_.min_timestamp_ms, record.timestamp_ms);
    file_.max_timestamp_ms = std::max(file_.max_timestamp_ms, record.timestamp_ms);
  }
  return pending_.size() < kPiece ? Status() : CompressPending();
}

Status OpenFile::CompressPending() {
  if (!compressor_) {
    MR_ASSIGN(compressor_, workshop_->TakeCompressor());
  }
  MR_TRY(compressor_->Write(pending_.view(), compressed_));
  pending_.Clear();
  if (compressed_.size() < kPiece) return {};
  if (!writer_) {
    MR_ASSIGN(writer_, store_->OpenWriter(file_.path));
  }
  sha256_.Add(compressed_.view());
  MR_TRY(writer_->Append(compressed_.view()));
  compressed_.Clear();
  return {};
}

Result<ClosedFile> OpenFile::Close() {
  MR_TRY(CompressPending());
  MR_TRY(compressor_->Finish(compressed_));
  sha256_.Add(compressed_.view());
  ClosedFile closed;
  closed.file = std::move(file_);
  closed.file.last_offset = closed.file.first_offset + closed.file.records - 1;
  closed.file.bytes =
      static_cast<int64_t>(compressed_.size()) + (writer_ ? writer_->bytes_written() : 0);
  closed.file.sha256 = sha256_.FinishHex();
  closed.stream = stream_;
  closed.bytes = std::move(compressed_);
  closed.writer = std::move(writer_);
  return closed;
}

int64_t HourOf(int64_t timestamp_ms) {
  constexpr int64_t kHour = 3'600'000;
  return timestamp_ms >= 0 ? timestamp_ms / kHour : (timestamp_ms - kHour + 1) / kHour;
}

}  // namespace millrace::bronze
