#pragma once

#include <memory>

#include "iceberg/type.h"
#include "model/logical_type.h"
#include "pipeline/silver/column_builder.h"

// Values of a type that a source column had for a while and that its Silver column is not of: the
// table was held back meanwhile, and the column has its old type again.
namespace millrace::silver {

// A source type whose values a column of type `target` holds as they are.
LogicalType NativeType(const iceberg::Type& target);

// Hands values of `source` to `native`, an appender for NativeType(target), where the same value
// exists there: between integers, numerics and texts, written alike. Everything else is kText.
std::unique_ptr<ValueAppender> BridgeTo(std::unique_ptr<ValueAppender> native,
                                        const LogicalType& source, const iceberg::Type& target);

}  // namespace millrace::silver
