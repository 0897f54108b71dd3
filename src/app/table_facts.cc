#include "app/table_facts.h"

#include <set>

namespace millrace::app {
namespace {

struct Count {
  int64_t rows = 0, data_files = 0, delete_files = 0, bytes = 0;
};

// Position delete files may be listed with several data files; each of their rows deletes one
// position.
Count CountRows(const table::ScanPlan& plan) {
  Count count;
  std::set<std::string> deletes_seen;
  for (const table::FileTask& task : plan.tasks) {
    count.rows += task.entry->file.record_count;
    count.bytes += task.entry->file.file_size;
    ++count.data_files;
    for (const table::SharedEntry& entry : task.deletes) {
      if (!deletes_seen.insert(entry->file.path).second) continue;
      count.rows -= entry->file.record_count;
      count.bytes += entry->file.file_size;
      ++count.delete_files;
    }
  }
  return count;
}

}  // namespace

Result<TableFacts> ReadTableFacts(table::ManifestCache& cache, const PinnedTable& pinned) {
  const iceberg::TableMetadata& metadata = pinned.table.metadata;
  TableFacts facts;
  facts.snapshots = static_cast<int64_t>(metadata.snapshots.size());
  if (const iceberg::Snapshot* snapshot =
          pinned.snapshot_id ? metadata.FindSnapshot(*pinned.snapshot_id) : nullptr) {
    facts.published_at = snapshot->timestamp_ms * 1000;
  }
  MR_ASSIGN(const table::ScanPlan all, table::PlanScan(cache, metadata, pinned.snapshot_id, {}));
  const Count count = CountRows(all);
  facts.rows = count.rows;
  facts.data_files = count.data_files;
  facts.delete_files = count.delete_files;
  facts.bytes = count.bytes;
  // Silver is partitioned by is_current, so the files of current rows hold nothing else.
  if (const iceberg::Field* is_current = metadata.CurrentSchema().FindByName("is_current");
      is_current != nullptr && pinned.table.ident.levels == std::vector<std::string>{"silver"}) {
    MR_ASSIGN(const table::ScanPlan current,
              table::PlanScan(
                  cache, metadata, pinned.snapshot_id,
                  {{is_current->id, table::Predicate::Op::kEqual, {iceberg::Literal(true)}}}));
    facts.current = CountRows(current).rows;
  }
  return facts;
}

}  // namespace millrace::app
