#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "iceberg/schema.h"

namespace millrace::table {

// The field id that an Arrow field carries (PARQUET:field_id); -1 when it has none.
int32_t FieldId(const arrow::Field& field);

// An array as ToArrow(*to.type), nested fields matched by id: promoted and widened values are cast,
// missing fields are null, fields not in `to` are left out. `from` describes the array. kCorrupt
// when a value does not fit.
Result<std::shared_ptr<arrow::Array>> Project(const arrow::Field& from,
                                              const std::shared_ptr<arrow::Array>& array,
                                              const iceberg::Field& to);
Result<std::shared_ptr<arrow::Array>> NullColumn(const iceberg::Field& field, int64_t length);

// A batch of a query as DataWriter takes it: columns by position and nested fields by name or
// place, cast to ToArrow(schema).
Result<std::shared_ptr<arrow::RecordBatch>> CastBatch(const arrow::RecordBatch& batch,
                                                      const iceberg::Schema& schema);

}  // namespace millrace::table
