#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "adapter/source_postgres/events/captured_table.h"
#include "adapter/source_postgres/server/connection.h"
#include "base/result.h"

namespace millrace::postgres {

// The texts of a row's key columns, in key order.
using RowKey = std::vector<std::string>;

// The key of a row that has all of its key columns; a value that was not sent may be in `toast`.
RowKey KeyOfRow(const CapturedTable& table, const Tuple& row, const Tuple* toast);

// COPY (SELECT ...) TO STDOUT of the rows with one of the keys, partitions included. Pure.
// REQUIRES: the schema has a key, and keys are not empty.
std::string KeysSql(const TableSchema& schema, bool partitioned, const std::vector<RowKey>& keys);

// Calls `row` with each row that has one of the keys, as the connection's transaction sees them.
Status ReadKeys(Connection& connection, const CapturedTable& table, bool partitioned,
                const std::set<RowKey>& keys, const std::function<Status(const Tuple& row)>& row);

}  // namespace millrace::postgres
