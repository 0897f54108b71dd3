#include "pipeline/silver/cuts.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>

#include "base/format.h"
#include "base/text.h"
#include "base/uuid.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/layout.h"
#include "pipeline/silver/staged_table.h"
#include "pipeline/silver/upkeep.h"
#include "table/data_reader.h"
#include "table/data_writer.h"

namespace millrace::silver {
namespace {

using iceberg::TypeId;

constexpr std::string_view kCutProperty = "millrace.cut";
constexpr std::string_view kWriterProperty = "millrace.bronze-writer";
constexpr std::string_view kHeldProperty = "millrace.held-back";
constexpr Micros kKeepRows = 7 * kMicrosPerDay;
constexpr size_t kTables = 7;
constexpr int kPublishedAt = 6;  // places of columns

iceberg::Schema CutsSchema() {
  const auto column = [](int32_t id, const char* name, TypeId type, const char* doc) {
    return iceberg::Field{id, name, true, iceberg::Primitive(type), doc};
  };
  const auto list_of = [](int32_t id, std::vector<iceberg::Field> members) {
    return iceberg::List(id, iceberg::Struct(std::move(members)), true);
  };
  iceberg::Schema schema;
  schema.fields = {
      column(1, "cut", TypeId::kLong, "1, 2, 3, ..."),
      column(2, "system_id", TypeId::kString, "which database cluster"),
      column(3, "timeline", TypeId::kInt, "of the cluster"),
      column(4, "commit_lsn", TypeId::kLong,
             "the cut holds all transactions whose commit record starts at or before this"),
      column(5, "ordinal", TypeId::kLong, "of the last event covered"),
      column(6, "commit_time", TypeId::kTimestampTz, "of the last transaction covered"),
      column(7, "published_at", TypeId::kTimestampTz, "when the cut was committed"),
      {8, "tables", true,
       list_of(10, {column(11, "table", TypeId::kString, ""),
                    column(12, "snapshot_id", TypeId::kLong, "")}),
       "the snapshot of every table as of this cut"},
      {9, "held_back", true,
       list_of(13, {column(14, "table", TypeId::kString, ""),
                    column(15, "reason", TypeId::kString, "")}),
       "tables that the cut does not cover, and why"},
  };
  return schema;
}

// A list with one row: pairs of a text and `second`.
template <typename SecondBuilder, typename List, typename Second>
arrow::Result<std::shared_ptr<arrow::Array>> OneList(const std::shared_ptr<arrow::DataType>& type,
                                                     const List& list,
                                                     const Second& append_second) {
  ARROW_ASSIGN_OR_RAISE(auto made, arrow::MakeBuilder(type));
  auto& lists = static_cast<arrow::ListBuilder&>(*made);
  auto& pairs = static_cast<arrow::StructBuilder&>(*lists.value_builder());
  auto& names = static_cast<arrow::StringBuilder&>(*pairs.field_builder(0));
  auto& seconds = static_cast<SecondBuilder&>(*pairs.field_builder(1));
  ARROW_RETURN_NOT_OK(lists.Append());
  for (const auto& item : list) {
    ARROW_RETURN_NOT_OK(pairs.Append());
    ARROW_RETURN_NOT_OK(append_second(item, names, seconds));
  }
  return made->Finish();
}

template <typename Builder, typename Value>
arrow::Result<std::shared_ptr<arrow::Array>> OneValue(const std::shared_ptr<arrow::DataType>& type,
                                                      Value value) {
  Builder builder(type, arrow::default_memory_pool());
  ARROW_RETURN_NOT_OK(builder.Append(value));
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowBatch(const CutMark& mark,
                                                            const CutRow& row) {
  const auto schema = table::ToArrow(CutsSchema());
  const auto type = [&](int i) { return schema->field(i)->type(); };
  arrow::ArrayVector columns(static_cast<size_t>(schema->num_fields()));
  const SourcePosition& at = row.position;
  ARROW_ASSIGN_OR_RAISE(columns[0], OneValue<arrow::Int64Builder>(type(0), mark.cut));
  ARROW_ASSIGN_OR_RAISE(columns[1],
                        OneValue<arrow::StringBuilder>(type(1), std::to_string(at.system_id)));
  ARROW_ASSIGN_OR_RAISE(columns[2],
                        OneValue<arrow::Int32Builder>(type(2), static_cast<int32_t>(at.timeline)));
  ARROW_ASSIGN_OR_RAISE(
      columns[3], OneValue<arrow::Int64Builder>(type(3), static_cast<int64_t>(at.last.commit_lsn)));
  ARROW_ASSIGN_OR_RAISE(columns[4], OneValue<arrow::Int64Builder>(type(4), at.last.ordinal));
  ARROW_ASSIGN_OR_RAISE(columns[5], OneValue<arrow::TimestampBuilder>(type(5), at.commit_time));
  ARROW_ASSIGN_OR_RAISE(columns[6], OneValue<arrow::TimestampBuilder>(type(6), row.published_at));
  ARROW_ASSIGN_OR_RAISE(
      columns[7], OneList<arrow::Int64Builder>(type(7), row.tables,
                                               [](const auto& item, auto& names, auto& seconds) {
                                                 ARROW_RETURN_NOT_OK(names.Append(item.first));
                                                 return seconds.Append(item.second);
                                               }));
  ARROW_ASSIGN_OR_RAISE(
      columns[8], OneList<arrow::StringBuilder>(type(8), mark.held,
                                                [](const auto& item, auto& names, auto& seconds) {
                                                  ARROW_RETURN_NOT_OK(names.Append(item.table));
                                                  return seconds.Append(item.reason);
                                                }));
  return arrow::RecordBatch::Make(schema, 1, std::move(columns));
}

// Copies the rows published at or after `oldest`.
Status CopyYoung(ObjectStore& store, const iceberg::DataFile& file, Micros oldest,
                 table::DataWriter& writer) {
  const iceberg::Schema schema = CutsSchema();
  MR_ASSIGN(const auto reader, table::DataReader::Open(store, file));
  for (int group = 0; group < reader->row_groups(); ++group) {
    MR_ASSIGN(const auto batch, reader->Read(group, schema.fields));
    const auto& published = static_cast<const arrow::TimestampArray&>(*batch->column(kPublishedAt));
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < batch->num_rows(); ++i) {
      if (published.Value(i) >= oldest) rows.push_back(i);
    }
    if (rows.empty()) continue;
    const auto indices = std::make_shared<arrow::Int64Array>(static_cast<int64_t>(rows.size()),
                                                             arrow::Buffer::Wrap(rows));
    arrow::ArrayVector columns;
    for (const auto& column : batch->columns()) {
      MR_ASSIGN(columns.emplace_back(),
                FromArrow(arrow::compute::Take(*column, *indices), "folding cuts"));
    }
    MR_TRY(writer.Write(
        *arrow::RecordBatch::Make(batch->schema(), indices->length(), std::move(columns))));
  }
  return {};
}

const std::string* Property(const iceberg::TableMetadata& metadata, std::string_view name) {
  const auto found = metadata.properties.find(std::string(name));
  return found == metadata.properties.end() ? nullptr : &found->second;
}

}  // namespace

Result<CutMark> MarkOf(const iceberg::TableMetadata& cuts) {
  CutMark mark;
  const std::string* cut = Property(cuts, kCutProperty);
  const std::string* commit = Property(cuts, kBronzeCommitProperty);
  const std::string* source = Property(cuts, kSourceProperty);
  const std::string* held = Property(cuts, kHeldProperty);
  const auto cut_number = cut == nullptr ? std::nullopt : ParseInt<int64_t>(*cut);
  const auto commit_number = commit == nullptr ? std::nullopt : ParseInt<int64_t>(*commit);
  if (!cut_number || !commit_number || source == nullptr || held == nullptr) {
    return Fail(ErrorKind::kCorrupt,
                "the table of cuts lacks its marks (properties {}, {}, {}, {})", kCutProperty,
                kBronzeCommitProperty, kSourceProperty, kHeldProperty);
  }
  mark.cut = *cut_number;
  mark.bronze_commit = *commit_number;
  mark.source = *source;
  if (const std::string* writer = Property(cuts, kWriterProperty)) mark.bronze_writer = *writer;
  MR_ASSIGN(const json::Value list, json::Parse(*held, "held tables"));
  MR_ASSIGN(mark.held, HeldFromJson(list));
  return mark;
}

Result<std::set<std::string>> TablesOfNewestCut(ObjectStore& store, table::ManifestCache& manifests,
                                                const iceberg::TableMetadata& cuts) {
  std::set<std::string> names;
  int64_t newest = 0;
  const iceberg::Schema schema = CutsSchema();
  const std::vector<iceberg::Field> fields = {schema.fields[0], schema.fields[kTables]};
  MR_ASSIGN(const table::ScanPlan plan,
            table::PlanScan(manifests, cuts, cuts.current_snapshot_id, {}));
  for (const table::FileTask& task : plan.tasks) {
    MR_ASSIGN(const auto reader, table::DataReader::Open(store, task.entry->file));
    for (int group = 0; group < reader->row_groups(); ++group) {
      MR_ASSIGN(const auto batch, reader->Read(group, fields));
      const auto& numbers = static_cast<const arrow::Int64Array&>(*batch->column(0));
      const auto& lists = static_cast<const arrow::ListArray&>(*batch->column(1));
      const auto& pairs = static_cast<const arrow::StructArray&>(*lists.values());
      const auto& tables = static_cast<const arrow::StringArray&>(*pairs.field(0));
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        if (numbers.Value(row) < newest) continue;
        newest = numbers.Value(row);
        names.clear();
        for (int64_t i = lists.value_offset(row); i < lists.value_offset(row + 1); ++i) {
          names.emplace(tables.GetView(i));
        }
      }
    }
  }
  return names;
}

Result<StagedCut> StageCut(ObjectStore& store, table::ManifestCache& manifests,
                           const TableIdent& ident, const std::optional<LoadedTable>& base,
                           const CutMark& mark, const CutRow& row) {
  MR_ASSIGN(
      TableBase table, BaseOf(store, ident, base, [] {
        return table::NewTable{
            .ident = {}, .location = "", .schema = CutsSchema(), .spec = {}, .properties = {}};
      }));
  const iceberg::TableMetadata& metadata = table.loaded.metadata;
  const auto writer =
      table::DataWriter::New(store, metadata.location, metadata.CurrentSchema(),
                             metadata.DefaultSpec(), {}, NewUuid(), table::DataWriterOptions{});
  table::SnapshotChange change;
  MR_ASSIGN(const table::ScanPlan plan,
            table::PlanScan(manifests, metadata, metadata.current_snapshot_id, {}));
  std::vector<int64_t> sizes;
  for (const table::FileTask& task : plan.tasks) sizes.push_back(task.entry->file.file_size);
  for (const size_t chosen : ChooseFold(sizes, UpkeepOptions())) {
    MR_TRY(CopyYoung(store, plan.tasks[chosen].entry->file, row.published_at - kKeepRows, *writer));
    change.removed_data.push_back(*plan.tasks[chosen].entry);
  }
  MR_ASSIGN(const auto batch, FromArrow(RowBatch(mark, row), "building the cut"));
  MR_TRY(writer->Write(*batch));
  MR_ASSIGN(change.added_data, writer->Finish());
  change.properties = {{std::string(kCutProperty), std::to_string(mark.cut)},
                       {std::string(kWriterProperty), mark.bronze_writer},
                       {std::string(kBronzeCommitProperty), std::to_string(mark.bronze_commit)},
                       {std::string(kSourceProperty), mark.source},
                       {std::string(kHeldProperty), json::Write(ToJson(mark.held))}};
  change.summary = {{std::string(kCutProperty), std::to_string(mark.cut)},
                    {std::string(kBronzeCommitProperty), std::to_string(mark.bronze_commit)},
                    {std::string(kSourceProperty), mark.source}};
  MR_ASSIGN(StagedTable staged, StageOn(store, manifests, std::move(table), change,
                                        table::Retention{}, row.published_at));
  StagedCut cut{std::move(staged.commit), staged.snapshot_id, std::move(staged.new_files)};
  for (const iceberg::DataFile& file : change.added_data) {
    if (auto path = store.Relative(file.path); path.ok()) cut.written.push_back(std::move(*path));
  }
  return cut;
}

}  // namespace millrace::silver
