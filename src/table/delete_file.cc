#include "table/delete_file.h"

#include <arrow/api.h>
#include <arrow/builder.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/format.h"
#include "codec/hash.h"
#include "table/arrow_schema.h"
#include "table/data_reader.h"
#include "table/parquet_file.h"

namespace millrace::table {
namespace {

// Reserved ids of the spec, "Position Delete Files".
constexpr int32_t kFilePathId = 2147483546;
constexpr int32_t kPosId = 2147483545;

const iceberg::Schema& DeleteSchema() {
  static const auto* schema = new iceberg::Schema{
      0,
      {{kFilePathId, "file_path", true, iceberg::Primitive(iceberg::TypeId::kString), ""},
       {kPosId, "pos", true, iceberg::Primitive(iceberg::TypeId::kLong), ""}},
      {}};
  return *schema;
}

// Whether each row of the delete file is about `path`. Equal bounds alone do not say so: some
// writers truncate both (S3).
bool OnlyAbout(const iceberg::DataFile& deletes, const std::string& path) {
  if (deletes.referenced_data_file.has_value()) return *deletes.referenced_data_file == path;
  const auto lower = deletes.lower_bounds.find(kFilePathId);
  const auto upper = deletes.upper_bounds.find(kFilePathId);
  return lower != deletes.lower_bounds.end() && upper != deletes.upper_bounds.end() &&
         lower->second == path && upper->second == path;
}

Status ReadPositions(ObjectStore& store, const iceberg::DataFile& deletes, const std::string& path,
                     std::vector<int64_t>& positions) {
  const std::vector<iceberg::Field>& both = DeleteSchema().fields;
  const bool all = OnlyAbout(deletes, path);
  const std::vector<iceberg::Field> fields = all ? std::vector<iceberg::Field>{both[1]} : both;
  MR_ASSIGN(auto reader, DataReader::Open(store, deletes));
  for (int group = 0; group < reader->row_groups(); ++group) {
    MR_ASSIGN(auto batch, reader->Read(group, fields));
    const auto& pos =
        static_cast<const arrow::Int64Array&>(*batch->column(batch->num_columns() - 1));
    if (pos.null_count() != 0) {
      return Fail(ErrorKind::kCorrupt, "delete file '{}' lacks positions", deletes.path);
    }
    if (all) {
      positions.insert(positions.end(), pos.raw_values(), pos.raw_values() + pos.length());
      continue;
    }
    const auto& paths = static_cast<const arrow::StringArray&>(*batch->column(0));
    for (int64_t i = 0; i < pos.length(); ++i) {
      if (paths.GetView(i) == path) positions.push_back(pos.Value(i));
    }
  }
  return {};
}

// Where the data file lies, so that a partition's files stay together; a data file written
// elsewhere gives no folder.
std::string Folder(const std::string& location, const std::string& data_path) {
  const std::string root = location + "/data/";
  if (!data_path.starts_with(root)) return root;
  return data_path.substr(0, data_path.rfind('/') + 1);
}

Result<std::shared_ptr<arrow::RecordBatch>> MakeRows(const std::string& path,
                                                     const std::vector<int64_t>& positions) {
  arrow::StringBuilder paths;
  arrow::Int64Builder pos;
  const auto n = static_cast<int64_t>(positions.size());
  arrow::Status status = paths.Reserve(n);
  if (status.ok()) status = paths.ReserveData(n * static_cast<int64_t>(path.size()));
  for (int64_t i = 0; status.ok() && i < n; ++i) paths.UnsafeAppend(path);
  if (status.ok()) status = pos.AppendValues(positions);
  std::shared_ptr<arrow::Array> columns[2];
  if (status.ok()) status = paths.Finish(&columns[0]);
  if (status.ok()) status = pos.Finish(&columns[1]);
  MR_TRY(FromArrowStatus(status, "building position deletes"));
  return arrow::RecordBatch::Make(ToArrow(DeleteSchema()), n, {columns[0], columns[1]});
}

}  // namespace

Result<std::vector<int64_t>> ReadDeletedPositions(ObjectStore& store, const FileTask& task) {
  std::vector<int64_t> positions;
  for (const SharedEntry& deletes : task.deletes) {
    MR_TRY(ReadPositions(store, deletes->file, task.entry->file.path, positions));
  }
  if (!std::is_sorted(positions.begin(), positions.end()))
    std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  return positions;
}

Result<iceberg::DataFile> WritePositionDeletes(ObjectStore& store, const std::string& location,
                                               const iceberg::DataFile& data_file,
                                               const std::vector<int64_t>& positions,
                                               const std::string& write_id) {
  MR_FAILPOINT("table.before_delete_file");
  iceberg::DataFile deletes;
  deletes.content = iceberg::FileContent::kPositionDeletes;
  deletes.path = Format("{}{}-{}-deletes.parquet", Folder(location, data_file.path), write_id,
                        Sha256Hex(data_file.path).substr(0, 16));
  MR_ASSIGN(const std::string relative, store.Relative(deletes.path));
  ParquetFile::Options options;
  options.use_threads = false;
  MR_ASSIGN(auto file, ParquetFile::Create(store, relative, DeleteSchema(), options));
  // In pieces: each row repeats the path until the encoder folds it into its dictionary.
  constexpr size_t kPiece = 64 << 10;
  for (size_t at = 0; at < positions.size(); at += kPiece) {
    const auto from = positions.begin() + static_cast<ptrdiff_t>(at);
    const auto to =
        positions.begin() + static_cast<ptrdiff_t>(std::min(positions.size(), at + kPiece));
    MR_ASSIGN(auto rows, MakeRows(data_file.path, {from, to}));
    MR_TRY(file->Write(*rows));
  }
  MR_ASSIGN(ParquetFile::Written written, file->Finish());
  deletes.spec_id = data_file.spec_id;
  deletes.partition = data_file.partition;
  deletes.record_count = written.rows;
  deletes.file_size = written.size;
  deletes.column_sizes = std::move(written.column_sizes);
  deletes.split_offsets = std::move(written.split_offsets);
  for (const int32_t id : {kFilePathId, kPosId}) {
    deletes.value_counts[id] = written.rows;
    deletes.null_value_counts[id] = 0;
  }
  deletes.lower_bounds[kFilePathId] = data_file.path;
  deletes.upper_bounds[kFilePathId] = data_file.path;
  deletes.referenced_data_file = data_file.path;
  MR_FAILPOINT("table.after_delete_file");
  return deletes;
}

}  // namespace millrace::table
