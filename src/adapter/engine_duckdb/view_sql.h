#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "port/engine.h"

// One pinned table as one SELECT that DuckDB runs. Pure functions.
namespace millrace::duckdb_engine {

std::string QuoteName(std::string_view name);  // "a""b"
std::string QuoteText(std::string_view text);  // 'it''s'

// "DECIMAL(12,2)", "BIGINT[]", "STRUCT("a" INTEGER)": the type that holds every value of the
// Iceberg type. uuid is UUID, fixed BLOB.
std::string SqlType(const iceberg::Type& type);

// The local path of a manifest's file:// URI. kUnsupported for other schemes and for paths with
// glob characters, which DuckDB would expand.
Result<std::string> LocalPath(std::string_view uri);

// SELECT of the schema's columns over the files. Columns are found by field id; filename and
// file_row_number drop the deleted rows. Without files: no rows of the same types.
Result<std::string> ViewSql(const EngineTable& table);

}  // namespace millrace::duckdb_engine
