#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "iceberg/manifest.h"
#include "iceberg/schema.h"

namespace millrace::table {

// Counts and bounds of a data file's columns, taken from the Arrow arrays that are written: a
// Parquet footer drops the statistics of long strings and counts no NaN. Covers leaves at the top
// and inside structs (elements of lists and maps have no metrics, as in Java): the first
// `max_columns` and the identifier columns (write.metadata.metrics.max-inferred-column-defaults).
class ColumnMetrics {
 public:
  explicit ColumnMetrics(const iceberg::Schema& schema, size_t max_columns = 100);

  // Columns as ToArrow(schema).
  Status Add(const arrow::RecordBatch& batch);
  // Writes counts and bounds into `file`; strings and binaries are truncated (S1, S2).
  void Fill(iceberg::DataFile& file) const;

 private:
  struct Leaf {
    std::vector<int> path;  // child positions from the top
    int32_t id = 0;
    iceberg::TypePtr type;
    int64_t values = 0, nulls = 0, nans = 0;
    iceberg::Literal lower, upper;  // null while no value came
  };
  void Collect(const std::vector<iceberg::Field>& fields, std::vector<int>& path,
               std::vector<Leaf>& out) const;
  static Status AddArray(const arrow::Array& array, Leaf& leaf);

  std::vector<Leaf> leaves_;
};

}  // namespace millrace::table
