#pragma once

#include <vector>

#include "base/result.h"
#include "pipeline/silver/event_decoder.h"
#include "pipeline/silver/silver_table.h"

namespace millrace::silver {

// The schema versions of a table's files: `of_file[i]` is the place in `versions` of file i's;
// `versions` is in the order of the stream, the same version twice when the table went back to it.
struct SchemaVersions {
  std::vector<TableSchema> versions;
  std::vector<size_t> of_file;
};
Result<SchemaVersions> ReadSchemas(ObjectStore& bronze, const std::vector<BronzeFile>& files);
// Those of files [begin, end).
SchemaVersions Slice(const SchemaVersions& all, size_t begin, size_t end);
// Ends of the runs of files that one merge each takes: a column with a default, which rows written
// before it show too, has to find them in the table. Ascending, the last is the number of files.
// Pure.
std::vector<size_t> SplitAtDefaults(const SchemaVersions& schemas, const Layout& layout);

// Reads and decodes files on the context's threads: several files side by side, one file in parts.
// In stream order.
Result<std::vector<DecodedFile>> DecodeFiles(const StepContext& context,
                                             const std::vector<BronzeFile>& files,
                                             const Layout& layout,
                                             const std::vector<iceberg::TypePtr>& columns,
                                             const std::vector<const TableSchema*>& schemas);

// The Iceberg types of the layout's columns.
std::vector<iceberg::TypePtr> ColumnTypes(const Layout& layout, const iceberg::Schema& schema);

}  // namespace millrace::silver
