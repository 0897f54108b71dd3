#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "port/catalog.h"
#include "port/clock.h"
#include "port/object_store.h"
#include "table/scan.h"

namespace millrace::table {

// Deletes what killed writers left in the folder of `table`: Parquet, Avro and metadata files that
// no snapshot, no manifest and no entry of the metadata log names. Only files at least `grace`
// older than the newest one there, by the store's own times: a commit that is under way has young
// files, and a clock of ours that is wrong endangers none. REQUIRES: this process is the table's
// only writer, and none of its own commits is under way. Returns how many files were deleted.
Result<int64_t> RemoveOrphans(ObjectStore& store, ManifestCache& cache, Catalog& catalog,
                              const TableIdent& table, Micros grace);

// Looks at tables one by one, each once a day: for passes of a stage that have nothing else to do.
class OrphanSweep {
 public:
  OrphanSweep(ObjectStore& store, ManifestCache& cache, Catalog& catalog, const Clock& clock)
      : store_(store), cache_(cache), catalog_(catalog), clock_(clock) {}

  // Takes one of the tables whose turn it is, if any. A failure is logged and tried again tomorrow.
  void Pass(const std::vector<TableIdent>& tables);

 private:
  ObjectStore& store_;
  ManifestCache& cache_;
  Catalog& catalog_;
  const Clock& clock_;
  std::map<TableIdent, Micros> next_;
};

}  // namespace millrace::table
