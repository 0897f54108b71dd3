#pragma once

#include <duckdb.h>

struct ArrowArrayStream;

namespace millrace::duckdb_engine {

// Hands a finished result on as an Arrow C stream, one record batch a chunk. Takes the result over;
// the stream's release destroys it.
void ExportResult(duckdb_result result, ArrowArrayStream* out);

}  // namespace millrace::duckdb_engine
