#include "pipeline/silver/merge_writer.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/failpoint.h"
#include "base/format.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/lookup.h"
#include "table/data_reader.h"
#include "table/delete_file.h"

namespace millrace::silver {
namespace {

constexpr size_t kSliceRows = 128 << 10;  // rows built at once
constexpr size_t kApartRows =
    4096;  // of each kind, before deleted versions get a file of their own

// A delete file that speaks of one data file only: ours do; a foreign writer's may cover more and
// must stay.
bool AboutOnly(const iceberg::ManifestEntry& entry, const std::string& path) {
  return entry.file.referenced_data_file && *entry.file.referenced_data_file == path;
}

}  // namespace

MergeWriter::MergeWriter(const TableAccess& table, const std::string& location,
                         std::string write_id, const table::DataWriterOptions& options)
    : table_(table), location_(location), write_id_(std::move(write_id)), options_(options) {}
MergeWriter::~MergeWriter() {
  // Not finished: what was written belongs to nobody.
  for (const auto* files : {&change_.added_data, &change_.added_deletes}) {
    for (const iceberg::DataFile& file : *files) {
      const auto path = table_.store.Relative(file.path);
      if (path.ok()) (void)table_.store.Delete(*path).ok();
    }
  }
}

std::unique_ptr<table::DataWriter> MergeWriter::NewWriter(bool current) {
  return table::DataWriter::New(table_.store, location_, table_.schema, table_.base.DefaultSpec(),
                                {iceberg::Literal(current)}, Format("{}-{}", write_id_, writers_++),
                                options_);
}

table::DataWriter& MergeWriter::Open(std::unique_ptr<table::DataWriter>& writer, bool current) {
  if (!writer) writer = NewWriter(current);
  return *writer;
}

Status MergeWriter::WriteRows(table::DataWriter& writer, const RowSpace& space,
                              const std::vector<OutputRow>& rows) {
  for (size_t at = 0; at < rows.size(); at += kSliceRows) {
    const size_t end = std::min(rows.size(), at + kSliceRows);
    MR_ASSIGN(const auto batch, BuildRows(table_, space, rows.data() + at, rows.data() + end));
    MR_TRY(writer.Write(*batch));
  }
  return {};
}

Status MergeWriter::WriteCurrent(const RowSpace& space, const std::vector<OutputRow>& rows) {
  if (rows.empty()) return {};
  return WriteRows(Open(current_, true), space, rows);
}

Status MergeWriter::WriteHistory(const RowSpace& space, std::vector<OutputRow> rows) {
  if (rows.empty()) return {};
  const auto by_end = [](const OutputRow& a, const OutputRow& b) {
    return a.valid_to < b.valid_to;
  };
  if (!std::is_sorted(rows.begin(), rows.end(), by_end))
    std::stable_sort(rows.begin(), rows.end(), by_end);
  const auto deleted = static_cast<size_t>(
      std::count_if(rows.begin(), rows.end(), [](const OutputRow& r) { return r.deleted; }));
  if (deleted < kApartRows || rows.size() - deleted < kApartRows)
    return WriteRows(Open(ended_, false), space, rows);
  std::vector<OutputRow> ended, removed;
  for (const OutputRow& row : rows) (row.deleted ? removed : ended).push_back(row);
  MR_TRY(WriteRows(Open(ended_, false), space, ended));
  return WriteRows(Open(deleted_, false), space, removed);
}

Status MergeWriter::CopyRows(const table::FileTask& task, const std::vector<int64_t>& without,
                             const ColumnFills& fills, table::DataWriter& writer) {
  MR_ASSIGN(const auto reader,
            table::DataReader::Open(table_.store, task.entry->file, table_.threads > 1));
  auto dead = without.begin();
  for (int group = 0; group < reader->row_groups(); ++group) {
    MR_ASSIGN(auto batch, fills.Read(*reader, group, table_.schema.fields));
    const int64_t start = reader->row_group_start(group), end = start + batch->num_rows();
    std::vector<int64_t> rows;
    const auto first = dead;
    while (dead != without.end() && *dead < end) ++dead;
    if (first != dead) {
      auto next = first;
      for (int64_t at = start; at < end; ++at) {
        if (next != dead && *next == at) {
          ++next;
        } else {
          rows.push_back(at - start);
        }
      }
      if (rows.empty()) continue;
      const auto indices = std::make_shared<arrow::Int64Array>(static_cast<int64_t>(rows.size()),
                                                               arrow::Buffer::Wrap(rows));
      arrow::ArrayVector columns;
      for (const auto& column : batch->columns()) {
        MR_ASSIGN(columns.emplace_back(),
                  FromArrow(arrow::compute::Take(*column, *indices,
                                                 arrow::compute::TakeOptions::NoBoundsCheck()),
                            "copying rows"));
      }
      batch = arrow::RecordBatch::Make(batch->schema(), indices->length(), std::move(columns));
    }
    MR_TRY(writer.Write(*batch));
  }
  return {};
}

Status MergeWriter::MoveCurrent(CurrentFile& file, bool own_file) {
  MR_TRY(LoadDead(table_, file));
  std::vector<int64_t> without;
  std::merge(file.dead.begin(), file.dead.end(), file.hits.begin(), file.hits.end(),
             std::back_inserter(without));
  if (own_file) {
    auto writer = NewWriter(true);
    MR_TRY(CopyRows(file.task, without, table_.fills, *writer));
    MR_TRY(Collect(writer));
  } else {
    MR_TRY(CopyRows(file.task, without, table_.fills, Open(current_, true)));
  }
  Remove(file.task);
  return {};
}

Status MergeWriter::MoveHistory(const table::FileTask& task, bool has_deleted) {
  std::vector<int64_t> dead;
  if (!task.deletes.empty()) {
    MR_ASSIGN(dead, table::ReadDeletedPositions(table_.store, task));
  }
  MR_TRY(CopyRows(task, dead, ColumnFills(), Open(has_deleted ? deleted_ : ended_, false)));
  Remove(task);
  return {};
}

void MergeWriter::Remove(const table::FileTask& task) {
  change_.removed_data.push_back(*task.entry);
  for (const table::SharedEntry& entry : task.deletes) {
    if (AboutOnly(*entry, task.entry->file.path)) change_.removed_deletes.push_back(*entry);
  }
}

Status MergeWriter::WriteDeletes(const CurrentFile& file) {
  if (Sabotaged("forget_delete_file")) return {};
  std::vector<int64_t> positions;
  std::merge(file.dead.begin(), file.dead.end(), file.hits.begin(), file.hits.end(),
             std::back_inserter(positions));
  MR_ASSIGN(iceberg::DataFile written,
            table::WritePositionDeletes(table_.store, location_, file.task.entry->file, positions,
                                        Format("{}-{}", write_id_, writers_++)));
  change_.added_deletes.push_back(std::move(written));
  for (const table::SharedEntry& entry : file.task.deletes) {
    if (AboutOnly(*entry, file.task.entry->file.path)) change_.removed_deletes.push_back(*entry);
  }
  return {};
}

Status MergeWriter::Collect(std::unique_ptr<table::DataWriter>& writer) {
  if (!writer) return {};
  MR_ASSIGN(std::vector<iceberg::DataFile> files, writer->Finish());
  for (iceberg::DataFile& file : files) change_.added_data.push_back(std::move(file));
  writer.reset();
  return {};
}

Result<table::SnapshotChange> MergeWriter::Finish() {
  MR_TRY(Collect(current_));
  MR_TRY(Collect(ended_));
  MR_TRY(Collect(deleted_));
  return std::exchange(change_, {});
}

}  // namespace millrace::silver
