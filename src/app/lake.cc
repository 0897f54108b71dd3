#include "app/lake.h"

#include <algorithm>
#include <set>

#include "app/registry.h"
#include "base/format.h"
#include "pipeline/gold/cut_reader.h"

namespace millrace::app {

Result<std::unique_ptr<Lake>> OpenLake(const Config& config) {
  auto lake = std::make_unique<Lake>();
  MR_ASSIGN(lake->bronze, OpenObjectStore(config.lake.bronze()));
  MR_ASSIGN(lake->warehouse, OpenObjectStore(config.lake.warehouse()));
  MR_ASSIGN(lake->catalog, OpenCatalog(config, *lake->warehouse, lake->clock));
  lake->cache = std::make_unique<table::ManifestCache>(*lake->warehouse);
  return lake;
}

Result<std::unique_ptr<Lake>> OpenExistingLake(const Config& config) {
  std::error_code error;
  if (!std::filesystem::exists(config.lake.bronze(), error) &&
      !std::filesystem::exists(config.lake.catalog(), error)) {
    return Fail(
        ErrorKind::kNotFound,
        "there is no lake at {} yet: `millrace up` makes it, or lake.path in {} names another",
        config.lake.path.string(), config.file.string());
  }
  return OpenLake(config);
}

Result<std::vector<PinnedTable>> PinNewest(Lake& lake, Engine& engine) {
  std::vector<PinnedTable> pinned;
  MR_ASSIGN(std::vector<TableIdent> silver, lake.catalog->ListTables({"silver"}));
  std::sort(silver.begin(), silver.end());
  std::set<std::string> wanted;
  for (const TableIdent& ident : silver) wanted.insert(ident.ToString());
  MR_ASSIGN(const std::optional<gold::Cut> cut,
            gold::ReadNewestCut(*lake.catalog, *lake.cache, engine, wanted, {}));
  for (const TableIdent& ident : silver) {
    MR_ASSIGN(LoadedTable table, lake.catalog->LoadTable(ident));
    std::optional<int64_t> snapshot = table.metadata.current_snapshot_id;
    if (cut.has_value()) {
      if (const auto named = cut->tables.find(ident.ToString()); named != cut->tables.end())
        snapshot = named->second.snapshot_id;
    }
    pinned.push_back({std::move(table), snapshot});
  }
  MR_ASSIGN(std::vector<TableIdent> gold, lake.catalog->ListTables({"gold"}));
  std::sort(gold.begin(), gold.end());
  for (const TableIdent& ident : gold) {
    MR_ASSIGN(LoadedTable table, lake.catalog->LoadTable(ident));
    const std::optional<int64_t> snapshot = table.metadata.current_snapshot_id;
    pinned.push_back({std::move(table), snapshot});
  }
  return pinned;
}

}  // namespace millrace::app
