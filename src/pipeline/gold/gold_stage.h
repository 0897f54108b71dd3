#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "port/catalog.h"
#include "port/clock.h"
#include "port/engine.h"
#include "port/object_store.h"
#include "port/stage.h"
#include "table/orphan_sweep.h"
#include "table/scan.h"
#include "table/snapshot_producer.h"

namespace millrace {

struct GoldOptions {
  std::string sql_directory;  // one SQL file a table
  table::Retention retention;
};

// Brings every Gold table up to date with the newest cut of Silver. One table's failure holds no
// other back: the rest is published, then an error that can be retried is returned. The engine is
// opened for a run that has work and closed after it.
class GoldStage final : public Stage {
 public:
  using EngineFactory = std::function<Result<std::unique_ptr<Engine>>()>;

  // `store` is the warehouse: tables lie in gold/<table>/ under its root.
  GoldStage(GoldOptions options, Catalog& catalog, ObjectStore& store, table::ManifestCache& cache,
            EngineFactory open_engine, const Clock& clock);

  std::string_view name() const override { return "gold"; }
  Result<StageReport> RunOnce(std::stop_token stop) override;

 private:
  const GoldOptions options_;
  Catalog& catalog_;
  ObjectStore& store_;
  table::ManifestCache& cache_;
  const EngineFactory open_engine_;
  const Clock& clock_;
  table::OrphanSweep sweep_;
  std::vector<TableIdent> ours_;  // Gold tables that the last run found or made
  std::optional<std::string>
      settled_;  // cuts snapshot and SQL for which the last run left nothing to do
};

}  // namespace millrace
