#include "pipeline/gold/partition_writer.h"

#include <arrow/api.h>
#include <arrow/compute/cast.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/format.h"
#include "table/arrow_schema.h"
#include "table/data_writer.h"

namespace millrace::gold {
namespace {

constexpr const char* kWhat = "writing a Gold table";
// Finishing a file waits for the disk several times; partitions are small and many. So finished
// ones wait for each other, and several threads finish them at once.
constexpr size_t kFinishers = 8;
constexpr size_t kMostOpen = 64;
constexpr int64_t kMostOpenRows = 256 << 10;

class PartitionWriter {
 public:
  PartitionWriter(ObjectStore& store, const std::string& location, const iceberg::Schema& schema,
                  const iceberg::PartitionSpec& spec, const std::string& write_id)
      : store_(store),
        location_(location),
        schema_(schema),
        spec_(spec),
        write_id_(write_id),
        arrow_schema_(table::ToArrow(schema)) {
    if (!spec_.fields.empty()) column_ = schema_.FindById(spec_.fields[0].source_id);
  }

  Status Write(const arrow::RecordBatch& raw) {
    MR_ASSIGN(const std::shared_ptr<arrow::RecordBatch> batch, Cast(raw));
    if (spec_.fields.empty()) {
      if (open_.empty()) Open({});
      return Append(*batch);
    }
    const std::shared_ptr<arrow::Array> values = batch->GetColumnByName(column_->name);
    for (int64_t begin = 0; begin < batch->num_rows();) {
      MR_ASSIGN(const iceberg::Literal partition, PartitionOf(*values, begin));
      int64_t end = begin + 1;
      for (; end < batch->num_rows(); ++end) {
        MR_ASSIGN(const iceberg::Literal next, PartitionOf(*values, end));
        if (next != partition) break;
      }
      if (partition_ != partition) {
        if (open_.size() >= kMostOpen || open_rows_ >= kMostOpenRows) MR_TRY(Close());
        Open({partition});
        partition_ = partition;
      }
      MR_TRY(Append(*batch->Slice(begin, end - begin)));
      begin = end;
    }
    return {};
  }

  // Finishes what is open. On an error the files of the other writers are among written(), for the
  // caller to delete.
  Status Close() {
    std::vector<std::optional<Result<std::vector<iceberg::DataFile>>>> results(open_.size());
    std::atomic<size_t> next = 0;
    const auto finish = [&] {
      for (size_t i = next++; i < open_.size(); i = next++) results[i].emplace(open_[i]->Finish());
    };
    {
      std::vector<std::jthread> finishers;
      for (size_t i = 1; i < std::min(kFinishers, open_.size()); ++i)
        finishers.emplace_back(finish);
      finish();
    }
    open_.clear();
    open_rows_ = 0;
    partition_.reset();
    std::optional<Error> error;
    for (auto& result : results) {
      if (!result->ok()) {
        error = result->error();
        continue;
      }
      for (iceberg::DataFile& file : **result) written_.files.push_back(std::move(file));
    }
    return error.has_value() ? Status(*error) : Status();
  }

  WrittenRows& written() { return written_; }

 private:
  void Open(std::vector<iceberg::Literal> partition) {
    // Partitions of one write share its id: the number keeps their files' names apart.
    const std::string id = Format("{}-{}", write_id_, written_.partitions++);
    // The threads are for the partitions here.
    open_.push_back(table::DataWriter::New(store_, location_, schema_, spec_, std::move(partition),
                                           id, {.use_threads = false}));
  }

  Status Append(const arrow::RecordBatch& batch) {
    written_.rows += batch.num_rows();
    open_rows_ += batch.num_rows();
    return open_.back()->Write(batch);
  }

  Result<iceberg::Literal> PartitionOf(const arrow::Array& values, int64_t row) const {
    MR_ASSIGN(const iceberg::Literal value, LiteralAt(values, row));
    return iceberg::Apply(spec_.fields[0].transform, value, *column_->type);
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Cast(const arrow::RecordBatch& raw) const {
    arrow::ArrayVector columns;
    for (const auto& field : arrow_schema_->fields()) {
      const std::shared_ptr<arrow::Array> column = raw.GetColumnByName(field->name());
      if (column == nullptr)
        return Fail(ErrorKind::kInternal, "the result lacks the column '{}' of its table",
                    field->name());
      if (column->type()->Equals(*field->type())) {
        columns.push_back(column);
        continue;
      }
      auto cast = arrow::compute::Cast(*column, field->type());
      if (!cast.ok()) return table::FromArrowStatus(cast.status(), kWhat).error();
      columns.push_back(std::move(cast).ValueUnsafe());
    }
    return arrow::RecordBatch::Make(arrow_schema_, raw.num_rows(), std::move(columns));
  }

  ObjectStore& store_;
  const std::string& location_;
  const iceberg::Schema& schema_;
  const iceberg::PartitionSpec& spec_;
  const std::string& write_id_;
  std::shared_ptr<arrow::Schema> arrow_schema_;
  const iceberg::Field* column_ = nullptr;
  std::vector<std::unique_ptr<table::DataWriter>> open_;  // the last one takes rows
  int64_t open_rows_ = 0;
  std::optional<iceberg::Literal> partition_;  // of the last one
  WrittenRows written_;
};

}  // namespace

Result<iceberg::Literal> LiteralAt(const arrow::Array& array, int64_t row) {
  using iceberg::Literal;
  if (array.IsNull(row)) return Literal();
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Literal(static_cast<const arrow::BooleanArray&>(array).Value(row));
    case arrow::Type::INT32:
      return Literal(static_cast<const arrow::Int32Array&>(array).Value(row));
    case arrow::Type::DATE32:
      return Literal(static_cast<const arrow::Date32Array&>(array).Value(row));
    case arrow::Type::INT64:
      return Literal(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::TIMESTAMP:
      return Literal(static_cast<const arrow::TimestampArray&>(array).Value(row));
    case arrow::Type::STRING:
      return Literal(static_cast<const arrow::StringArray&>(array).GetString(row));
    default:
      return Fail(ErrorKind::kUnsupported, "a value of type {} cannot name a partition",
                  array.type()->ToString());
  }
}

Result<WrittenRows> WritePartitions(ObjectStore& store, const std::string& location,
                                    const iceberg::Schema& schema,
                                    const iceberg::PartitionSpec& spec, const std::string& write_id,
                                    arrow::RecordBatchReader& rows) {
  PartitionWriter writer(store, location, schema, spec, write_id);
  const auto write_all = [&]() -> Status {
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (const arrow::Status read = rows.ReadNext(&batch); !read.ok())
        return table::FromArrowStatus(read, kWhat);
      if (batch == nullptr) return writer.Close();
      if (batch->num_rows() > 0) MR_TRY(writer.Write(*batch));
    }
  };
  if (Status status = write_all(); !status.ok()) {
    DeleteDataFiles(store, writer.written().files);
    return status.error();
  }
  return std::move(writer.written());
}

void DeleteDataFiles(ObjectStore& store, const std::vector<iceberg::DataFile>& files) {
  for (const iceberg::DataFile& file : files) {
    if (const auto path = store.Relative(file.path); path.ok()) (void)store.Delete(*path);
  }
}

}  // namespace millrace::gold
