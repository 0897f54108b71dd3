#include "pipeline/gold/publisher.h"

#include <arrow/api.h>

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/uuid.h"
#include "pipeline/gold/engine_rows.h"
#include "pipeline/gold/partition_writer.h"
#include "pipeline/gold/result_schema.h"
#include "pipeline/gold/touched.h"
#include "table/arrow_schema.h"
#include "table/pin.h"

namespace millrace::gold {
namespace {

constexpr const char* kResultTable = "mr_gold_result";
constexpr const char* kOwnerProperty = "millrace.gold";
constexpr int kAttempts = 5;
// Beyond so many partitions one pass over everything is cheaper than a condition that names them.
constexpr size_t kMostPartitions = 1000;

std::string ShortName(const std::string& table) { return table.substr(table.find('.') + 1); }

}  // namespace

struct Publisher::Work {
  const GoldTable& table;
  std::stop_token stop;
  InputMarks marks;                  // of the state to publish
  std::optional<InputMarks> before;  // of the published state
  std::optional<LoadedTable> base;   // nullopt until created
  iceberg::Schema schema;            // to write with
  std::optional<int32_t> last_column_id;

  const iceberg::PartitionSpec& spec() const { return base->metadata.DefaultSpec(); }
  // nullptr for a table that is replaced as a whole.
  const iceberg::PartitionField* partition() const {
    return base.has_value() && !spec().fields.empty() ? &spec().fields[0] : nullptr;
  }
  const iceberg::Field* partition_column() const {
    return partition() == nullptr ? nullptr
                                  : base->metadata.CurrentSchema().FindById(partition()->source_id);
  }
};

std::string_view OutcomeName(PublishResult::Outcome outcome) {
  switch (outcome) {
    case PublishResult::Outcome::kUnchanged:
      return "unchanged";
    case PublishResult::Outcome::kNoted:
      return "noted";
    case PublishResult::Outcome::kPublished:
      return "published";
    case PublishResult::Outcome::kWaiting:
      return "waiting";
  }
  return "unknown";
}

Result<PublishResult> Publisher::Publish(const GoldTable& table, std::stop_token stop) {
  for (int attempt = 1;; ++attempt) {
    if (stop.stop_requested())
      return Fail(ErrorKind::kCancelled, "gold.{}: asked to stop", table.name);
    Result<PublishResult> result = Attempt(table, stop);
    if (result.ok()) return result;
    const ErrorKind kind = result.error().kind();
    // A commit whose outcome is unknown is safe to plan anew: the table as it is then says whether
    // it happened.
    if ((kind != ErrorKind::kConflict && kind != ErrorKind::kUnknownOutcome) ||
        attempt == kAttempts) {
      return result.error().Wrap("gold." + table.name);
    }
    log::Info("gold", "gold.{}: {}; planning again", table.name, result.error().ToString());
  }
}

Result<PublishResult> Publisher::Attempt(const GoldTable& table, std::stop_token stop) {
  Work work{.table = table,
            .stop = stop,
            .marks = {},
            .before = {},
            .base = {},
            .schema = {},
            .last_column_id = {}};
  PublishResult result;
  MR_ASSIGN(const std::optional<std::string> missing, PinInputs(work));
  if (missing.has_value()) {
    result.outcome = PublishResult::Outcome::kWaiting;
    result.waiting_for = *missing;
    return result;
  }
  MR_TRY(LoadBase(work));
  if (work.before.has_value() && work.before->SameState(work.marks)) return result;

  MR_ASSIGN(Partitions partitions, FindTouched(work));
  if (partitions.has_value() && partitions->empty()) {
    MR_TRY(Note(work));
    result.outcome = PublishResult::Outcome::kNoted;
    return result;
  }
  MR_TRY(Compute(work, partitions));
  MR_ASSIGN(const auto columns,
            ReadRows(engine_, Format("SELECT * FROM {} LIMIT 0", kResultTable), stop));
  MR_ASSIGN(const iceberg::Schema result_schema, table::FromArrow(*columns->schema()));
  if (!work.base.has_value()) {
    MR_TRY(RunChecks(work));
    MR_TRY(CreateTable(work, result_schema));
  } else {
    MR_ASSIGN(SchemaFit fit, FitSchema(work.base->metadata, result_schema, table.partition_column));
    // Rows of untouched partitions lack the new columns.
    if (fit.changed() && partitions.has_value()) {
      partitions.reset();
      MR_TRY(Compute(work, partitions));
    }
    work.schema = std::move(fit.schema);
    work.last_column_id = fit.last_column_id;
    MR_TRY(RunChecks(work));
  }
  MR_TRY(Replace(work, partitions, result));
  result.outcome = PublishResult::Outcome::kPublished;
  result.whole = !partitions.has_value();
  return result;
}

// Makes the inputs visible to the engine. The name of one that the cut does not have, if any.
Result<std::optional<std::string>> Publisher::PinInputs(Work& work) {
  work.marks.cut = cut_.number;
  work.marks.sql_fingerprint = work.table.fingerprint;
  for (const GoldInput& input : work.table.inputs) {
    const auto cut_table = cut_.tables.find(input.table);
    if (cut_table == cut_.tables.end()) return std::optional<std::string>(input.table);
    auto loaded = silver_.find(input.table);
    if (loaded == silver_.end()) {
      MR_ASSIGN(LoadedTable fresh, catalog_.LoadTable(MakeIdent("silver", ShortName(input.table))));
      loaded = silver_.emplace(input.table, std::move(fresh)).first;
    }
    work.marks.tables[input.table] = {loaded->second.metadata.table_uuid,
                                      cut_table->second.snapshot_id, cut_table->second.position};
    MR_ASSIGN(const EngineTable pinned,
              table::Pin(cache_, loaded->second, cut_table->second.snapshot_id));
    MR_TRY(engine_.Register(pinned));
  }
  return std::optional<std::string>();
}

Status Publisher::LoadBase(Work& work) {
  Result<LoadedTable> loaded = catalog_.LoadTable(MakeIdent("gold", work.table.name));
  if (!loaded.ok())
    return loaded.error().kind() == ErrorKind::kNotFound ? Status() : loaded.error();
  work.base = std::move(*loaded);
  const iceberg::Properties& properties = work.base->metadata.properties;
  if (!properties.contains(kOwnerProperty)) {
    return Fail(ErrorKind::kAlreadyExists,
                "the table exists and was not made by Millrace; give the Gold table another name "
                "or drop that one");
  }
  const iceberg::Field* column = work.partition_column();
  if ((column == nullptr ? "" : column->name) != work.table.partition_column) {
    return Fail(ErrorKind::kInvalidInput,
                "{}: partition: the table was published with partition column '{}', which cannot "
                "change; give the table another name",
                work.table.file, column == nullptr ? "" : column->name);
  }
  if (const auto mark = properties.find(std::string(kInputsProperty)); mark != properties.end()) {
    MR_ASSIGN(work.before, ParseInputMarks(mark->second, Format("property {} of gold.{}",
                                                                kInputsProperty, work.table.name)));
  }
  return {};
}

Result<Publisher::Partitions> Publisher::FindTouched(const Work& work) {
  const bool anew = !work.before.has_value() ||
                    work.before->sql_fingerprint != work.marks.sql_fingerprint ||
                    work.partition() == nullptr;
  if (anew) return Partitions();
  std::vector<iceberg::Literal> partitions;
  for (const GoldInput& input : work.table.inputs) {
    const InputMark& now = work.marks.tables.at(input.table);
    const auto before = work.before->tables.find(input.table);
    if (before == work.before->tables.end() || before->second.table_uuid != now.table_uuid ||
        before->second.position > now.position) {
      return Partitions();
    }
    if (before->second.snapshot_id == now.snapshot_id) continue;
    if (!input.touched.has_value()) return Partitions();
    MR_TRY(AddTouched(work, input, before->second.position, partitions));
  }
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  if (partitions.size() > kMostPartitions) return Partitions();
  return Partitions(std::move(partitions));
}

Status Publisher::AddTouched(const Work& work, const GoldInput& input, const EventPosition& after,
                             std::vector<iceberg::Literal>& partitions) {
  const LoadedTable& silver = silver_.at(input.table);
  const int64_t snapshot_id = work.marks.tables.at(input.table).snapshot_id;
  const std::string name = ShortName(input.table);
  // Rows opened after the mark and rows closed after it lie in few files: bounds leave the others
  // out.
  const auto register_changes = [&](const char* column, const char* space) -> Status {
    const iceberg::Field* field = silver.metadata.CurrentSchema().FindByName(column);
    if (field == nullptr)
      return Fail(ErrorKind::kInvalidInput, "input {} has no column {}; it is not a Silver table",
                  input.table, column);
    const table::Predicate predicate{field->id,
                                     table::Predicate::Op::kGreaterEqual,
                                     {iceberg::Literal(static_cast<int64_t>(after.commit_lsn))}};
    MR_ASSIGN(EngineTable changes, table::Pin(cache_, silver, snapshot_id, {predicate}));
    changes.space = space;
    return engine_.Register(changes);
  };
  MR_TRY(register_changes("_from_lsn", "mr_opened"));
  MR_TRY(register_changes("_to_lsn", "mr_closed"));
  const std::string sql = TouchedSql(*input.touched, name, "mr_opened." + QuoteName(name),
                                     "mr_closed." + QuoteName(name), after, *work.partition());
  auto rows = ReadRows(engine_, sql, work.stop);
  if (!rows.ok()) return rows.error().Wrap(Format("{}: touched: {}", work.table.file, input.table));
  const iceberg::Field& column = *work.partition_column();
  for (const auto& chunk : (*rows)->column(0)->chunks()) {
    for (int64_t i = 0; i < chunk->length(); ++i) {
      MR_ASSIGN(const iceberg::Literal value, LiteralAt(*chunk, i));
      const std::optional<iceberg::Literal> partition =
          PartitionOfPeriod(value, *work.partition(), *column.type);
      if (!partition.has_value()) {
        return Fail(ErrorKind::kInvalidInput,
                    "{}: touched: the value for {} must be of column {}'s type {}", work.table.file,
                    input.table, column.name, iceberg::ToString(*column.type));
      }
      partitions.push_back(*partition);
    }
  }
  return {};
}

// Runs the SELECT, for the given partitions only, and keeps its rows in the engine.
Status Publisher::Compute(const Work& work, const Partitions& partitions) {
  // The newline ends a comment at the end of the SELECT.
  std::string sql = Format("SELECT * FROM (\n{}\n) AS gold_rows", work.table.select);
  if (partitions.has_value()) {
    const iceberg::Field& column = *work.partition_column();
    sql +=
        " WHERE " + PartitionCondition(column.name, *column.type, *work.partition(), *partitions);
  }
  if (Status run = engine_.Materialize(kResultTable, sql, work.stop); !run.ok())
    return run.error().Wrap(work.table.file);
  return {};
}

Status Publisher::RunChecks(const Work& work) {
  for (const GoldCheck& check : work.table.checks) {
    const std::string sql = Format(
        "SELECT count(*) AS failed FROM (SELECT (\n{}\n) AS holds FROM {}) AS checked WHERE holds "
        "IS NOT TRUE",
        check.condition, kResultTable);
    auto rows = ReadRows(engine_, sql, work.stop);
    if (!rows.ok())
      return rows.error().Wrap(Format("{}:{}: check {}", work.table.file, check.line, check.name));
    const int64_t failed =
        static_cast<const arrow::Int64Array&>(*(*rows)->column(0)->chunk(0)).Value(0);
    if (failed == 0) continue;
    return Fail(ErrorKind::kInvalidInput,
                "{}:{}: check {} does not hold ({} row(s) of the new result fail it); the table "
                "keeps what was published before",
                work.table.file, check.line, check.name, failed);
  }
  return {};
}

Status Publisher::CreateTable(Work& work, const iceberg::Schema& result) {
  table::NewTable created;
  created.ident = MakeIdent("gold", work.table.name);
  created.location = store_.Absolute("gold/" + work.table.name);
  created.schema = result;
  if (!work.table.partition_column.empty()) {
    const iceberg::Field* column = result.FindByName(work.table.partition_column);
    if (column == nullptr) {
      return Fail(ErrorKind::kInvalidInput, "{}: partition: the result has no column '{}'",
                  work.table.file, work.table.partition_column);
    }
    MR_ASSIGN(created.spec, SpecFor(*column));
  }
  created.properties[kOwnerProperty] = work.table.name;
  created.properties["millrace.gold-grain"] = work.table.grain;
  MR_TRY(catalog_.CreateNamespace(created.ident.levels));
  MR_ASSIGN(std::vector<LoadedTable> loaded, catalog_.Commit({table::StageCreate(created)}));
  work.base = std::move(loaded.at(0));
  work.schema = work.base->metadata.CurrentSchema();
  return {};
}

Status Publisher::Replace(Work& work, const Partitions& partitions, PublishResult& result) {
  const iceberg::TableMetadata& metadata = work.base->metadata;
  table::SnapshotChange change;
  MR_ASSIGN(const table::ScanPlan plan,
            table::PlanScan(cache_, metadata, metadata.current_snapshot_id, {}));
  for (const table::FileTask& task : plan.tasks) {
    const bool touched = !partitions.has_value() || task.entry->file.partition.empty() ||
                         std::find(partitions->begin(), partitions->end(),
                                   task.entry->file.partition[0]) != partitions->end();
    if (touched) change.removed_data.push_back(*task.entry);
  }
  {
    std::string sql = Format("SELECT * FROM {}", kResultTable);
    if (const iceberg::Field* column = work.partition_column())
      sql += " ORDER BY " + QuoteName(column->name);
    MR_ASSIGN(const auto rows, OpenRows(engine_, sql, work.stop));
    MR_ASSIGN(WrittenRows written, WritePartitions(store_, metadata.location, work.schema,
                                                   work.spec(), NewUuid(), *rows));
    change.added_data = std::move(written.files);
    result.rows = written.rows;
    result.partitions =
        partitions.has_value() ? static_cast<int64_t>(partitions->size()) : written.partitions;
  }
  // Nothing before and nothing now: there is no snapshot to make.
  if (change.added_data.empty() && change.removed_data.empty() && !work.last_column_id.has_value())
    return Note(work);
  change.properties[std::string(kInputsProperty)] = WriteInputMarks(work.marks);
  change.summary = change.properties;
  if (work.last_column_id.has_value()) {
    change.schema = work.schema;
    change.last_column_id = work.last_column_id;
  }
  Result<table::StagedSnapshot> staged =
      table::StageSnapshot(store_, cache_, *work.base, change, clock_.Now());
  if (!staged.ok()) {
    DeleteDataFiles(store_, change.added_data);
    return staged.error();
  }
  result.snapshot_id = staged->snapshot_id;
  return CommitStaged(work, *staged, change.added_data);
}

Status Publisher::CommitStaged(const Work& work, table::StagedSnapshot& staged,
                               const std::vector<iceberg::DataFile>& files) {
  for (iceberg::TableUpdate& update :
       table::ExpireSnapshots(work.base->metadata, retention_, clock_.Now())) {
    staged.commit.updates.push_back(std::move(update));
  }
  MR_FAILPOINT("gold.before_commit");
  Result<std::vector<LoadedTable>> committed = catalog_.Commit({staged.commit});
  if (!committed.ok()) {
    // It may be in the table: then the files are needed, and the next attempt finds its own mark.
    if (committed.error().kind() == ErrorKind::kUnknownOutcome) return committed.error();
    DeleteDataFiles(store_, files);
    for (const std::string& path : staged.new_metadata_files) (void)store_.Delete(path);
    return committed.error();
  }
  MR_FAILPOINT("gold.after_commit");
  const auto deleted =
      table::DeleteUnreachable(store_, cache_, work.base->metadata, committed->at(0).metadata);
  if (!deleted.ok())
    log::Warn("gold", "gold.{}: expired files stay: {}", work.table.name,
              deleted.error().ToString());
  return {};
}

// Moves the mark alone.
Status Publisher::Note(const Work& work) {
  TableCommit commit;
  commit.ident = work.base->ident;
  commit.requirements.push_back(iceberg::require::Uuid{work.base->metadata.table_uuid});
  commit.requirements.push_back(
      iceberg::require::RefSnapshot{"main", work.base->metadata.current_snapshot_id});
  iceberg::Properties properties;
  properties[std::string(kInputsProperty)] = WriteInputMarks(work.marks);
  commit.updates.push_back(iceberg::update::SetProperties{std::move(properties)});
  const auto committed = catalog_.Commit({commit});
  return committed.ok() ? Status() : committed.error();
}

}  // namespace millrace::gold
