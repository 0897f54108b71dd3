#include "pipeline/silver/table_merge.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "base/format.h"
#include "pipeline/silver/batch.h"
#include "pipeline/silver/lookup.h"
#include "pipeline/silver/merge_writer.h"
#include "pipeline/silver/multiset_fold.h"
#include "pipeline/silver/upkeep.h"

namespace millrace::silver {
namespace {

class Merge {
 public:
  Merge(const TableAccess& table, const std::string& write_id, const MergeOptions& options)
      : table_(table),
        options_(options),
        writer_(table, table.base.location, write_id, options.writer) {}

  Result<MergeOutcome> Run(const MergePasses& passes, EventPosition covered) {
    MR_ASSIGN(files_, PlanCurrentFiles(table_));
    for (int pass = 0; pass < passes.keys.passes(); ++pass) {
      MR_ASSIGN(std::vector<DecodedFile> files, passes.take(pass));
      MR_TRY(MergePass(std::move(files), passes.keys, pass, covered));
    }
    // Old rows show the new columns' defaults from now on, whatever the batch changed.
    outcome_.changed = outcome_.changed || (!table_.fills.empty() && !files_.empty());
    if (!outcome_.changed) return std::move(outcome_);
    MR_TRY(SettleFiles());
    MR_TRY(FoldHistory());
    MR_ASSIGN(outcome_.change, writer_.Finish());
    return std::move(outcome_);
  }

 private:
  Status MergePass(std::vector<DecodedFile> files, const KeyPasses& passes, int pass,
                   EventPosition covered) {
    MR_ASSIGN(Batch batch, JoinFiles(std::move(files), table_.layout, table_.threads));
    for (const Event& event : batch.events) {
      if (event.op != 't' || pass == 0) ++outcome_.stats.events;
    }
    if (!batch.events.empty()) {
      outcome_.last = std::max(outcome_.last, batch.events.back().position);
    }
    if (table_.layout.keyed()) {
      MR_TRY(MergeKeyed(batch));
    } else {
      MR_TRY(MergeMultiset(batch, covered));
    }
    if (batch.has_truncate && !all_read_) MR_TRY(CloseTheRest(batch, passes, pass));
    return {};
  }
  Status MergeKeyed(Batch& batch);
  Status MergeMultiset(Batch& batch, EventPosition covered);
  // Rows of the table that the batch does not name, closed by its truncates: those of this pass.
  Status CloseTheRest(const Batch& batch, const KeyPasses& passes, int pass);
  Result<std::unique_ptr<RowSpace>> JoinRows(Batch& batch, OpenRows& rows);
  Status Write(const RowSpace& space, const std::vector<Version>& versions,
               std::vector<OutputRow> closed, const KeyIndex& keys);
  void Hit(const OpenVersion& version) {
    files_[static_cast<size_t>(version.file)].hits.push_back(version.position);
  }
  Status SettleFiles();
  Status FoldHistory();

  const TableAccess& table_;
  const MergeOptions& options_;
  MergeWriter writer_;
  std::vector<CurrentFile> files_;
  bool all_read_ = false;  // every open row took part in the fold
  MergeOutcome outcome_;
};

OutputRow Ended(const OpenVersion& version, int64_t row, Micros valid_to, EventPosition to,
                bool deleted) {
  return {.row = row,
          .version = version.version,
          .valid_from = version.valid_from,
          .valid_to = valid_to,
          .from = version.from,
          .to = to,
          .op = version.op,
          .closed = true,
          .deleted = deleted};
}

Result<std::unique_ptr<RowSpace>> Merge::JoinRows(Batch& batch, OpenRows& rows) {
  for (OpenRows::Chunk& chunk : rows.chunks) {
    batch.images.Add(chunk.values, chunk.texts, chunk.rows);
    chunk = {};
  }
  return batch.images.Join(batch.missing_words, std::move(batch.missing), table_.threads);
}

Status Merge::MergeKeyed(Batch& batch) {
  const auto keys = static_cast<size_t>(batch.keys.size());
  if (batch.has_truncate) {
    MR_TRY(ChooseCandidates(table_, files_, nullptr));
  } else if (keys > 0) {
    const KeyBounds bounds =
        BoundsOf(batch, table_.layout, table_.schema, std::vector<bool>(keys, true));
    MR_TRY(ChooseCandidates(table_, files_, &bounds));
  }
  MR_ASSIGN(OpenRows rows, FindOpenRows(table_, files_, batch.keys, nullptr));
  std::vector<KeyState> states(keys);
  std::vector<size_t> open(keys, 0);  // of a key with an open version: its place in rows.versions
  for (size_t i = 0; i < rows.versions.size(); ++i) {
    const OpenVersion& version = rows.versions[i];
    states[static_cast<size_t>(version.key)] = {
        .row = batch.images.rows() + static_cast<int64_t>(i),
        .version = version.version,
        .floor = version.valid_from,
        .fence = version.from};
    open[static_cast<size_t>(version.key)] = i;
  }
  // A key that has no open version may have had one: its count goes on.
  std::vector<bool> wanted(keys, false);
  bool any = false;
  for (const Event& event : batch.events) {
    if (event.row < 0 || states[static_cast<size_t>(event.key)].row >= 0) continue;
    wanted[static_cast<size_t>(event.key)] = true;
    any = true;
  }
  if (any && table_.snapshot()) {
    MR_TRY(FindLastClosed(table_, batch.keys, BoundsOf(batch, table_.layout, table_.schema, wanted),
                          wanted, states));
  }
  MR_ASSIGN(const std::unique_ptr<RowSpace> space, JoinRows(batch, rows));
  auto folded = Fold(batch.events, states, options_.fold, *space);
  if (!folded.ok()) return folded.error().Wrap(table_.layout.table);
  outcome_.stats.replays += folded->replays;
  outcome_.stats.unchanged += folded->unchanged;

  std::vector<OutputRow> closed;
  for (const Closing& closing : folded->closings) {
    const auto key = static_cast<size_t>(closing.key);
    const OpenVersion& version = rows.versions[open[key]];
    closed.push_back(
        Ended(version, states[key].row, closing.valid_to, closing.to, closing.deleted));
    Hit(version);
  }
  return Write(*space, folded->versions, std::move(closed), batch.keys);
}

Status Merge::MergeMultiset(Batch& batch, EventPosition covered) {
  const bool takes_away = std::any_of(batch.events.begin(), batch.events.end(),
                                      [](const Event& e) { return e.op != 'c' && e.op != 'r'; });
  MR_TRY(ChooseCandidates(table_, files_, nullptr));
  OpenRows rows;
  if (takes_away && batch.epochs.size() == 1) {
    MR_ASSIGN(rows, FindOpenRows(table_, files_, batch.keys, &batch.epochs.front()));
  } else if (takes_away) {
    // Columns came or went within the batch: contents under one set of columns do not find rows
    // under another.
    MR_TRY(ReadOpenRows(
        table_, files_, batch.keys, &batch.epochs.front(), [&](OpenRows chunk) -> Status {
          for (OpenRows::Chunk& part : chunk.chunks) rows.chunks.push_back(std::move(part));
          rows.versions.insert(rows.versions.end(), chunk.versions.begin(), chunk.versions.end());
          return {};
        }));
    all_read_ = true;
  }
  std::vector<size_t> order(rows.versions.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return rows.versions[a].from < rows.versions[b].from; });
  std::vector<OpenInstance> open;
  for (const size_t i : order) {
    open.push_back({.row = batch.images.rows() + static_cast<int64_t>(i),
                    .version = rows.versions[i].version,
                    .valid_from = rows.versions[i].valid_from});
  }
  MR_ASSIGN(const std::unique_ptr<RowSpace> space, JoinRows(batch, rows));
  std::vector<Contents> epochs;
  KeyIndex contents;
  for (const std::vector<size_t>& columns : batch.epochs) {
    MR_ASSIGN(const EncodedKeys encoded, space->Encode(columns));
    contents = KeyIndex();
    Contents& epoch = epochs.emplace_back();
    for (int64_t row = 0; row < encoded.rows; ++row)
      epoch.of_row.push_back(contents.Insert(encoded[row]));
    epoch.count = contents.size();
  }
  auto folded = FoldMultiset(batch.events, open, epochs, covered);
  if (!folded.ok()) return folded.error().Wrap(table_.layout.table);
  outcome_.stats.replays += folded->replays;
  outcome_.stats.unchanged += folded->unchanged;

  std::vector<OutputRow> closed;
  for (const MultisetResult::Ended& ended : folded->closings) {
    const OpenVersion& version = rows.versions[order[ended.instance]];
    closed.push_back(
        Ended(version, open[ended.instance].row, ended.valid_to, ended.to, ended.deleted));
    Hit(version);
  }
  // Rows with like contents side by side, as their keys are in other tables.
  for (Version& version : folded->versions)
    version.key = epochs.back().of_row[static_cast<size_t>(version.row)];
  return Write(*space, folded->versions, std::move(closed), contents);
}

Status Merge::Write(const RowSpace& space, const std::vector<Version>& versions,
                    std::vector<OutputRow> closed, const KeyIndex& keys) {
  std::vector<const Version*> current;
  for (const Version& version : versions) {
    if (!version.closed) {
      current.push_back(&version);
      continue;
    }
    closed.push_back({.row = version.row,
                      .version = version.version,
                      .valid_from = version.valid_from,
                      .valid_to = version.valid_to,
                      .from = version.from,
                      .to = version.to,
                      .op = version.op,
                      .closed = true,
                      .deleted = version.deleted});
  }
  // In key order, so that the bounds of row groups and files prune later merges.
  std::stable_sort(current.begin(), current.end(),
                   [&](const Version* a, const Version* b) { return keys[a->key] < keys[b->key]; });
  std::vector<OutputRow> open;
  open.reserve(current.size());
  for (const Version* version : current) {
    open.push_back({.row = version->row,
                    .version = version->version,
                    .valid_from = version->valid_from,
                    .valid_to = 0,
                    .from = version->from,
                    .to = {},
                    .op = version->op,
                    .closed = false,
                    .deleted = false});
  }
  outcome_.stats.opened += static_cast<int64_t>(open.size());
  outcome_.stats.closed += static_cast<int64_t>(closed.size());
  outcome_.changed = outcome_.changed || !open.empty() || !closed.empty();
  MR_TRY(writer_.WriteCurrent(space, open));
  return writer_.WriteHistory(space, std::move(closed));
}

Status Merge::CloseTheRest(const Batch& batch, const KeyPasses& passes, int pass) {
  std::vector<const Event*> truncates;
  for (const Event& event : batch.events) {
    if (event.op == 't') truncates.push_back(&event);
  }
  const WholeRow whole_row = table_.layout.keyed() ? nullptr : &batch.epochs.front();
  return ReadOpenRows(table_, files_, batch.keys, whole_row, [&](OpenRows rows) -> Status {
    std::vector<OutputRow> closed;
    EncodedKeys contents;
    if (whole_row != nullptr) {
      MR_ASSIGN(contents, EncodeValues(rows.chunks.front().values, *whole_row));
    }
    for (size_t i = 0; i < rows.versions.size(); ++i) {
      const OpenVersion& version = rows.versions[i];
      const std::string_view key =
          whole_row == nullptr ? std::string_view(rows.keys[i]) : contents[static_cast<int64_t>(i)];
      if (version.key >= 0 || passes.PassOf(key) != pass) continue;
      const auto first = std::find_if(truncates.begin(), truncates.end(),
                                      [&](const Event* t) { return t->position > version.from; });
      if (first == truncates.end()) continue;
      closed.push_back(Ended(version, static_cast<int64_t>(i),
                             std::max((*first)->time, version.valid_from), (*first)->position,
                             true));
      Hit(version);
    }
    if (closed.empty()) return {};
    RowSpace::Joiner joiner(table_.layout.columns.size());
    for (const OpenRows::Chunk& chunk : rows.chunks)
      joiner.Add(chunk.values, chunk.texts, chunk.rows);
    MR_ASSIGN(const auto space, joiner.Join(1, {}, table_.threads));
    outcome_.stats.closed += static_cast<int64_t>(closed.size());
    outcome_.changed = true;
    return writer_.WriteHistory(*space, std::move(closed));
  });
}

Status Merge::SettleFiles() {
  std::vector<FileFate> fates(files_.size(), FileFate::kDelta);
  std::vector<int64_t> sizes;  // of the files that may be folded
  std::vector<size_t> foldable;
  for (size_t i = 0; i < files_.size(); ++i) {
    CurrentFile& file = files_[i];
    const iceberg::DataFile& data = file.task.entry->file;
    std::sort(file.hits.begin(), file.hits.end());
    if (!file.hits.empty()) {
      fates[i] = FateOf(data.file_size, data.record_count,
                        static_cast<int64_t>(file.dead.size() + file.hits.size()), options_.upkeep);
    }
    if (!table_.fills.empty() && fates[i] == FileFate::kDelta) fates[i] = FileFate::kRewrite;
    if (fates[i] != FileFate::kDelta) continue;
    foldable.push_back(i);
    sizes.push_back(data.file_size);
  }
  std::vector<bool> folded(files_.size(), false);
  for (const size_t chosen : ChooseFold(sizes, options_.upkeep)) folded[foldable[chosen]] = true;
  for (size_t i = 0; i < files_.size(); ++i) {
    CurrentFile& file = files_[i];
    if (folded[i]) {
      ++outcome_.stats.files_folded;
      MR_TRY(writer_.MoveCurrent(file, false));
      continue;
    }
    switch (fates[i]) {
      case FileFate::kRemove:
        writer_.Remove(file.task);
        break;
      case FileFate::kRewrite:
        ++outcome_.stats.files_rewritten;
        MR_TRY(writer_.MoveCurrent(
            file, file.task.entry->file.file_size > options_.upkeep.small_file_bytes));
        break;
      case FileFate::kDelta:
        if (file.hits.empty()) break;
        ++outcome_.stats.files_delta;
        MR_TRY(writer_.WriteDeletes(file));
        break;
    }
  }
  return {};
}

// Whether a history file holds rows that a delete closed; without bounds it may.
bool HasDeleted(const iceberg::DataFile& file, int32_t is_deleted) {
  const auto upper = file.upper_bounds.find(is_deleted);
  return upper == file.upper_bounds.end() || upper->second != std::string(1, '\0');
}

Status Merge::FoldHistory() {
  MR_ASSIGN(table::ScanPlan plan,
            table::PlanScan(
                table_.manifests, table_.base, table_.snapshot(),
                {{table_.ScdColumn(Scd::kIsCurrent).id, table::Predicate::Op::kEqual, {false}}}));
  for (const bool deleted : {false, true}) {
    std::vector<const table::FileTask*> tasks;
    std::vector<int64_t> sizes;
    for (const table::FileTask& task : plan.tasks) {
      if (HasDeleted(task.entry->file, table_.ScdColumn(Scd::kIsDeleted).id) != deleted) continue;
      tasks.push_back(&task);
      sizes.push_back(task.entry->file.file_size);
    }
    for (const size_t chosen : ChooseFold(sizes, options_.upkeep)) {
      ++outcome_.stats.files_folded;
      MR_TRY(writer_.MoveHistory(*tasks[chosen], deleted));
    }
  }
  return {};
}

}  // namespace

Result<MergeOutcome> MergeTable(const TableAccess& table, const std::string& write_id,
                                const MergePasses& passes, EventPosition covered,
                                const MergeOptions& options) {
  return Merge(table, write_id, options).Run(passes, covered);
}

}  // namespace millrace::silver
