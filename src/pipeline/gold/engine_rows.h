#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "port/engine.h"

namespace millrace::gold {

// The result of one SELECT as record batches. Release it before the engine's next query.
Result<std::shared_ptr<arrow::RecordBatchReader>> OpenRows(Engine& engine, const std::string& sql,
                                                           std::stop_token stop);
// All of it, for small results.
Result<std::shared_ptr<arrow::Table>> ReadRows(Engine& engine, const std::string& sql,
                                               std::stop_token stop);

}  // namespace millrace::gold
