#pragma once

#include <optional>
#include <vector>

#include "port/catalog.h"
#include "port/engine.h"
#include "table/scan.h"

namespace millrace::table {

// The table as of a snapshot for an engine: the snapshot's schema, and the files that may hold rows
// which match all `predicates` (the rows themselves are not filtered). No snapshot id: the current
// one; a table without any has no rows. Named in SQL after its identifier. kNotFound names the
// table when the snapshot has expired.
Result<EngineTable> Pin(ManifestCache& cache, const LoadedTable& table,
                        std::optional<int64_t> snapshot_id = std::nullopt,
                        const std::vector<Predicate>& predicates = {});

}  // namespace millrace::table
