#include "pipeline/gold/gold_stage.h"

#include <set>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "pipeline/gold/cut_reader.h"
#include "pipeline/gold/gold_sql.h"
#include "pipeline/gold/publisher.h"

namespace millrace {
namespace {

// A table that failed may succeed later, unchanged: its file is read again on each pass and a check
// may hold for other data. So its error must not end the stage for the others.
Error Combined(const std::vector<Error>& errors, size_t tables) {
  const Error& first = errors.front();
  const ErrorKind kind = PolicyOf(first.kind()).retry ? first.kind() : ErrorKind::kUnavailable;
  return Fail(kind, "{} of {} Gold tables not refreshed; the first: {}", errors.size(), tables,
              first.message());
}

}  // namespace

GoldStage::GoldStage(GoldOptions options, Catalog& catalog, ObjectStore& store,
                     table::ManifestCache& cache, EngineFactory open_engine, const Clock& clock)
    : options_(std::move(options)),
      catalog_(catalog),
      store_(store),
      cache_(cache),
      open_engine_(std::move(open_engine)),
      clock_(clock),
      sweep_(store, cache, catalog, clock) {}

Result<StageReport> GoldStage::RunOnce(std::stop_token stop) {
  StageReport report;
  MR_ASSIGN(const std::vector<gold::GoldTable> tables,
            gold::ReadGoldDirectory(options_.sql_directory));
  if (tables.empty()) return report;
  const auto cuts = catalog_.LoadTable(MakeIdent("_millrace", "cuts"));
  if (!cuts.ok() && cuts.error().kind() != ErrorKind::kNotFound) return cuts.error();
  if (!cuts.ok() || !cuts->metadata.current_snapshot_id.has_value()) return report;

  std::string state = std::to_string(*cuts->metadata.current_snapshot_id);
  std::set<std::string> wanted;
  for (const gold::GoldTable& table : tables) {
    state += "," + table.fingerprint;
    for (const gold::GoldInput& input : table.inputs) wanted.insert(input.table);
  }
  if (settled_ == state) {
    sweep_.Pass(ours_);
    return report;
  }

  MR_ASSIGN(const std::unique_ptr<Engine> engine, open_engine_());
  MR_ASSIGN(const std::optional<gold::Cut> cut,
            gold::ReadNewestCut(catalog_, cache_, *engine, wanted, stop));
  if (!cut.has_value()) return report;
  gold::Publisher publisher(catalog_, store_, cache_, *engine, clock_, *cut, options_.retention);
  json::Value::Array outcomes;
  std::vector<Error> errors;
  ours_.clear();
  for (const gold::GoldTable& table : tables) {
    const Micros begin = WallClockNow();
    Result<gold::PublishResult> result = publisher.Publish(table, stop);
    json::Value outcome;
    outcome.Set("table", "gold." + table.name);
    if (!result.ok()) {
      if (result.error().kind() == ErrorKind::kCancelled) return result.error();
      log::Error("gold", "{}", result.error().message());
      outcome.Set("outcome", "failed");
      outcome.Set("error", result.error().message());
      errors.push_back(result.error());
    } else {
      if (result->outcome != gold::PublishResult::Outcome::kWaiting)
        ours_.push_back(MakeIdent("gold", table.name));
      outcome.Set("outcome", gold::OutcomeName(result->outcome));
      if (result->outcome == gold::PublishResult::Outcome::kPublished) {
        report.did_work = true;
        outcome.Set("whole", result->whole);
        outcome.Set("partitions", result->partitions);
        outcome.Set("rows", result->rows);
        outcome.Set("snapshot_id", result->snapshot_id);
        outcome.Set("ms", (WallClockNow() - begin) / 1000);
        log::Info("gold", "gold.{}: {} rows in {} partition(s){}, cut {}, {} ms", table.name,
                  result->rows, result->partitions, result->whole ? ", whole table" : "",
                  cut->number, (WallClockNow() - begin) / 1000);
      } else if (result->outcome == gold::PublishResult::Outcome::kWaiting) {
        outcome.Set("waiting_for", result->waiting_for);
        log::Info("gold", "gold.{}: waits for {}, which is not in Silver yet", table.name,
                  result->waiting_for);
      }
    }
    outcomes.push_back(std::move(outcome));
  }
  if (!errors.empty()) return Combined(errors, tables.size());
  settled_ = std::move(state);
  if (!report.did_work) sweep_.Pass(ours_);
  report.details.Set("cut", cut->number);
  report.details.Set("tables", std::move(outcomes));
  return report;
}

}  // namespace millrace
