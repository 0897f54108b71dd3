#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "pipeline/silver/file_decoding.h"
#include "pipeline/silver/schema_evolution.h"
#include "pipeline/silver/silver_table.h"
#include "pipeline/silver/table_merge.h"

namespace millrace::silver {

// Loads the files of an initial snapshot into an empty table, one file after the other, so that
// memory does not grow with the table. Rows of one snapshot have distinct keys, so nothing is
// looked up or folded. nullopt, with nothing written, when the events are not all snapshot rows of
// one position: then the general merge has to do it. `evolution` gains the text columns that values
// need.
Result<std::optional<MergeOutcome>> LoadSnapshot(const StepContext& context,
                                                 const iceberg::TableMetadata& base,
                                                 const std::string& write_id,
                                                 const std::vector<BronzeFile>& files,
                                                 const SchemaVersions& schemas,
                                                 SchemaEvolution& evolution);

}  // namespace millrace::silver
