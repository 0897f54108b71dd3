#include "pipeline/gold/cut_reader.h"

#include <arrow/api.h>

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "pipeline/gold/engine_rows.h"
#include "table/pin.h"

namespace millrace::gold {
namespace {

// For each table the newest cut that names it. UNNEST is DuckDB's; Spark says LATERAL VIEW explode,
// but cuts are read here only.
constexpr const char* kSql =
    "SELECT cut, commit_lsn, ordinal, entry.\"table\" AS name, entry.snapshot_id FROM "
    "(SELECT cut, commit_lsn, ordinal, unnest(tables) AS entry FROM \"_millrace\".cuts) AS named "
    "QUALIFY row_number() OVER (PARTITION BY entry.\"table\" ORDER BY cut DESC) = 1";

Result<Cut> Read(Engine& engine, std::stop_token stop) {
  MR_ASSIGN(const auto rows, ReadRows(engine, kSql, stop));
  const auto column = [&](const char* name) {
    return rows->num_rows() == 0 ? nullptr : rows->GetColumnByName(name)->chunk(0);
  };
  const auto cuts = std::static_pointer_cast<arrow::Int64Array>(column("cut"));
  const auto lsns = std::static_pointer_cast<arrow::Int64Array>(column("commit_lsn"));
  const auto ordinals = column("ordinal");
  const auto names = std::static_pointer_cast<arrow::StringArray>(column("name"));
  const auto snapshots = std::static_pointer_cast<arrow::Int64Array>(column("snapshot_id"));
  Cut cut;
  for (int64_t i = 0; i < rows->num_rows(); ++i) {
    CutTable table;
    table.snapshot_id = snapshots->Value(i);
    table.position.commit_lsn = static_cast<Lsn>(lsns->Value(i));
    table.position.ordinal = ordinals->type_id() == arrow::Type::INT32
                                 ? static_cast<const arrow::Int32Array&>(*ordinals).Value(i)
                                 : static_cast<const arrow::Int64Array&>(*ordinals).Value(i);
    cut.number = std::max(cut.number, cuts->Value(i));
    cut.tables.emplace(names->GetString(i), table);
  }
  return cut;
}

}  // namespace

Result<std::optional<Cut>> ReadNewestCut(Catalog& catalog, table::ManifestCache& cache,
                                         Engine& engine, const std::set<std::string>& wanted,
                                         std::stop_token stop) {
  const auto loaded = catalog.LoadTable(MakeIdent("_millrace", "cuts"));
  if (!loaded.ok()) {
    if (loaded.error().kind() == ErrorKind::kNotFound) return std::optional<Cut>();
    return loaded.error();
  }
  if (loaded->metadata.CurrentSnapshot() == nullptr) return std::optional<Cut>();
  MR_ASSIGN(EngineTable all, table::Pin(cache, *loaded));
  // Files are added one a cut and folded from time to time: the newest cut lies in a file of the
  // highest sequence number.
  MR_ASSIGN(const table::ScanPlan plan,
            table::PlanScan(cache, loaded->metadata, loaded->metadata.current_snapshot_id, {}));
  int64_t newest = 0;
  for (const table::FileTask& task : plan.tasks)
    newest = std::max(newest, task.entry->sequence_number.value_or(0));
  std::set<std::string> newest_files;
  for (const table::FileTask& task : plan.tasks) {
    if (task.entry->sequence_number.value_or(0) == newest)
      newest_files.insert(task.entry->file.path);
  }
  EngineTable recent = all;
  std::erase_if(recent.files,
                [&](const ScanFile& file) { return !newest_files.contains(file.path); });
  MR_TRY(engine.Register(recent));
  MR_ASSIGN(Cut cut, Read(engine, stop));
  const bool complete = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
    return cut.tables.contains(name);
  });
  if (!complete && recent.files.size() < all.files.size()) {
    MR_TRY(engine.Register(all));
    MR_ASSIGN(cut, Read(engine, stop));
  }
  return std::optional<Cut>(std::move(cut));
}

}  // namespace millrace::gold
