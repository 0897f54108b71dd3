#include "pipeline/silver/staged_table.h"

#include "base/text.h"
#include "iceberg/update.h"

namespace millrace::silver {

Result<TableBase> BaseOf(ObjectStore& store, const TableIdent& ident,
                         const std::optional<LoadedTable>& existing,
                         const std::function<table::NewTable()>& make) {
  TableBase base;
  if (existing) {
    base.loaded = *existing;
    return base;
  }
  table::NewTable table = make();
  table.ident = ident;
  if (table.location.empty())
    table.location = store.Absolute(Join(ident.levels, "/") + "/" + ident.name);
  base.create = table::StageCreate(table);
  MR_ASSIGN(base.loaded.metadata, iceberg::Apply(nullptr, "", base.create->updates, 0));
  base.loaded.ident = ident;
  return base;
}

Result<StagedTable> StageOn(ObjectStore& store, table::ManifestCache& manifests, TableBase base,
                            const table::SnapshotChange& change, const table::Retention& retention,
                            Micros now) {
  MR_ASSIGN(table::StagedSnapshot staged,
            table::StageSnapshot(store, manifests, base.loaded, change, now));
  StagedTable out;
  out.snapshot_id = staged.snapshot_id;
  out.new_files = std::move(staged.new_metadata_files);
  out.commit = std::move(staged.commit);
  if (base.create) {
    // What the snapshot requires of its base is given by the same commit; all that must hold is
    // that the table is not there yet.
    out.commit.requirements = std::move(base.create->requirements);
    std::vector<iceberg::TableUpdate> updates = std::move(base.create->updates);
    for (iceberg::TableUpdate& update : out.commit.updates) updates.push_back(std::move(update));
    out.commit.updates = std::move(updates);
  }
  for (iceberg::TableUpdate& update :
       table::ExpireSnapshots(base.loaded.metadata, retention, now)) {
    out.commit.updates.push_back(std::move(update));
  }
  return out;
}

}  // namespace millrace::silver
