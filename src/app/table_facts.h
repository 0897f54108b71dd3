#pragma once

#include <cstdint>
#include <optional>

#include "app/lake.h"
#include "base/result.h"

namespace millrace::app {

// What a table's manifests say of it at one snapshot, without opening a data file.
struct TableFacts {
  int64_t rows = 0;                // deleted positions left out
  std::optional<int64_t> current;  // of these with is_current; Silver tables only
  int64_t data_files = 0, delete_files = 0;
  int64_t bytes = 0;                   // of both
  int64_t snapshots = 0;               // that the table keeps
  std::optional<Micros> published_at;  // of the snapshot
};
Result<TableFacts> ReadTableFacts(table::ManifestCache& cache, const PinnedTable& pinned);

}  // namespace millrace::app
