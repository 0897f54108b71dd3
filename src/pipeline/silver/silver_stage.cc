#include "pipeline/silver/silver_stage.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "commitlog/commit_log.h"

namespace millrace {

using silver::CutFile;
using silver::CutInput;
using silver::CutMark;
using silver::CutRow;
using silver::FilesByTopic;
using silver::HeldTable;
using silver::SilverTable;
using silver::TableStep;

namespace {

// How often Bronze is asked for tables without rows.
constexpr Micros kSchemaInterval = 60 * kMicrosPerSecond;

}  // namespace

struct SilverStage::State {
  std::optional<LoadedTable> cuts;
  CutMark mark;
  std::map<TableIdent, SilverTable> tables;
  std::map<std::string, TableIdent> by_topic;
  std::map<TableIdent, std::string> foreign;  // tables in our namespace that are not ours, and why
  std::set<std::string> in_last_cut;          // tables that the newest cut names
};

struct SilverStage::Attempt {
  CutMark mark;  // as it will be
  CutRow row;
  std::vector<TableStep> steps;
  size_t committed = 0;  // steps that are in for good, where tables commit one by one
  silver::StagedCut cut;
  bool publishes = true;  // whether a cut is part of it
  int64_t events = 0, commits = 0;
  std::string resumed;  // topic
};

SilverStage::SilverStage(ObjectStore& bronze, ObjectStore& lake, Catalog& catalog,
                         const Clock& clock, silver::SilverOptions options)
    : bronze_(bronze),
      lake_(lake),
      catalog_(catalog),
      clock_(clock),
      options_(std::move(options)),
      manifests_(lake) {}
SilverStage::~SilverStage() = default;

TableIdent SilverStage::IdentOf(const std::string& schema, const std::string& table) const {
  return MakeIdent(options_.space, silver::SilverTableName(schema, table));
}

Status SilverStage::Load() {
  auto state = std::make_unique<State>();
  const TableIdent cuts = MakeIdent(options_.system_space, "cuts");
  auto loaded = catalog_.LoadTable(cuts);
  if (loaded.ok()) {
    MR_ASSIGN(state->mark, silver::MarkOf(loaded->metadata));
    MR_ASSIGN(state->in_last_cut, silver::TablesOfNewestCut(lake_, manifests_, loaded->metadata));
    state->cuts = std::move(*loaded);
  } else if (loaded.error().kind() == ErrorKind::kNotFound) {
    MR_TRY(catalog_.CreateNamespace(cuts.levels));
    MR_TRY(catalog_.CreateNamespace(MakeIdent(options_.space, "").levels));
  } else {
    return loaded.error();
  }
  MR_ASSIGN(const std::vector<TableIdent> idents,
            catalog_.ListTables(MakeIdent(options_.space, "").levels));
  for (const TableIdent& ident : idents) {
    MR_ASSIGN(LoadedTable table, catalog_.LoadTable(ident));
    auto ours = silver::OpenSilverTable(std::move(table));
    if (!ours.ok()) {
      log::Warn("silver", "{}", ours.error().message());
      state->foreign[ident] = ours.error().message();
      continue;
    }
    state->by_topic[ours->topic] = ident;
    state->tables.insert_or_assign(ident, std::move(*ours));
  }
  {
    std::lock_guard lock(mutex_);
    held_ = state->mark.held;
  }
  state_ = std::move(state);
  return {};
}

std::vector<HeldTable> SilverStage::held() const {
  std::lock_guard lock(mutex_);
  return held_;
}

Status SilverStage::Resume(const std::string& table) {
  if (!state_) MR_TRY(Load());
  std::lock_guard lock(mutex_);
  for (const HeldTable& held : held_) {
    if (held.table != table && held.topic != table) continue;
    resume_.insert(held.topic);
    return {};
  }
  return Fail(ErrorKind::kNotFound, "table '{}' is not held back", table);
}

Result<StageReport> SilverStage::RunOnce(std::stop_token stop) {
  for (int attempt = 1;; ++attempt) {
    auto report = TryOnce(stop);
    if (report.ok()) return report;
    // What we know of the tables may be out of date: the next try reads it again.
    state_.reset();
    const ErrorKind kind = report.error().kind();
    const bool again = kind == ErrorKind::kConflict || kind == ErrorKind::kUnknownOutcome;
    if (!again || attempt >= options_.max_attempts) return report;
    log::Warn("silver", "try {} of {}: {}", attempt, options_.max_attempts,
              report.error().message());
  }
}

Result<StageReport> SilverStage::TryOnce(std::stop_token stop) {
  if (!state_) MR_TRY(Load());
  std::string resumed;
  {
    std::lock_guard lock(mutex_);
    if (!resume_.empty()) resumed = *resume_.begin();
  }
  if (!resumed.empty()) {
    auto report = CatchUp(resumed, stop);
    if (!report.ok() && !PolicyOf(report.error().kind()).retry) {
      // Asked for once, failed for good: the other tables go on with the next run.
      std::lock_guard lock(mutex_);
      resume_.erase(resumed);
    }
    return report;
  }
  const int64_t from = std::max(state_->mark.bronze_commit, idle_upto_);
  FilesByTopic files;
  MR_ASSIGN(
      CutInput input,
      silver::GatherCut(bronze_, from,
                        {options_.max_cut_bytes, options_.max_cut_commits, INT64_MAX}, files));
  if (input.to == from) return StageReport{};
  const std::string source = Format("{}/{}", input.position.system_id, input.prefix);
  if (!state_->mark.source.empty() && state_->mark.source != source) {
    return Fail(ErrorKind::kFenced,
                "the Silver tables come from source {}, and Bronze now holds {}: use another lake "
                "for another source",
                state_->mark.source, source);
  }
  // Commits without rows cost no cut of their own, but for a sign of life now and then, which also
  // keeps the next start short.
  if (input.files == 0 && state_->mark.cut != 0 &&
      clock_.Now() - state_->cuts->metadata.last_updated_ms * 1000 < options_.idle_cut_after) {
    idle_upto_ = input.to;
    return TryOnce(stop);  // the cut may have ended before a large commit: what comes then?
  }
  return Publish(input, std::move(files), stop);
}

Result<StageReport> SilverStage::Publish(const CutInput& input, FilesByTopic files,
                                         std::stop_token stop) {
  Attempt attempt;
  attempt.mark = state_->mark;
  attempt.mark.cut += 1;
  attempt.mark.bronze_commit = input.to;
  attempt.mark.source = Format("{}/{}", input.position.system_id, input.prefix);
  attempt.row.position = input.position;
  attempt.commits = input.to - state_->mark.bronze_commit;
  for (const auto& [topic, list] : files) {
    if (stop.stop_requested()) {
      Abandon(attempt);
      return Fail(ErrorKind::kCancelled, "silver was asked to stop");
    }
    const bool held = std::any_of(attempt.mark.held.begin(), attempt.mark.held.end(),
                                  [&](const HeldTable& table) { return table.topic == topic; });
    if (held) continue;
    if (const Status step = Step(attempt, topic, list, input.to); !step.ok()) {
      Abandon(attempt);
      return step.error();
    }
  }
  if (const Status added = AddEmptyTables(attempt, input, files); !added.ok()) {
    Abandon(attempt);
    return added.error();
  }
  return Commit(attempt);
}

Status SilverStage::AddEmptyTables(Attempt& attempt, const CutInput& input,
                                   const FilesByTopic& files) {
  const Micros now = clock_.Now();
  if (state_->mark.cut != 0 && now - schemas_listed_at_ < kSchemaInterval) return {};
  schemas_listed_at_ = now;
  MR_ASSIGN(const std::vector<ObjectInfo> schemas, bronze_.List("_schemas/"));
  std::map<std::string, const ObjectInfo*> newest;  // by topic
  for (const ObjectInfo& schema : schemas) {
    const std::vector<std::string_view> parts = Split(schema.path, '/');
    if (parts.size() != 3 || !parts[1].starts_with(input.prefix + ".")) continue;
    const ObjectInfo*& known = newest[std::string(parts[1])];
    if (known == nullptr || known->modified_at <= schema.modified_at) known = &schema;
  }
  for (const auto& [topic, schema] : newest) {
    const bool held =
        std::any_of(attempt.mark.held.begin(), attempt.mark.held.end(),
                    [&topic = topic](const HeldTable& table) { return table.topic == topic; });
    if (held || files.contains(topic) || state_->by_topic.contains(topic)) continue;
    std::string_view fingerprint = Split(schema->path, '/')[2];
    fingerprint = fingerprint.substr(0, fingerprint.find('.'));
    auto read = commitlog::ReadSchema(bronze_, topic, std::string(fingerprint));
    if (!read.ok()) {
      if (PolicyOf(read.error().kind()).retry) return read.error();
      log::Warn("silver", "{}", read.error().message());  // no row came under it yet
      continue;
    }
    MR_TRY(Step(attempt, topic, {}, input.to, std::move(*read)));
  }
  return {};
}

// Whether a topic may have a new table. `existing` is set when the name belongs to another topic's
// table, which StepTable refuses; `gone` when the topic had a table before.
Status SilverStage::CheckNew(const Attempt& attempt, const std::string& topic,
                             const TableSchema& schema, const TableIdent& ident,
                             std::optional<SilverTable>* existing, bool* gone) const {
  if (const auto foreign = state_->foreign.find(ident); foreign != state_->foreign.end()) {
    return Error(ErrorKind::kInvalidInput, foreign->second);
  }
  for (const TableStep& step : attempt.steps) {
    if (step.ident != ident) continue;
    return Fail(ErrorKind::kInvalidInput,
                "topic '{}' and another one would share the table {}: leave one of them out", topic,
                ident.ToString());
  }
  for (const auto& [other_ident, other] : state_->tables) {
    if (other_ident == ident) {
      *existing = other;
      return {};
    }
    if (other.layout.relation_oid != schema.relation_oid) continue;
    return Fail(ErrorKind::kUnsupported,
                "{} is {} under a new name: give it its old name back and resume, or drop the "
                "Silver table {} and take a new snapshot",
                schema.QualifiedName(), other.layout.table, other_ident.ToString());
  }
  if (attempt.resumed != topic && state_->in_last_cut.contains(ident.ToString())) {
    *gone = true;
    return Fail(ErrorKind::kNotFound,
                "the Silver table {} is gone: resume {} to build it again from all of Bronze",
                ident.ToString(), schema.QualifiedName());
  }
  return {};
}

Status SilverStage::Step(Attempt& attempt, const std::string& topic,
                         const std::vector<CutFile>& files, int64_t upto,
                         std::optional<TableSchema> empty) {
  const auto known = state_->by_topic.find(topic);
  std::optional<SilverTable> existing;
  if (known != state_->by_topic.end()) existing = state_->tables.at(known->second);
  silver::TableInput input{.topic = topic,
                           .source = attempt.mark.source,
                           .files = {},
                           .schema = std::move(empty),
                           .mark = upto};
  int64_t before = upto;
  for (const CutFile& file : files) {
    // A table may be ahead of the last cut: catalogs without multi-table commits write the cut
    // last.
    if (existing && file.commit <= existing->mark) continue;
    before = std::min(before, file.commit - 1);
    input.files.push_back(file.file);
  }
  if (input.files.empty() && !input.schema) return {};
  std::string table = topic;
  bool gone = false;
  const auto run = [&]() -> Result<TableStep> {
    TableSchema schema;
    if (input.schema) {
      schema = *input.schema;
    } else {
      MR_ASSIGN(schema, commitlog::ReadSchema(bronze_, topic, input.files.front().schema));
    }
    table = schema.QualifiedName();
    const TableIdent ident =
        existing ? existing->loaded.ident : IdentOf(schema.schema, schema.table);
    if (!existing) MR_TRY(CheckNew(attempt, topic, schema, ident, &existing, &gone));
    return silver::StepTable({bronze_, lake_, manifests_, clock_, options_}, ident, existing,
                             input);
  };
  auto step = run();
  if (!step.ok()) {
    if (!silver::HoldsBackTable(step.error().kind())) return step.error();
    log::Error("silver", "{} is held back: {}", table, step.error().message());
    attempt.mark.held.push_back({.topic = topic,
                                 .table = table,
                                 .reason = step.error().message(),
                                 .mark = gone ? 0 : before});
    return {};
  }
  attempt.events += step->stats.events;
  log::Debug("silver",
             "{}: {} events, {} replays, {} unchanged, {} opened, {} closed, {} files with "
             "deletes, {} rewritten, {} folded",
             table, step->stats.events, step->stats.replays, step->stats.unchanged,
             step->stats.opened, step->stats.closed, step->stats.files_delta,
             step->stats.files_rewritten, step->stats.files_folded);
  if (step->staged) attempt.steps.push_back(std::move(*step));
  return {};
}

Result<StageReport> SilverStage::CatchUp(const std::string& topic, std::stop_token stop) {
  // The cure may have been at work in the catalog: a table dropped, a file put back.
  MR_TRY(Load());
  const auto held = std::find_if(state_->mark.held.begin(), state_->mark.held.end(),
                                 [&](const HeldTable& table) { return table.topic == topic; });
  if (held == state_->mark.held.end()) {
    std::lock_guard lock(mutex_);
    resume_.erase(topic);
    return StageReport{};
  }
  const HeldTable table = *held;
  int64_t from = table.mark;
  if (const auto known = state_->by_topic.find(topic); known != state_->by_topic.end()) {
    from = std::max(from, state_->tables.at(known->second).mark);
  }
  if (stop.stop_requested()) return Fail(ErrorKind::kCancelled, "silver was asked to stop");
  FilesByTopic files;
  const silver::CutLimits limits{options_.max_cut_bytes, options_.max_cut_commits,
                                 state_->mark.bronze_commit};
  MR_ASSIGN(CutInput input, silver::GatherCut(bronze_, from, limits, files));
  if (input.to == from) {
    // Nothing to catch up on; only the position of the last cut is wanted.
    FilesByTopic none;
    MR_ASSIGN(input, silver::GatherCut(bronze_, state_->mark.bronze_commit - 1, limits, none));
  }
  Attempt attempt;
  attempt.resumed = topic;
  attempt.mark = state_->mark;
  attempt.row.position = input.position;
  attempt.commits = input.to - from;
  std::erase_if(attempt.mark.held, [&](const HeldTable& other) { return other.topic == topic; });
  if (const Status step = Step(attempt, topic, files[topic], input.to); !step.ok()) {
    Abandon(attempt);
    return step.error();
  }
  const bool failed = attempt.mark.held.size() == state_->mark.held.size();
  if (failed) {
    std::lock_guard lock(mutex_);
    resume_.erase(topic);
    return Fail(ErrorKind::kUnsupported, "{} stays held back: {}", table.table,
                attempt.mark.held.back().reason);
  }
  if (input.to < state_->mark.bronze_commit) {
    // Not there yet: this step moves the table's own mark only.
    attempt.publishes = false;
    if (attempt.steps.empty()) {
      attempt.publishes = true;
      attempt.mark.held.push_back(table);
      attempt.mark.held.back().mark = input.to;
    }
  }
  if (attempt.publishes) attempt.mark.cut += 1;
  return Commit(attempt);
}

Result<StageReport> SilverStage::Commit(Attempt& attempt) {
  if (attempt.publishes) {
    attempt.row.published_at = clock_.Now();
    std::map<std::string, int64_t> snapshots;
    for (const auto& [ident, table] : state_->tables) {
      const iceberg::TableMetadata& metadata = table.loaded.metadata;
      if (metadata.current_snapshot_id) snapshots[ident.ToString()] = *metadata.current_snapshot_id;
    }
    for (const TableStep& step : attempt.steps)
      snapshots[step.ident.ToString()] = step.staged->snapshot_id;
    attempt.row.tables.assign(snapshots.begin(), snapshots.end());
    auto cut = silver::StageCut(lake_, manifests_, MakeIdent(options_.system_space, "cuts"),
                                state_->cuts, attempt.mark, attempt.row);
    if (!cut.ok()) {
      Abandon(attempt);
      return cut.error();
    }
    attempt.cut = std::move(*cut);
  }
  if (const Status done = CommitAll(attempt); !done.ok()) {
    if (done.error().kind() != ErrorKind::kUnknownOutcome) {
      Abandon(attempt);
      return done.error();
    }
    // It may have happened: the catalog knows.
    if (!Committed(attempt)) return done.error();
    state_.reset();
    MR_TRY(Load());
  }
  MR_FAILPOINT("silver.after_commit");
  StageReport report;
  report.did_work = true;
  report.details.Set("cut", attempt.mark.cut);
  report.details.Set("commits", attempt.commits);
  report.details.Set("bronze_commit", attempt.mark.bronze_commit);
  report.details.Set("commit_lsn", FormatLsn(attempt.row.position.last.commit_lsn));
  if (attempt.publishes) {
    report.details.Set("lag_ms",
                       (attempt.row.published_at - attempt.row.position.commit_time) / 1000);
  }
  report.details.Set("events", attempt.events);
  report.details.Set("tables", static_cast<int64_t>(attempt.steps.size()));
  report.details.Set("held_back", static_cast<int64_t>(attempt.mark.held.size()));
  return report;
}

Status SilverStage::CommitAll(Attempt& attempt) {
  std::vector<TableCommit> commits;
  for (const TableStep& step : attempt.steps) commits.push_back(step.staged->commit);
  if (attempt.publishes) commits.push_back(attempt.cut.commit);
  MR_FAILPOINT("silver.before_commit");
  std::vector<LoadedTable> now;
  if (catalog_.supports_atomic_commit()) {
    MR_ASSIGN(now, catalog_.Commit(commits));
  } else {
    // One by one, the cut last: each table's own mark keeps a second run from doing it twice.
    for (const TableCommit& commit : commits) {
      MR_FAILPOINT("silver.between_commits");
      MR_ASSIGN(std::vector<LoadedTable> one, catalog_.Commit({commit}));
      now.push_back(std::move(one.front()));
      attempt.committed = std::min(now.size(), attempt.steps.size());
    }
  }
  Settle(attempt, std::move(now));
  return {};
}

void SilverStage::Settle(Attempt& attempt, std::vector<LoadedTable> now) {
  // Files that fell out of the tables' reach; a failure leaves orphans and is no reason to stop.
  const auto clean = [&](const iceberg::TableMetadata& before,
                         const iceberg::TableMetadata& after) {
    const auto deleted = table::DeleteUnreachable(lake_, manifests_, before, after);
    if (!deleted.ok()) log::Warn("silver", "old files stay behind: {}", deleted.error().message());
  };
  for (size_t i = 0; i < attempt.steps.size(); ++i) {
    const TableStep& step = attempt.steps[i];
    clean(step.before.metadata, now[i].metadata);
    auto table = silver::OpenSilverTable(std::move(now[i]));
    if (!table.ok()) continue;  // cannot be: we wrote its properties
    state_->by_topic[table->topic] = step.ident;
    state_->tables.insert_or_assign(step.ident, std::move(*table));
  }
  if (!attempt.publishes) return;
  if (state_->cuts) clean(state_->cuts->metadata, now.back().metadata);
  state_->cuts = std::move(now.back());
  state_->mark = attempt.mark;
  std::lock_guard lock(mutex_);
  held_ = attempt.mark.held;
  const bool still = std::any_of(held_.begin(), held_.end(),
                                 [&](const HeldTable& t) { return t.topic == attempt.resumed; });
  if (!attempt.resumed.empty() && !still) resume_.erase(attempt.resumed);
}

bool SilverStage::Committed(const Attempt& attempt) {
  const auto holds = [&](const TableIdent& ident, int64_t snapshot) {
    const auto table = catalog_.LoadTable(ident);
    return table.ok() && table->metadata.FindSnapshot(snapshot) != nullptr;
  };
  // With one transaction any of them tells of all; otherwise the cut is last.
  if (attempt.publishes) return holds(attempt.cut.commit.ident, attempt.cut.snapshot_id);
  const TableStep& last = attempt.steps.back();
  return holds(last.ident, last.staged->snapshot_id);
}

void SilverStage::Abandon(const Attempt& attempt) {
  // What cannot be deleted is an orphan that nothing refers to.
  for (size_t i = attempt.committed; i < attempt.steps.size(); ++i) {
    for (const std::string& path : attempt.steps[i].written) (void)lake_.Delete(path).ok();
  }
  for (const std::string& path : attempt.cut.written) (void)lake_.Delete(path).ok();
}

}  // namespace millrace
