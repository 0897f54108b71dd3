#include "pipeline/silver/silver_stage.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "commitlog/commit_log.h"
#include "pipeline/silver/silver_attempt.h"

namespace millrace {

using silver::CutFile;
using silver::CutInput;
using silver::FilesByTopic;
using silver::HeldTable;
using silver::SilverTable;
using silver::TableStep;

namespace {

// How often Bronze is asked for tables without rows.
constexpr Micros kSchemaInterval = 60 * kMicrosPerSecond;

}  // namespace

SilverStage::SilverStage(ObjectStore& bronze, ObjectStore& lake, Catalog& catalog,
                         const Clock& clock, silver::SilverOptions options)
    : bronze_(bronze),
      lake_(lake),
      catalog_(catalog),
      clock_(clock),
      options_(std::move(options)),
      manifests_(lake),
      sweep_(lake, manifests_, catalog, clock) {}
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
    MR_TRY(silver::CheckLog(bronze_, state->mark.bronze_commit, state->mark.bronze_writer));
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
  CutInput input;
  FilesByTopic files;
  do {
    const int64_t from = std::max(state_->mark.bronze_commit, idle_upto_);
    files.clear();
    MR_ASSIGN(input, silver::GatherCut(
                         bronze_, from,
                         {options_.max_cut_bytes, options_.max_cut_commits, INT64_MAX}, files));
    if (input.to == from) {
      Sweep();
      return StageReport{};
    }
    MR_TRY(CheckSource(input));
    // It may have ended before a large commit: what comes then?
  } while (PassOver(input));
  return Publish(input, std::move(files), stop);
}

// For when there is nothing else to do.
void SilverStage::Sweep() {
  std::vector<TableIdent> ours;
  for (const auto& [ident, table] : state_->tables) ours.push_back(ident);
  if (state_->cuts) ours.push_back(state_->cuts->ident);
  sweep_.Pass(ours);
}

Status SilverStage::CheckSource(const CutInput& input) const {
  const std::string source = Format("{}/{}", input.position.system_id, input.prefix);
  if (!state_->mark.source.empty() && state_->mark.source != source) {
    return Fail(ErrorKind::kFenced,
                "the Silver tables come from source {}, and Bronze now holds {}: use another lake "
                "for another source",
                state_->mark.source, source);
  }
  return {};
}

// Commits without rows cost no cut of their own, but for a sign of life now and then, which also
// keeps the next start short.
bool SilverStage::PassOver(const CutInput& input) {
  if (input.files != 0 || state_->mark.cut == 0 ||
      clock_.Now() - state_->cuts->metadata.last_updated_ms * 1000 >= options_.idle_cut_after) {
    return false;
  }
  idle_upto_ = input.to;
  return true;
}

Result<StageReport> SilverStage::Publish(const CutInput& input, FilesByTopic files,
                                         std::stop_token stop) {
  Attempt attempt;
  attempt.stop = stop;
  attempt.mark = state_->mark;
  attempt.mark.cut += 1;
  attempt.mark.bronze_commit = input.to;
  attempt.mark.bronze_writer = input.writer;
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
                           .settled = attempt.settled,
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
    return silver::StepTable({bronze_, lake_, manifests_, clock_, options_, attempt.stop}, ident,
                             existing, input);
  };
  auto step = run();
  if (!step.ok()) {
    if (!silver::HoldsBackTable(step.error().kind())) return step.error();
    std::string reason = step.error().message();
    const ErrorKind kind = step.error().kind();
    const bool file = kind == ErrorKind::kCorrupt || (kind == ErrorKind::kNotFound && !gone);
    if (file && reason.find("restore") == std::string::npos) reason += "; restore it from a backup";
    log::Error("silver", "{} is held back: {}", table, reason);
    attempt.mark.held.push_back(
        {.topic = topic, .table = table, .reason = std::move(reason), .mark = gone ? 0 : before});
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
  attempt.stop = stop;
  attempt.resumed = topic;
  MR_ASSIGN(attempt.settled,
            silver::NewestSchema(bronze_, topic, from, state_->mark.bronze_commit));
  attempt.mark = state_->mark;
  attempt.row.position = input.position;
  attempt.commits = input.to - from;
  std::erase_if(attempt.mark.held, [&](const HeldTable& other) { return other.topic == topic; });
  if (const Status step = Step(attempt, topic, files[topic], input.to); !step.ok()) {
    Abandon(attempt);
    return step.error();
  }
  const auto failed = [&] { return attempt.mark.held.size() == state_->mark.held.size(); };
  if (failed()) {
    // What cannot be carried is not needed when all rows came again after it.
    MR_ASSIGN(const auto anew, silver::FindAnew(bronze_, topic, from, state_->mark.bronze_commit));
    if (anew) {
      log::Warn("silver", "{}: goes on where its rows were read again, at commit {}: {}",
                table.table, anew->commit, attempt.mark.held.back().reason);
      files.clear();
      MR_ASSIGN(input, silver::GatherCut(bronze_, anew->commit - 1, limits, files));
      silver::BeginAt(*anew, files[topic]);
      attempt.mark.held.pop_back();
      attempt.row.position = input.position;
      attempt.commits = input.to - from;
      if (const Status step = Step(attempt, topic, files[topic], input.to); !step.ok()) {
        Abandon(attempt);
        return step.error();
      }
    }
  }
  if (failed()) {
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

}  // namespace millrace
