#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "base/result.h"
#include "iceberg/schema.h"

namespace millrace::table {

// Iceberg to Arrow with PARQUET:field_id on every field, list elements included (P1). timestamptz =
// timestamp[us, UTC]; uuid is fixed_size_binary(16); string/binary have 32-bit offsets.
std::shared_ptr<arrow::DataType> ToArrow(const iceberg::Type& type);
std::shared_ptr<arrow::Schema> ToArrow(const iceberg::Schema& schema);
// Arrow to Iceberg for query results (Gold): field ids are given in order. kUnsupported names a
// column without an Iceberg type; hugeint/decimal(38,0), unsigned and small ints are widened.
Result<iceberg::Schema> FromArrow(const arrow::Schema& schema);

// An Arrow status as ours: an error of the object store keeps its kind, other I/O is kUnavailable,
// what Arrow cannot decode kCorrupt.
Status FromArrowStatus(const arrow::Status& status, const char* what);

}  // namespace millrace::table
