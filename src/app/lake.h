#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "port/catalog.h"
#include "port/clock.h"
#include "port/engine.h"
#include "port/object_store.h"
#include "table/scan.h"

namespace millrace::app {

// What is stored: the Bronze log's objects, the tables' files, the catalog that names them. Stages
// and readers open one each.
struct Lake {
  SystemClock clock;
  std::unique_ptr<ObjectStore> bronze;
  std::unique_ptr<ObjectStore> warehouse;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<table::ManifestCache> cache;  // of the warehouse
};

// For writers: makes what is missing.
Result<std::unique_ptr<Lake>> OpenLake(const Config& config);
// For readers: kNotFound, with the cure, when there is no lake yet.
Result<std::unique_ptr<Lake>> OpenExistingLake(const Config& config);

// One table and the snapshot to read it at.
struct PinnedTable {
  LoadedTable table;
  std::optional<int64_t> snapshot_id;  // nullopt: it has none
};

// The tables of Silver as the newest cut has them (those that no cut names yet, as they are), then
// Gold's as they are, by name.
Result<std::vector<PinnedTable>> PinNewest(Lake& lake, Engine& engine);

}  // namespace millrace::app
