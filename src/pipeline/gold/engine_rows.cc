#include "pipeline/gold/engine_rows.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>

#include "table/arrow_schema.h"

namespace millrace::gold {

Result<std::shared_ptr<arrow::RecordBatchReader>> OpenRows(Engine& engine, const std::string& sql,
                                                           std::stop_token stop) {
  ArrowArrayStream stream;
  MR_TRY(engine.Query(sql, &stream, stop));
  auto reader = arrow::ImportRecordBatchReader(&stream);
  if (!reader.ok()) return table::FromArrowStatus(reader.status(), "the engine's result").error();
  return std::move(reader).ValueUnsafe();
}

Result<std::shared_ptr<arrow::Table>> ReadRows(Engine& engine, const std::string& sql,
                                               std::stop_token stop) {
  MR_ASSIGN(auto reader, OpenRows(engine, sql, stop));
  auto table = reader->ToTable();
  if (!table.ok()) return table::FromArrowStatus(table.status(), "the engine's result").error();
  auto combined = (*table)->CombineChunks();
  if (!combined.ok())
    return table::FromArrowStatus(combined.status(), "the engine's result").error();
  return std::move(combined).ValueUnsafe();
}

}  // namespace millrace::gold
