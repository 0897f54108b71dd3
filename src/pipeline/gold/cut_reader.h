#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "model/position.h"
#include "port/catalog.h"
#include "port/engine.h"
#include "table/scan.h"

namespace millrace::gold {

// One Silver table as a cut names it.
struct CutTable {
  int64_t snapshot_id = 0;
  EventPosition position;  // of the cut that named it: all changes up to here are in that snapshot
};

// The newest state of Silver in which all tables reach one position of the source
// (docs/formats/cuts.md). A table that is held back stands at the last cut that
// named it.
struct Cut {
  int64_t number = 0;
  std::map<std::string, CutTable> tables;  // by "silver.<table>"
};

// nullopt when Silver has published none yet. Reads only the newest rows where they name all of
// `wanted`.
Result<std::optional<Cut>> ReadNewestCut(Catalog& catalog, table::ManifestCache& cache,
                                         Engine& engine, const std::set<std::string>& wanted,
                                         std::stop_token stop);

}  // namespace millrace::gold
