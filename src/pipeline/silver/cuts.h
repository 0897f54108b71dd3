#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "pipeline/silver/quarantine.h"
#include "port/catalog.h"
#include "port/object_store.h"
#include "table/scan.h"
#include "table/snapshot_producer.h"

// The table of cuts: docs/formats/cuts.md.
namespace millrace::silver {

// What the newest cut says; kept as properties of the table, so that a start reads no rows.
struct CutMark {
  int64_t cut = 0;  // 0: none so far
  int64_t bronze_commit =
      0;  // all Bronze commits up to this one are in every table that is not held back
  std::string bronze_writer;  // who wrote that commit: another's is of another log; may be empty
  std::string source;         // "<system id>/<topic prefix>"; empty before the first cut
  std::vector<HeldTable> held;
};
Result<CutMark> MarkOf(const iceberg::TableMetadata& cuts);

// The tables of the newest cut, as they are named there.
Result<std::set<std::string>> TablesOfNewestCut(ObjectStore& store, table::ManifestCache& manifests,
                                                const iceberg::TableMetadata& cuts);

struct CutRow {
  SourcePosition position;
  Micros published_at = 0;
  std::vector<std::pair<std::string, int64_t>> tables;  // "silver.orders", its snapshot
};

// A commit that appends a row and sets the mark, and makes the table when `base` is absent. Small
// files are folded, rows older than a week left out of what is folded: the snapshots that they name
// are gone.
struct StagedCut {
  TableCommit commit;
  int64_t snapshot_id = 0;
  std::vector<std::string> written;  // files to delete when the commit fails (relative paths)
};
Result<StagedCut> StageCut(ObjectStore& store, table::ManifestCache& manifests,
                           const TableIdent& ident, const std::optional<LoadedTable>& base,
                           const CutMark& mark, const CutRow& row);

}  // namespace millrace::silver
