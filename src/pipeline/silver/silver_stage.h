#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/silver/cut_input.h"
#include "pipeline/silver/cuts.h"
#include "pipeline/silver/silver_options.h"
#include "pipeline/silver/silver_table.h"
#include "port/catalog.h"
#include "port/clock.h"
#include "port/object_store.h"
#include "port/stage.h"
#include "table/orphan_sweep.h"
#include "table/scan.h"

namespace millrace {

// The Silver stage: takes the Bronze commits after its mark, merges them table by table into SCD
// Type 2 tables and commits all of them as one cut. Killed anywhere, it does the same again with
// the same result. One writer at a time is enough; a second one loses its commits and does no harm.
// Not thread-safe but for held() and Resume().
class SilverStage final : public Stage {
 public:
  // `bronze` is the root of the commit log, `lake` that of the tables; they may be the same store.
  SilverStage(ObjectStore& bronze, ObjectStore& lake, Catalog& catalog, const Clock& clock,
              silver::SilverOptions options = {});
  ~SilverStage() override;

  std::string_view name() const override { return "silver"; }
  // Publishes one cut: call again while `did_work`. Details: cut, commits, bronze_commit,
  // commit_lsn, lag_ms (behind the newest commit taken), events, tables, held_back.
  Result<StageReport> RunOnce(std::stop_token stop) override;

  // Tables that are held back, with the reason.
  std::vector<silver::HeldTable> held() const;
  // Asks the next RunOnce to let a held table catch up from where it stopped. kNotFound when it is
  // not held back.
  Status Resume(const std::string& table);

 private:
  struct State;    // what was loaded from the catalog
  struct Attempt;  // one try at a cut
  Status Load();
  Result<StageReport> TryOnce(std::stop_token stop);
  void Sweep();
  Status CheckSource(const silver::CutInput& input) const;
  bool PassOver(const silver::CutInput& input);
  Result<StageReport> Publish(const silver::CutInput& input, silver::FilesByTopic files,
                              std::stop_token stop);
  Result<StageReport> CatchUp(const std::string& topic, std::stop_token stop);
  // Takes one table's files; an error about the table alone puts it among `held`.
  Status Step(Attempt& attempt, const std::string& topic, const std::vector<silver::CutFile>& files,
              int64_t upto, std::optional<TableSchema> empty = std::nullopt);
  // Makes the tables that Bronze knows the columns of and has no rows for.
  Status AddEmptyTables(Attempt& attempt, const silver::CutInput& input,
                        const silver::FilesByTopic& files);
  Status CheckNew(const Attempt& attempt, const std::string& topic, const TableSchema& schema,
                  const TableIdent& ident, std::optional<silver::SilverTable>* existing,
                  bool* gone) const;
  Result<StageReport> Commit(Attempt& attempt);
  Status CommitAll(Attempt& attempt);
  bool Committed(const Attempt& attempt);
  void Abandon(const Attempt& attempt);
  void Settle(Attempt& attempt, std::vector<LoadedTable> now);
  TableIdent IdentOf(const std::string& schema, const std::string& table) const;

  ObjectStore& bronze_;
  ObjectStore& lake_;
  Catalog& catalog_;
  const Clock& clock_;
  const silver::SilverOptions options_;
  table::ManifestCache manifests_;
  table::OrphanSweep sweep_;
  std::unique_ptr<State> state_;
  Micros schemas_listed_at_ = 0;
  int64_t idle_upto_ = 0;     // commits up to this one are known to hold no rows
  mutable std::mutex mutex_;  // guards the two below
  std::vector<silver::HeldTable> held_;
  std::set<std::string> resume_;
};

}  // namespace millrace
