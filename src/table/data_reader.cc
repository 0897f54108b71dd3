#include "table/data_reader.h"

#include <arrow/api.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "base/format.h"
#include "table/arrow_file.h"
#include "table/arrow_schema.h"
#include "table/projection.h"

namespace millrace::table {
namespace {

using parquet::arrow::SchemaField;

void AllLeaves(const SchemaField& field, std::vector<int>& columns) {
  if (field.is_leaf()) columns.push_back(field.column_index);
  for (const SchemaField& child : field.children) AllLeaves(child, columns);
}

int FirstLeaf(const SchemaField& field) {
  return field.is_leaf() ? field.column_index : FirstLeaf(field.children.front());
}

// The leaf columns of `field` that `wanted` needs. Of a struct of which no field is wanted any
// more, one leaf still tells which structs are null.
void Leaves(const SchemaField& field, const iceberg::Type& wanted, std::vector<int>& columns) {
  if (wanted.id != iceberg::TypeId::kStruct) {
    if (wanted.id == iceberg::TypeId::kList && field.children.size() == 1) {
      return Leaves(field.children[0], *wanted.fields[0].type, columns);
    }
    return AllLeaves(field, columns);
  }
  const size_t before = columns.size();
  for (const iceberg::Field& child : wanted.fields) {
    for (const SchemaField& there : field.children) {
      if (FieldId(*there.field) == child.id) Leaves(there, *child.type, columns);
    }
  }
  if (columns.size() == before) columns.push_back(FirstLeaf(field));
}

class ParquetDataReader final : public DataReader {
 public:
  Status Open(ObjectStore& store, const iceberg::DataFile& file, bool use_threads) {
    path_ = file.path;
    if (file.format != "PARQUET") {
      return Fail(ErrorKind::kUnsupported, "data file '{}' is {}; only Parquet is read", path_,
                  file.format);
    }
    MR_ASSIGN(const std::string relative, store.Relative(path_));
    MR_ASSIGN(auto object, store.OpenReader(relative));
    if (file.file_size > 0 && object->size() != file.file_size) {
      return Fail(ErrorKind::kCorrupt, "data file '{}' has {} bytes, its manifest says {}", path_,
                  object->size(), file.file_size);
    }
    parquet::ArrowReaderProperties properties(use_threads);
    parquet::arrow::FileReaderBuilder builder;
    MR_TRY(FromArrowStatus(builder.Open(NewArrowInput(std::move(object))), path_.c_str()));
    builder.properties(properties);
    auto built = builder.Build();
    MR_TRY(FromArrowStatus(built.status(), path_.c_str()));
    reader_ = std::move(built).ValueUnsafe();
    const parquet::FileMetaData& metadata = *reader_->parquet_reader()->metadata();
    int64_t start = 0;
    for (int group = 0; group < metadata.num_row_groups(); ++group) {
      starts_.push_back(start);
      start += metadata.RowGroup(group)->num_rows();
    }
    starts_.push_back(start);
    if (file.record_count > 0 && start != file.record_count) {
      return Fail(ErrorKind::kCorrupt, "data file '{}' has {} rows, its manifest says {}", path_,
                  start, file.record_count);
    }
    const std::vector<SchemaField>& fields = reader_->manifest().schema_fields;
    const bool any_id = std::any_of(fields.begin(), fields.end(),
                                    [](const auto& f) { return FieldId(*f.field) >= 0; });
    if (!fields.empty() && !any_id) {
      return Fail(ErrorKind::kUnsupported,
                  "data file '{}' has no field ids: rewrite it with a writer that sets them",
                  path_);
    }
    return {};
  }

  int row_groups() const override { return static_cast<int>(starts_.size()) - 1; }
  int64_t row_group_start(int row_group) const override {
    return starts_[static_cast<size_t>(row_group)];
  }
  int64_t row_group_rows(int row_group) const override {
    return starts_[static_cast<size_t>(row_group) + 1] - starts_[static_cast<size_t>(row_group)];
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Read(
      int row_group, const std::vector<iceberg::Field>& fields) override {
    std::vector<int> columns;
    for (const iceberg::Field& field : fields) {
      if (const SchemaField* there = Find(field.id)) Leaves(*there, *field.type, columns);
    }
    std::shared_ptr<arrow::RecordBatch> batch;
    if (!columns.empty()) {
      auto table = reader_->ReadRowGroup(row_group, columns);
      MR_TRY(FromArrowStatus(table.status(), path_.c_str()));
      auto combined = (*table)->CombineChunksToBatch();
      MR_TRY(FromArrowStatus(combined.status(), path_.c_str()));
      batch = std::move(combined).ValueUnsafe();
    }
    arrow::ArrayVector arrays;
    const int64_t rows = row_group_rows(row_group);
    for (const iceberg::Field& field : fields) {
      int column = -1;
      for (int i = 0; batch != nullptr && i < batch->num_columns(); ++i) {
        if (FieldId(*batch->schema()->field(i)) == field.id) column = i;
      }
      if (column < 0) {
        MR_ASSIGN(auto nulls, NullColumn(field, rows));
        arrays.push_back(std::move(nulls));
      } else {
        auto projected = Project(*batch->schema()->field(column), batch->column(column), field);
        if (!projected.ok()) return projected.error().Wrap(path_);
        arrays.push_back(std::move(projected).value());
      }
    }
    iceberg::Schema schema;
    schema.fields = fields;
    return arrow::RecordBatch::Make(ToArrow(schema), rows, std::move(arrays));
  }

 private:
  const SchemaField* Find(int32_t id) const {
    for (const SchemaField& field : reader_->manifest().schema_fields) {
      if (FieldId(*field.field) == id) return &field;
    }
    return nullptr;
  }

  std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::vector<int64_t> starts_;  // of the row groups, and the row count at the end
};

}  // namespace

Result<std::unique_ptr<DataReader>> DataReader::Open(ObjectStore& store,
                                                     const iceberg::DataFile& file,
                                                     bool use_threads) {
  auto reader = std::make_unique<ParquetDataReader>();
  MR_TRY(reader->Open(store, file, use_threads));
  return std::unique_ptr<DataReader>(std::move(reader));
}

}  // namespace millrace::table
