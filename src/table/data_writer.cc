#include "table/data_writer.h"

#include <arrow/api.h>

#include <optional>

#include "base/failpoint.h"
#include "base/format.h"
#include "table/column_metrics.h"
#include "table/parquet_file.h"

namespace millrace::table {
namespace {

class ParquetDataWriter final : public DataWriter {
 public:
  ParquetDataWriter(ObjectStore& store, const std::string& location, const iceberg::Schema& schema,
                    const iceberg::PartitionSpec& spec, std::vector<iceberg::Literal> partition,
                    const std::string& write_id, const DataWriterOptions& options)
      : store_(store),
        schema_(schema),
        spec_id_(spec.spec_id),
        partition_(std::move(partition)),
        options_(options) {
    const std::string folder = iceberg::PartitionPath(spec, schema, partition_);
    prefix_ = location + "/data/" + (folder.empty() ? "" : folder + "/") + write_id + "-";
  }

  ~ParquetDataWriter() override {
    if (!finished_) DeleteWritten();
  }

  Status Write(const arrow::RecordBatch& batch) override {
    if (batch.num_columns() != static_cast<int>(schema_.fields.size())) {
      return Fail(ErrorKind::kInternal, "a batch of {} columns for a schema of {}",
                  batch.num_columns(), schema_.fields.size());
    }
    // Slices keep the overshoot over the target size, and what the columns' encoders hold, within a
    // row group.
    for (int64_t done = 0; done < batch.num_rows();) {
      const auto slice =
          batch.Slice(done, std::min(batch.num_rows() - done, options_.row_group_rows));
      MR_TRY(WriteSlice(*slice));
      done += slice->num_rows();
    }
    return {};
  }

  Result<std::vector<iceberg::DataFile>> Finish() override {
    if (file_ != nullptr) MR_TRY(CloseFile());
    finished_ = true;
    return std::move(files_);
  }

 private:
  Status WriteSlice(const arrow::RecordBatch& batch) {
    if (file_ == nullptr) {
      MR_FAILPOINT("table.before_data_file");
      path_ = Format("{}{:05}.parquet", prefix_, files_.size());
      MR_ASSIGN(const std::string relative, store_.Relative(path_));
      ParquetFile::Options options{options_.row_group_rows, options_.zstd_level,
                                   options_.use_threads};
      MR_ASSIGN(file_, ParquetFile::Create(store_, relative, schema_, options));
      metrics_.emplace(schema_);
    }
    MR_TRY(metrics_->Add(batch));
    MR_TRY(file_->Write(batch));
    if (file_->estimated_size() >= options_.target_file_bytes) return CloseFile();
    return {};
  }

  Status CloseFile() {
    MR_ASSIGN(ParquetFile::Written written, file_->Finish());
    file_.reset();
    iceberg::DataFile file;
    file.path = path_;
    file.spec_id = spec_id_;
    file.partition = partition_;
    file.record_count = written.rows;
    file.file_size = written.size;
    file.column_sizes = std::move(written.column_sizes);
    file.split_offsets = std::move(written.split_offsets);
    metrics_->Fill(file);
    files_.push_back(std::move(file));
    MR_FAILPOINT("table.after_data_file");
    return {};
  }

  void DeleteWritten() {
    file_.reset();
    for (const iceberg::DataFile& file : files_) {
      const auto relative = store_.Relative(file.path);
      // What cannot be deleted now is an orphan that nothing refers to.
      if (relative.ok()) (void)store_.Delete(*relative).ok();
    }
  }

  ObjectStore& store_;
  const iceberg::Schema schema_;
  const int32_t spec_id_;
  const std::vector<iceberg::Literal> partition_;
  const DataWriterOptions options_;
  std::string prefix_;
  std::string path_;
  std::unique_ptr<ParquetFile> file_;
  std::optional<ColumnMetrics> metrics_;
  std::vector<iceberg::DataFile> files_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<DataWriter> DataWriter::New(ObjectStore& store, const std::string& location,
                                            const iceberg::Schema& schema,
                                            const iceberg::PartitionSpec& spec,
                                            std::vector<iceberg::Literal> partition,
                                            const std::string& write_id,
                                            const DataWriterOptions& options) {
  return std::make_unique<ParquetDataWriter>(store, location, schema, spec, std::move(partition),
                                             write_id, options);
}

}  // namespace millrace::table
