#pragma once

#include <vector>

#include "base/result.h"
#include "model/table_schema.h"
#include "port/object_store.h"

namespace millrace::app {

// The newest version of each table that Bronze holds events of: from the last thousand commits, and
// for tables that these do not name, the schema that was stored last.
Result<std::vector<TableSchema>> ReadNewestSchemas(ObjectStore& bronze);

}  // namespace millrace::app
