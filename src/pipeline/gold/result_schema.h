#pragma once

#include <optional>

#include "base/result.h"
#include "iceberg/metadata.h"
#include "iceberg/schema.h"

namespace millrace::gold {

// How a Gold table's schema follows its SQL's columns.
struct SchemaFit {
  iceberg::Schema schema;                 // the table's, with every column of the result
  std::optional<int32_t> last_column_id;  // set when it is a new schema
  bool changed() const { return last_column_id.has_value(); }
};

// Columns are matched by name. A new column is added, a missing one dropped, a wider type promoted;
// a type that cannot be promoted to drops the column and adds it anew: the caller recomputes all
// rows when anything changed. A narrower type is cast up. kInvalidInput when the partition column's
// type changes.
Result<SchemaFit> FitSchema(const iceberg::TableMetadata& table, const iceberg::Schema& result,
                            std::string_view partition_column);

}  // namespace millrace::gold
