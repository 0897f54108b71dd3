#include "table/pin.h"

#include <utility>

#include "base/format.h"
#include "base/text.h"

namespace millrace::table {

Result<EngineTable> Pin(ManifestCache& cache, const LoadedTable& table,
                        std::optional<int64_t> snapshot_id,
                        const std::vector<Predicate>& predicates) {
  const iceberg::TableMetadata& metadata = table.metadata;
  const iceberg::Snapshot* snapshot =
      snapshot_id.has_value() ? metadata.FindSnapshot(*snapshot_id) : metadata.CurrentSnapshot();
  if (snapshot_id.has_value() && snapshot == nullptr) {
    return Fail(ErrorKind::kNotFound, "table {} has no snapshot {} any more; it has expired",
                table.ident.ToString(), *snapshot_id);
  }
  EngineTable pinned;
  pinned.space = Join(table.ident.levels, ".");
  pinned.name = table.ident.name;
  const iceberg::Schema* schema = snapshot != nullptr && snapshot->schema_id.has_value()
                                      ? metadata.FindSchema(*snapshot->schema_id)
                                      : nullptr;
  pinned.schema = schema != nullptr ? *schema : metadata.CurrentSchema();
  if (snapshot == nullptr) return pinned;
  MR_ASSIGN(ScanPlan plan, PlanScan(cache, metadata, snapshot->snapshot_id, predicates));
  pinned.files.reserve(plan.tasks.size());
  for (const FileTask& task : plan.tasks) {
    ScanFile file;
    file.path = task.entry->file.path;
    file.size = task.entry->file.file_size;
    file.records = task.entry->file.record_count;
    for (const SharedEntry& entry : task.deletes) file.delete_files.push_back(entry->file.path);
    pinned.files.push_back(std::move(file));
  }
  return pinned;
}

}  // namespace millrace::table
