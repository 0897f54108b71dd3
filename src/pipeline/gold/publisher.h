#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "iceberg/literal.h"
#include "pipeline/gold/cut_reader.h"
#include "pipeline/gold/gold_sql.h"
#include "pipeline/gold/input_mark.h"
#include "port/catalog.h"
#include "port/clock.h"
#include "port/engine.h"
#include "port/object_store.h"
#include "table/scan.h"
#include "table/snapshot_producer.h"

namespace millrace::gold {

struct PublishResult {
  enum class Outcome {
    kUnchanged,  // made from this very state already
    kNoted,      // inputs have new snapshots that touch no period: only the mark moved
    kPublished,
    kWaiting,  // an input is not in Silver yet; `waiting_for` names it
  };
  Outcome outcome = Outcome::kUnchanged;
  std::string waiting_for;
  bool whole = false;      // all rows were recomputed, not only touched partitions
  int64_t partitions = 0;  // recomputed
  int64_t rows = 0;        // written
  int64_t snapshot_id = 0;
};
std::string_view OutcomeName(PublishResult::Outcome outcome);

// Brings Gold tables up to date with one cut of Silver. Each table is one snapshot: the touched
// partitions' files are replaced by newly computed ones, and the same commit says what they were
// made from. Errors: kInvalidInput for SQL that does not run and for a check that fails (the
// published rows stay), kConflict after several lost races, and what catalog, store and engine
// return.
class Publisher {
 public:
  Publisher(Catalog& catalog, ObjectStore& store, table::ManifestCache& cache, Engine& engine,
            const Clock& clock, const Cut& cut, const table::Retention& retention)
      : catalog_(catalog),
        store_(store),
        cache_(cache),
        engine_(engine),
        clock_(clock),
        cut_(cut),
        retention_(retention) {}

  Result<PublishResult> Publish(const GoldTable& table, std::stop_token stop);

 private:
  struct Work;                                                      // one attempt at one table
  using Partitions = std::optional<std::vector<iceberg::Literal>>;  // nullopt: all

  Result<PublishResult> Attempt(const GoldTable& table, std::stop_token stop);
  Result<std::optional<std::string>> PinInputs(Work& work);
  Status LoadBase(Work& work);
  Result<Partitions> FindTouched(const Work& work);
  Status AddTouched(const Work& work, const GoldInput& input, const EventPosition& after,
                    std::vector<iceberg::Literal>& partitions);
  Status Compute(const Work& work, const Partitions& partitions);
  Status RunChecks(const Work& work);
  Status CreateTable(Work& work, const iceberg::Schema& result);
  Status Replace(Work& work, const Partitions& partitions, PublishResult& result);
  Status CommitStaged(const Work& work, table::StagedSnapshot& staged,
                      const std::vector<iceberg::DataFile>& files);
  Status Note(const Work& work);

  Catalog& catalog_;
  ObjectStore& store_;
  table::ManifestCache& cache_;
  Engine& engine_;
  const Clock& clock_;
  const Cut& cut_;
  const table::Retention retention_;
  std::map<std::string, LoadedTable> silver_;  // loaded once for all Gold tables of a run
};

}  // namespace millrace::gold
