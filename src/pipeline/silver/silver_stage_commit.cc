#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "pipeline/silver/silver_attempt.h"

// The commit of a cut, and what follows from its outcome.
namespace millrace {

using silver::HeldTable;
using silver::TableStep;

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
