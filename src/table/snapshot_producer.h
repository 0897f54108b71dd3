#pragma once

#include <optional>
#include <string>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/metadata.h"
#include "iceberg/update.h"
#include "port/catalog.h"
#include "port/object_store.h"
#include "table/scan.h"

namespace millrace::table {

// What one snapshot adds and removes. A removed file must be live in the base. Everything the table
// had besides stays.
struct SnapshotChange {
  std::vector<iceberg::DataFile> added_data;
  std::vector<iceberg::ManifestEntry> removed_data;
  std::vector<iceberg::DataFile> added_deletes;
  std::vector<iceberg::ManifestEntry> removed_deletes;
  iceberg::Properties
      summary;  // merged over the standard keys; "operation" is derived unless given
  iceberg::Properties properties;         // table properties set in the same commit
  std::optional<iceberg::Schema> schema;  // the schema the added files were written with, when it
                                          // is not the base's current one
  std::optional<int32_t> last_column_id;  // with `schema`
};

// A snapshot that is written but not committed: hand `commit` to Catalog::Commit, alone or with
// other tables'.
struct StagedSnapshot {
  int64_t snapshot_id = 0;
  TableCommit commit;
  std::vector<std::string> new_metadata_files;  // manifests and list of this attempt (relative
                                                // paths): to delete on a clean failure
};

// Writes manifests and a manifest list on top of `base` and says what to commit. Requirements: the
// table's uuid, main at base's snapshot, and the schema and field ids when they change: on
// kConflict reload, validate, and stage again (a merge plans anew; positions may have moved). Keeps
// manifests few: small ones of the same spec and content are merged into the new one; DELETED
// entries are written once and dropped at the next rewrite. Totals in the summary are carried on
// from the parent. kConflict when a removed file is not live in base.
Result<StagedSnapshot> StageSnapshot(ObjectStore& store, ManifestCache& cache,
                                     const LoadedTable& base, const SnapshotChange& change,
                                     Micros now);

// What a new table is made of; StageCreate gives its first commit, with no snapshot.
struct NewTable {
  TableIdent ident;
  std::string location;  // URI under the store's root
  iceberg::Schema schema;
  iceberg::PartitionSpec spec;
  iceberg::Properties properties;  // over the defaults: merge-on-read, file granularity, zstd (M12)
};
TableCommit StageCreate(const NewTable& table);

// Retention: which snapshots to remove now, as updates for a commit: keep the newest `keep_last`,
// one an hour for `keep_hours`, and all that a ref names. Empty when nothing is due.
struct Retention {
  int keep_last = 100;
  int keep_hours = 7 * 24;
};
std::vector<iceberg::TableUpdate> ExpireSnapshots(const iceberg::TableMetadata& metadata,
                                                  const Retention& retention, Micros now);

// After a commit removed snapshots: deletes the files that only they reached (data, deletes,
// manifests, lists) and metadata files that fell off the log. Never call it when the commit's
// outcome is unknown. Missing files are no error, files outside the store's root are left. Returns
// how many were deleted.
Result<int64_t> DeleteUnreachable(ObjectStore& store, ManifestCache& cache,
                                  const iceberg::TableMetadata& before,
                                  const iceberg::TableMetadata& after);

}  // namespace millrace::table
