#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "iceberg/schema.h"
#include "port/object_store.h"

namespace millrace::table {

// One Parquet file being written by the rules P1 to P13 of docs/formats/iceberg.md: field ids,
// decimals as integers, zstd, page index, no ARROW:schema. Private to this folder; DataWriter and
// the delete file writer are its users.
class ParquetFile {
 public:
  struct Options {
    int64_t row_group_rows = 128 << 10;
    int zstd_level = 1;
    bool use_threads = true;
  };
  struct Written {
    int64_t size = 0;
    int64_t rows = 0;
    std::vector<int64_t> split_offsets;
    std::map<int32_t, int64_t> column_sizes;  // by field id, leaves
  };

  // `path` is relative to the store.
  static Result<std::unique_ptr<ParquetFile>> Create(ObjectStore& store, const std::string& path,
                                                     const iceberg::Schema& schema,
                                                     const Options& options);
  virtual ~ParquetFile() = default;
  // Columns as ToArrow(schema).
  virtual Status Write(const arrow::RecordBatch& batch) = 0;
  // Bytes handed to the store so far plus what the open row group will take, roughly.
  virtual int64_t estimated_size() const = 0;
  // Durable on return.
  virtual Result<Written> Finish() = 0;
};

}  // namespace millrace::table
