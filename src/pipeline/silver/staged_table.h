#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/catalog.h"
#include "port/object_store.h"
#include "table/scan.h"
#include "table/snapshot_producer.h"

// One table's part of a commit: a snapshot on top of what is there, or on top of a table that the
// same commit makes.
namespace millrace::silver {

struct TableBase {
  LoadedTable loaded;
  std::optional<TableCommit> create;  // set when the table does not exist yet
};
// `make` describes the table when it is new; its ident and, if empty, its location
// (<store>/<namespace>/<name>) are filled in.
Result<TableBase> BaseOf(ObjectStore& store, const TableIdent& ident,
                         const std::optional<LoadedTable>& existing,
                         const std::function<table::NewTable()>& make);

struct StagedTable {
  TableCommit commit;
  int64_t snapshot_id = 0;
  std::vector<std::string> new_files;  // metadata files of this attempt (relative paths)
};
// Stages `change` and the expiry that is due.
Result<StagedTable> StageOn(ObjectStore& store, table::ManifestCache& manifests, TableBase base,
                            const table::SnapshotChange& change, const table::Retention& retention,
                            Micros now);
// The table as `staged` will leave it, for another snapshot of the same commit.
Result<TableBase> BaseAfter(const TableBase& base, const StagedTable& staged, Micros now);
// Both in one commit; `second` is staged on BaseAfter of `first`.
StagedTable InOneCommit(StagedTable first, StagedTable second);

}  // namespace millrace::silver
