#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "pipeline/silver/row_space.h"
#include "pipeline/silver/table_access.h"
#include "table/data_writer.h"
#include "table/snapshot_producer.h"

namespace millrace::silver {

// One row to write: source columns from the row space, SCD2 columns from here. Open when `closed`
// is false.
struct OutputRow {
  int64_t row = -1;
  int32_t version = 0;
  Micros valid_from = 0, valid_to = 0;
  EventPosition from, to;
  char op = 0;
  bool closed = false, deleted = false;
};

// Rows [begin, end) as a batch of the table's columns.
Result<std::shared_ptr<arrow::RecordBatch>> BuildRows(const TableAccess& table,
                                                      const RowSpace& space, const OutputRow* begin,
                                                      const OutputRow* end);

// Writes what a merge adds: new files for the two partitions, delete files for old ones. Destroyed
// without Finish it deletes them.
class MergeWriter {
 public:
  // `write_id` is part of the names of all files.
  MergeWriter(const TableAccess& table, const std::string& location, std::string write_id,
              const table::DataWriterOptions& options);
  ~MergeWriter();

  // Open versions; they share a file with folded ones.
  Status WriteCurrent(const RowSpace& space, const std::vector<OutputRow>& rows);
  // Closed versions. Those that a delete closed are kept apart when there are many of both kinds:
  // only they are searched for keys that come back.
  Status WriteHistory(const RowSpace& space, std::vector<OutputRow> rows);
  // Moves a current file's live rows into the current output, or into a file of their own, which
  // keeps the bounds of large files narrow.
  Status MoveCurrent(CurrentFile& file, bool own_file);
  // Folds a history file into the output of its kind.
  Status MoveHistory(const table::FileTask& task, bool has_deleted);
  // Drops a file, and the delete files that are about it alone.
  void Remove(const table::FileTask& task);
  // Writes one delete file for all dead rows of the file, in place of the old one.
  Status WriteDeletes(const CurrentFile& file);

  // Finishes the files and gives what the snapshot adds and removes.
  Result<table::SnapshotChange> Finish();

 private:
  std::unique_ptr<table::DataWriter> NewWriter(bool current);
  table::DataWriter& Open(std::unique_ptr<table::DataWriter>& writer, bool current);
  Status WriteRows(table::DataWriter& writer, const RowSpace& space,
                   const std::vector<OutputRow>& rows);
  Status CopyRows(const table::FileTask& task, const std::vector<int64_t>& without,
                  const ColumnFills& fills, table::DataWriter& writer);
  Status Collect(std::unique_ptr<table::DataWriter>& writer);

  const TableAccess& table_;
  const std::string location_;
  const std::string write_id_;
  const table::DataWriterOptions options_;
  int writers_ = 0;
  std::unique_ptr<table::DataWriter> current_, ended_, deleted_;
  table::SnapshotChange change_;
};

}  // namespace millrace::silver
