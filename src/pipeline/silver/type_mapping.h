#pragma once

#include <string>

#include "base/result.h"
#include "iceberg/type.h"
#include "model/table_schema.h"

// LogicalType -> Iceberg: docs/formats/types.md has a row per type.
namespace millrace::silver {

// The type of the Silver column for values of `type`. Nested field ids are 0: whoever adds the
// column gives them out.
iceberg::TypePtr IcebergTypeOf(const LogicalType& type);

// How a Silver column of type `current` takes values of a source column that is now `wanted`.
enum class TypeChange {
  kNone,     // the column holds every value of the new type already
  kWiden,    // it does after a promotion to `target`
  kRefused,  // it cannot without changing what it is
};
struct TypeChangePlan {
  TypeChange change;
  iceberg::TypePtr target;  // kWiden only
};
TypeChangePlan PlanTypeChange(const iceberg::TypePtr& current, const iceberg::TypePtr& wanted);

// kUnsupported when equality of this column's values cannot be decided by a canonical form
// (types.md, "Keys").
Status CheckKeyType(const SourceColumn& column);

}  // namespace millrace::silver
