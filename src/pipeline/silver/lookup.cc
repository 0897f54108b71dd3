#include "pipeline/silver/lookup.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <mutex>

#include "base/format.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/batch.h"
#include "pipeline/silver/parallel.h"
#include "table/data_reader.h"
#include "table/delete_file.h"

namespace millrace::silver {
namespace {

using table::Predicate;

constexpr std::array kVersionColumns = {Scd::kVersion, Scd::kValidFrom, Scd::kFromLsn,
                                        Scd::kFromOrd, Scd::kOp};

// The columns of a read, in two steps: those that decide about a row, and the rest.
class Columns {
 public:
  Columns(const TableAccess& table, WholeRow whole_row) : table_(table), whole_row_(whole_row) {
    const Layout& layout = table.layout;
    if (whole_row != nullptr) {
      for (const size_t i : *whole_row) match_.push_back(table.Field(layout.columns[i].field_id));
      for (const size_t i : *whole_row) {
        if (table.HasText(i)) match_.push_back(table.Field(layout.columns[i].text_field_id));
      }
      std::vector<bool> matched(layout.columns.size(), false);
      for (const size_t i : *whole_row) matched[i] = true;
      for (size_t i = 0; i < layout.columns.size(); ++i) {
        if (matched[i]) continue;
        rest_.push_back(table.Field(layout.columns[i].field_id));
        if (table.HasText(i)) rest_.push_back(table.Field(layout.columns[i].text_field_id));
      }
      rules_.assign(match_.size(), TextRule::kAsIs);
    } else {
      for (const SilverColumn* key : layout.KeyColumns())
        match_.push_back(table.Field(key->field_id));
      rules_ = KeyRules(layout);
      for (const SilverColumn& column : layout.columns) {
        if (column.key_position == 0) rest_.push_back(table.Field(column.field_id));
      }
      for (size_t i = 0; i < layout.columns.size(); ++i) {
        if (table.HasText(i)) rest_.push_back(table.Field(layout.columns[i].text_field_id));
      }
    }
    for (const Scd column : kVersionColumns) rest_.push_back(table.ScdColumn(column));
  }

  const std::vector<iceberg::Field>& match() const { return match_; }
  const std::vector<iceberg::Field>& rest() const { return rest_; }
  Result<EncodedKeys> Encode(const arrow::RecordBatch& match) const {
    return EncodeKeys(match.columns(), rules_, whole_row_ != nullptr);
  }

  // The given rows of one row group as a chunk.
  Result<OpenRows::Chunk> TakeRows(const arrow::RecordBatch& match, const arrow::RecordBatch& rest,
                                   const std::vector<int64_t>& rows,
                                   arrow::ArrayVector* versions) const {
    const arrow::Int64Array indices(static_cast<int64_t>(rows.size()), arrow::Buffer::Wrap(rows));
    const auto by_id = [&](int32_t id) -> Result<std::shared_ptr<arrow::Array>> {
      for (const auto& [fields, batch] : {std::pair{&match_, &match}, std::pair{&rest_, &rest}}) {
        for (size_t i = 0; i < fields->size(); ++i) {
          if ((*fields)[i].id != id) continue;
          return FromArrow(arrow::compute::Take(*batch->column(static_cast<int>(i)), indices,
                                                arrow::compute::TakeOptions::NoBoundsCheck()),
                           "taking old rows");
        }
      }
      return Fail(ErrorKind::kInternal, "field {} was not read", id);
    };
    OpenRows::Chunk chunk;
    chunk.rows = static_cast<int64_t>(rows.size());
    for (size_t i = 0; i < table_.layout.columns.size(); ++i) {
      MR_ASSIGN(chunk.values.emplace_back(), by_id(table_.layout.columns[i].field_id));
      chunk.texts.emplace_back();
      if (table_.HasText(i)) {
        MR_ASSIGN(chunk.texts.back(), by_id(table_.layout.columns[i].text_field_id));
      }
    }
    for (const Scd column : kVersionColumns) {
      MR_ASSIGN(versions->emplace_back(), by_id(table_.ScdColumn(column).id));
    }
    return chunk;
  }

 private:
  const TableAccess& table_;
  const WholeRow whole_row_;
  std::vector<iceberg::Field> match_, rest_;
  std::vector<TextRule> rules_;
};

void AppendVersions(const arrow::ArrayVector& columns, const std::vector<int32_t>& keys,
                    const std::vector<int64_t>& positions, int32_t file,
                    std::vector<OpenVersion>& out) {
  const auto& version = static_cast<const arrow::Int32Array&>(*columns[0]);
  const auto& valid_from = static_cast<const arrow::TimestampArray&>(*columns[1]);
  const auto& lsn = static_cast<const arrow::Int64Array&>(*columns[2]);
  const auto& ordinal = static_cast<const arrow::Int64Array&>(*columns[3]);
  const auto& op = static_cast<const arrow::StringArray&>(*columns[4]);
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    const std::string_view letter = op.GetView(row);
    out.push_back({.key = keys[i],
                   .file = file,
                   .position = positions[i],
                   .version = version.Value(row),
                   .valid_from = valid_from.Value(row),
                   .from = {static_cast<Lsn>(lsn.Value(row)), ordinal.Value(row)},
                   .op = letter.empty() ? 'c' : letter[0]});
  }
}

// One row group: rows that are live and, unless `all`, known to the index.
Result<OpenRows> ReadRowGroup(const TableAccess& table, const Columns& columns,
                              table::DataReader& reader, int group, const CurrentFile& file,
                              int32_t number, const KeyIndex& index, bool all) {
  OpenRows found;
  MR_ASSIGN(const auto match, table.fills.Read(reader, group, columns.match()));
  MR_ASSIGN(const EncodedKeys encoded, columns.Encode(*match));
  const int64_t start = reader.row_group_start(group);
  auto dead = std::lower_bound(file.dead.begin(), file.dead.end(), start);
  std::vector<int64_t> rows, positions;
  std::vector<int32_t> keys;
  for (int64_t row = 0; row < encoded.rows; ++row) {
    if (dead != file.dead.end() && *dead == start + row) {
      ++dead;
      continue;
    }
    const int32_t key = index.Find(encoded[row]);
    if (key < 0 && !all) continue;
    rows.push_back(row);
    positions.push_back(start + row);
    keys.push_back(key);
    if (all) found.keys.emplace_back(encoded[row]);
  }
  if (rows.empty()) return found;
  MR_ASSIGN(const auto rest, table.fills.Read(reader, group, columns.rest()));
  arrow::ArrayVector versions;
  MR_ASSIGN(OpenRows::Chunk chunk, columns.TakeRows(*match, *rest, rows, &versions));
  found.chunks.push_back(std::move(chunk));
  AppendVersions(versions, keys, positions, number, found.versions);
  return found;
}

}  // namespace

Result<std::vector<CurrentFile>> PlanCurrentFiles(const TableAccess& table) {
  MR_ASSIGN(
      table::ScanPlan plan,
      table::PlanScan(table.manifests, table.base, table.snapshot(),
                      {{table.ScdColumn(Scd::kIsCurrent).id, Predicate::Op::kEqual, {true}}}));
  std::vector<CurrentFile> files;
  for (table::FileTask& task : plan.tasks) {
    files.emplace_back().task = std::move(task);
  }
  return files;
}

Status ChooseCandidates(const TableAccess& table, std::vector<CurrentFile>& files,
                        const KeyBounds* bounds) {
  return ParallelFor(files.size(), table.threads, [&](size_t i) -> Status {
    CurrentFile& file = files[i];
    file.candidate = bounds == nullptr || bounds->MayContain(file.task.entry->file);
    return file.candidate ? LoadDead(table, file) : Status();
  });
}

Status LoadDead(const TableAccess& table, CurrentFile& file) {
  if (file.dead_known) return {};
  if (!file.task.deletes.empty()) {
    MR_ASSIGN(file.dead, table::ReadDeletedPositions(table.store, file.task));
  }
  file.dead_known = true;
  return {};
}

Result<OpenRows> FindOpenRows(const TableAccess& table, const std::vector<CurrentFile>& files,
                              const KeyIndex& index, WholeRow whole_row) {
  OpenRows all;
  if (index.size() == 0) return all;
  const Columns columns(table, whole_row);
  // Few files: several threads share one, each with a reader of its own.
  const auto shares = static_cast<size_t>(std::max(table.threads, 1));
  std::vector<std::vector<OpenRows>> found(files.size() * shares);
  MR_TRY(ParallelFor(found.size(), table.threads, [&](size_t unit) -> Status {
    const size_t f = unit / shares;
    if (!files[f].candidate) return {};
    MR_ASSIGN(const auto reader, table::DataReader::Open(table.store, files[f].task.entry->file));
    for (int group = static_cast<int>(unit % shares); group < reader->row_groups();
         group += static_cast<int>(shares)) {
      MR_ASSIGN(OpenRows rows, ReadRowGroup(table, columns, *reader, group, files[f],
                                            static_cast<int32_t>(f), index, false));
      if (!rows.versions.empty()) found[unit].push_back(std::move(rows));
    }
    return {};
  }));
  std::vector<bool> seen(static_cast<size_t>(index.size()), false);
  for (std::vector<OpenRows>& unit : found) {
    for (OpenRows& rows : unit) {
      for (const OpenVersion& version : rows.versions) {
        const auto key = static_cast<size_t>(version.key);
        if (seen[key] && whole_row == nullptr) {
          return Fail(ErrorKind::kCorrupt, "{}: a key has two open versions (the second in {})",
                      table.layout.table,
                      files[static_cast<size_t>(version.file)].task.entry->file.path);
        }
        seen[key] = true;
        all.versions.push_back(version);
      }
      for (OpenRows::Chunk& chunk : rows.chunks) all.chunks.push_back(std::move(chunk));
    }
  }
  return all;
}

Status ReadOpenRows(const TableAccess& table, const std::vector<CurrentFile>& files,
                    const KeyIndex& index, WholeRow whole_row,
                    const std::function<Status(OpenRows chunk)>& take) {
  const Columns columns(table, whole_row);
  for (size_t f = 0; f < files.size(); ++f) {
    if (!files[f].candidate) continue;
    MR_ASSIGN(const auto reader,
              table::DataReader::Open(table.store, files[f].task.entry->file, table.threads > 1));
    for (int group = 0; group < reader->row_groups(); ++group) {
      MR_ASSIGN(OpenRows rows, ReadRowGroup(table, columns, *reader, group, files[f],
                                            static_cast<int32_t>(f), index, true));
      if (!rows.versions.empty()) MR_TRY(take(std::move(rows)));
    }
  }
  return {};
}

Status FindLastClosed(const TableAccess& table, const KeyIndex& index, const KeyBounds& bounds,
                      const std::vector<bool>& wanted, std::vector<KeyState>& keys) {
  MR_ASSIGN(
      table::ScanPlan plan,
      table::PlanScan(table.manifests, table.base, table.snapshot(),
                      {{table.ScdColumn(Scd::kIsCurrent).id, Predicate::Op::kEqual, {false}},
                       {table.ScdColumn(Scd::kIsDeleted).id, Predicate::Op::kEqual, {true}}}));
  std::erase_if(plan.tasks,
                [&](const table::FileTask& task) { return !bounds.MayContain(task.entry->file); });
  std::vector<iceberg::Field> fields;
  for (const SilverColumn* key : table.layout.KeyColumns())
    fields.push_back(table.Field(key->field_id));
  const size_t key_columns = fields.size();
  for (const Scd column : {Scd::kVersion, Scd::kValidTo, Scd::kToLsn, Scd::kToOrd})
    fields.push_back(table.ScdColumn(column));
  const std::vector<TextRule> rules = KeyRules(table.layout);
  std::mutex mutex;
  return ParallelFor(plan.tasks.size(), table.threads, [&](size_t i) -> Status {
    const table::FileTask& task = plan.tasks[i];
    std::vector<int64_t> dead;
    if (!task.deletes.empty()) {
      MR_ASSIGN(dead, table::ReadDeletedPositions(table.store, task));
    }
    MR_ASSIGN(const auto reader, table::DataReader::Open(table.store, task.entry->file));
    for (int group = 0; group < reader->row_groups(); ++group) {
      MR_ASSIGN(const auto batch, reader->Read(group, fields));
      const auto& columns = batch->columns();
      MR_ASSIGN(
          const EncodedKeys encoded,
          EncodeKeys({columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(key_columns)},
                     rules, false));
      const auto& version = static_cast<const arrow::Int32Array&>(*columns[key_columns]);
      const auto& valid_to = static_cast<const arrow::TimestampArray&>(*columns[key_columns + 1]);
      const auto& lsn = static_cast<const arrow::Int64Array&>(*columns[key_columns + 2]);
      const auto& ordinal = static_cast<const arrow::Int64Array&>(*columns[key_columns + 3]);
      for (int64_t row = 0; row < encoded.rows; ++row) {
        const int32_t key = index.Find(encoded[row]);
        if (key < 0 || !wanted[static_cast<size_t>(key)]) continue;
        if (std::binary_search(dead.begin(), dead.end(), reader->row_group_start(group) + row))
          continue;
        std::lock_guard lock(mutex);
        KeyState& state = keys[static_cast<size_t>(key)];
        if (version.Value(row) <= state.version) continue;
        state.version = version.Value(row);
        state.floor = valid_to.Value(row);
        state.fence = {static_cast<Lsn>(lsn.Value(row)), ordinal.Value(row)};
      }
    }
    return {};
  });
}

}  // namespace millrace::silver
