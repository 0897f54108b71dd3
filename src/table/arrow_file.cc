#include "table/arrow_file.h"

#include <arrow/api.h>
#include <arrow/io/interfaces.h>

#include <cstring>

namespace millrace::table {
namespace {

constexpr char kDetailId[] = "millrace::table::StoreError";

class StoreError final : public arrow::StatusDetail {
 public:
  explicit StoreError(Error error) : error_(std::move(error)) {}
  const char* type_id() const override { return kDetailId; }
  std::string ToString() const override { return error_.ToString(); }
  const Error& error() const { return error_; }

 private:
  const Error error_;
};

class Output final : public arrow::io::OutputStream {
 public:
  explicit Output(ObjectWriter& writer) : writer_(writer) {}

  arrow::Status Write(const void* data, int64_t n) override {
    return ToArrowStatus(writer_.Append({static_cast<const char*>(data), static_cast<size_t>(n)}));
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return writer_.bytes_written(); }

 private:
  ObjectWriter& writer_;
  bool closed_ = false;
};

class Input final : public arrow::io::RandomAccessFile {
 public:
  explicit Input(std::unique_ptr<ObjectReader> reader) : reader_(std::move(reader)) {}

  arrow::Result<int64_t> GetSize() override { return reader_->size(); }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t n, void* out) override {
    const int64_t there = Clip(position, n);
    ARROW_RETURN_NOT_OK(ToArrowStatus(reader_->ReadAt(position, there, static_cast<char*>(out))));
    return there;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t n) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(Clip(position, n)));
    ARROW_RETURN_NOT_OK(ReadAt(position, buffer->size(), buffer->mutable_data()).status());
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }
  arrow::Status Seek(int64_t position) override {
    position_ = position;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Result<int64_t> Read(int64_t n, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(position_, n, out));
    position_ += got;
    return got;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t n) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, n));
    position_ += buffer->size();
    return buffer;
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

 private:
  // Arrow asks beyond the end at times and expects a short answer.
  int64_t Clip(int64_t position, int64_t n) const {
    return std::max<int64_t>(0, std::min(n, reader_->size() - position));
  }

  const std::unique_ptr<ObjectReader> reader_;
  int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<arrow::io::OutputStream> NewArrowOutput(ObjectWriter& writer) {
  return std::make_shared<Output>(writer);
}

std::shared_ptr<arrow::io::RandomAccessFile> NewArrowInput(std::unique_ptr<ObjectReader> reader) {
  return std::make_shared<Input>(std::move(reader));
}

arrow::Status ToArrowStatus(const Status& status) {
  if (status.ok()) return arrow::Status::OK();
  return arrow::Status(arrow::StatusCode::IOError, status.error().message(),
                       std::make_shared<StoreError>(status.error()));
}

const Error* ErrorIn(const arrow::Status& status) {
  if (status.detail() == nullptr || std::strcmp(status.detail()->type_id(), kDetailId) != 0) {
    return nullptr;
  }
  return &static_cast<const StoreError&>(*status.detail()).error();
}

}  // namespace millrace::table
