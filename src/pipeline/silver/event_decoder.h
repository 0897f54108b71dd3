#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iceberg/schema.h"
#include "model/table_schema.h"
#include "pipeline/silver/event.h"
#include "pipeline/silver/layout.h"

namespace millrace::silver {

// One Bronze file in columns.
struct DecodedFile {
  std::vector<Event>
      events;  // in file order; row, key and old_key number the rows of `values` and `keys`
  arrow::ArrayVector values;  // one per column of the layout
  arrow::ArrayVector texts;   // beside them, nullptr where no value needed it
  arrow::ArrayVector keys;  // the key columns, one row per key seen; empty for tables without a key
  size_t missing_words = 0;       // uint64 words per bitmap
  std::vector<uint64_t> missing;  // bit i of a bitmap: column i of the layout
  std::vector<size_t> absent;     // columns of the layout that the file's schema version lacks
  int64_t rows = 0, key_rows = 0;
};

// Decodes lines of one Bronze file (docs/formats/events.md, profile exact): the whole file, or a
// part that starts at byte `offset` and ends after a newline. kDecodePadding bytes after the end
// must be readable. `columns` are the Iceberg types of the layout's columns, in order. kCorrupt
// names `what`, the place and the column, never the value. Thread-safe.
inline constexpr size_t kDecodePadding = 64;
Result<DecodedFile> DecodeEvents(std::string_view lines, int64_t offset, const Layout& layout,
                                 const std::vector<iceberg::TypePtr>& columns,
                                 const TableSchema& source, std::string_view what);

// Cuts `lines` after newlines into at most `parts` parts of about the same size, none of them
// small.
std::vector<std::string_view> SplitLines(std::string_view lines, int parts);

}  // namespace millrace::silver
