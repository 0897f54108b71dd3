#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/schema.h"
#include "port/object_store.h"

namespace millrace::table {

// Reads one Parquet data file by field id: columns that the file lacks come as null, promoted types
// are cast up. Rows keep their positions from the file's start even where row groups are skipped
// (M15). Deletes are not applied here.
class DataReader {
 public:
  // `use_threads`: decode columns in parallel on Arrow's CPU pool.
  static Result<std::unique_ptr<DataReader>> Open(ObjectStore& store, const iceberg::DataFile& file,
                                                  bool use_threads = false);
  virtual ~DataReader() = default;

  virtual int row_groups() const = 0;
  virtual int64_t row_group_start(int row_group) const = 0;  // position of its first row
  virtual int64_t row_group_rows(int row_group) const = 0;
  // The given columns of one row group, in the order and types of ToArrow for `fields`. Memory:
  // that row group's columns. Not thread-safe.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Read(
      int row_group, const std::vector<iceberg::Field>& fields) = 0;
};

}  // namespace millrace::table
