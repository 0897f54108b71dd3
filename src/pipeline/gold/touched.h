#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iceberg/literal.h"
#include "iceberg/partition.h"
#include "iceberg/type.h"
#include "model/position.h"

// From changed rows to the partitions that they touch. Pure functions.
namespace millrace::gold {

// Months of a date or timestamp, otherwise the value itself. kInvalidInput names the column when
// its type cannot partition a table.
Result<iceberg::PartitionSpec> SpecFor(const iceberg::Field& column);

// SELECT of the distinct periods (first days of months, or values) that rows of `relation` changed
// after `after` touch. `from` and `to` are the relations to read: those that may hold rows opened,
// and rows closed, after it. One column, `period`.
std::string TouchedSql(const std::string& expression, const std::string& alias,
                       const std::string& from, const std::string& to, const EventPosition& after,
                       const iceberg::PartitionField& partition);

// The partition value of one `period`: the month of a date, or the value in the column's own width.
// nullopt when it is of another type.
std::optional<iceberg::Literal> PartitionOfPeriod(const iceberg::Literal& period,
                                                  const iceberg::PartitionField& partition,
                                                  const iceberg::Type& column_type);

// The rows of the given partitions, as a condition on `column`. Partition values as the spec's
// transform gives them; runs of months become one range. REQUIRES: not empty.
std::string PartitionCondition(const std::string& column, const iceberg::Type& type,
                               const iceberg::PartitionField& partition,
                               std::vector<iceberg::Literal> values);

std::string QuoteName(std::string_view name);

}  // namespace millrace::gold
