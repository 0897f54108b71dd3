#pragma once

#include <vector>

#include "base/result.h"
#include "model/table_schema.h"
#include "port/object_store.h"

namespace millrace::app {

// The newest versions of each table that Bronze holds events of, oldest first: those of the last
// thousand commits, and for tables that these do not name, the schema that was stored last.
Result<std::vector<TableSchema>> ReadNewestSchemas(ObjectStore& bronze);

}  // namespace millrace::app
