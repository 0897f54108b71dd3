#pragma once

#include <arrow/type_fwd.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "iceberg/literal.h"
#include "iceberg/manifest.h"
#include "port/object_store.h"

namespace millrace::gold {

// One value of an Arrow array as Iceberg's. kUnsupported for types that cannot be partition columns
// of Gold.
Result<iceberg::Literal> LiteralAt(const arrow::Array& array, int64_t row);

struct WrittenRows {
  std::vector<iceberg::DataFile> files;
  int64_t rows = 0;
  int64_t partitions = 0;
};

// Writes rows, sorted by the partition column, as data files of `schema` and `spec`. Columns are
// found by name and cast to the table's types. On an error the files already written are deleted.
Result<WrittenRows> WritePartitions(ObjectStore& store, const std::string& location,
                                    const iceberg::Schema& schema,
                                    const iceberg::PartitionSpec& spec, const std::string& write_id,
                                    arrow::RecordBatchReader& rows);

// Best effort: what is left over is an orphan that nothing names.
void DeleteDataFiles(ObjectStore& store, const std::vector<iceberg::DataFile>& files);

}  // namespace millrace::gold
