#pragma once

#include <cstddef>

#include "adapter/source_postgres/protocol/pgoutput.h"
#include "base/result.h"

namespace millrace::postgres {

// One row of COPY's text format (documentation of COPY, "File Formats") into `row`, which is as
// wide as the row must be. Escapes are undone in place; the values point into `data`. kCorrupt when
// the row has another number of columns.
Status ParseCopyRow(char* data, size_t size, Tuple& row);

}  // namespace millrace::postgres
