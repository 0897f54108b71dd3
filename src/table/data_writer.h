#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/metadata.h"
#include "port/object_store.h"

namespace millrace::table {

struct DataWriterOptions {
  int64_t target_file_bytes = 128 << 20;
  int64_t row_group_rows = 128 << 10;
  int zstd_level = 1;
  bool use_threads = true;  // encode columns in parallel on Arrow's CPU pool
};

// Writes rows of one partition of a table into Parquet files of about the target size, with metrics
// for every column (bounds from the Arrow arrays, never from the footer). Files are durable when
// Finish returns, and belong to nobody until a snapshot lists them. On an error or destruction
// without Finish the files already written are deleted.
class DataWriter {
 public:
  // `location` is the table's (a URI under the store's root); `write_id` makes names unique and
  // findable.
  static std::unique_ptr<DataWriter> New(ObjectStore& store, const std::string& location,
                                         const iceberg::Schema& schema,
                                         const iceberg::PartitionSpec& spec,
                                         std::vector<iceberg::Literal> partition,
                                         const std::string& write_id,
                                         const DataWriterOptions& options);
  virtual ~DataWriter() = default;
  // Columns in the order and types of ToArrow(schema).
  virtual Status Write(const arrow::RecordBatch& batch) = 0;
  // The files written, none when no row came (P11).
  virtual Result<std::vector<iceberg::DataFile>> Finish() = 0;
};

}  // namespace millrace::table
