#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/bronze_commit.h"
#include "pipeline/silver/layout.h"
#include "pipeline/silver/silver_options.h"
#include "pipeline/silver/staged_table.h"
#include "port/catalog.h"
#include "port/clock.h"
#include "port/object_store.h"
#include "table/scan.h"

namespace millrace::silver {

// A Silver table with what its properties say.
struct SilverTable {
  LoadedTable loaded;
  Layout layout;
  std::string topic, source;
  int64_t mark = 0;           // Bronze commits up to this one are in
  EventPosition last{0, -2};  // of the newest event that is in
};
// kInvalidInput when the table is not one of ours.
Result<SilverTable> OpenSilverTable(LoadedTable loaded);

// What the steps of one table need.
struct StepContext {
  ObjectStore& bronze;
  ObjectStore& lake;
  table::ManifestCache& manifests;
  const Clock& clock;
  const SilverOptions& options;
  std::stop_token stop;  // a long step looks at it now and then
};

// Committed files of one topic, in order, and what the table's mark becomes with them.
struct TableInput {
  std::string topic, source;
  std::vector<BronzeFile> files;
  std::optional<TableSchema> schema;  // of a table without rows so far: made empty
  // Of a table that was held back: the newest schema version in Bronze.
  std::optional<TableSchema> settled;
  int64_t mark = 0;
};

struct TableStep {
  TableIdent ident;
  LoadedTable before;                 // without metadata when the table is new
  std::optional<StagedTable> staged;  // absent when nothing changed
  std::vector<std::string> written;   // files to delete when the commit fails (relative paths)
  MergeStats stats;
};

// Takes the files into the table: decodes, follows the schema, merges, stages. `existing` is absent
// for a new table. Errors of the kinds that HoldsBackTable names are about this table alone.
Result<TableStep> StepTable(const StepContext& context, const TableIdent& ident,
                            const std::optional<SilverTable>& existing, const TableInput& input);

}  // namespace millrace::silver
