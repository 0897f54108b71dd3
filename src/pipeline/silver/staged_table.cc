#include "pipeline/silver/staged_table.h"

#include <algorithm>
#include <iterator>

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

Result<TableBase> BaseAfter(const TableBase& base, const StagedTable& staged, Micros now) {
  TableBase after;
  after.loaded = base.loaded;
  const iceberg::TableMetadata* before = base.create ? nullptr : &base.loaded.metadata;
  MR_ASSIGN(after.loaded.metadata, iceberg::Apply(before, "", staged.commit.updates, now / 1000));
  return after;
}

StagedTable InOneCommit(StagedTable first, StagedTable second) {
  first.snapshot_id = second.snapshot_id;
  std::move(second.commit.updates.begin(), second.commit.updates.end(),
            std::back_inserter(first.commit.updates));
  std::move(second.new_files.begin(), second.new_files.end(), std::back_inserter(first.new_files));
  return first;
}

}  // namespace millrace::silver
