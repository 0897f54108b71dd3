// Makes and reads Iceberg tables on request, so that tests can show them to other readers: JSON
// commands on stdin, one a line, one JSON answer a line. Not part of the product.
//
//   table_probe <lake folder> <catalog name>
//   {"op":"create","table":"t","schema":{..},"spec":{..},"properties":{..}}
//   {"op":"append","table":"t","parts":[{"partition":[true],"columns":["[1, 2]", ..]}],
//   "row_group_rows":N}
//   {"op":"delete","table":"t","files":{"<path>":[0, 5]}}       positions, merged with those there
//   are
//   {"op":"rewrite","table":"t"}                                each file anew without its deleted
//   rows, as one `replace`
//   {"op":"evolve","table":"t","schema":{..},"last_column_id":N}
//   {"op":"expire","table":"t","keep":N}
//   {"op":"files","table":"t"}                                  the live files and their deleted
//   positions
//   {"op":"scan","table":"t","out":"rows.arrow","where":[[column, op, literal]]}
#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/json/from_string.h>

#include <algorithm>
#include <iostream>
#include <set>
#include <string>

#include "adapter/catalog_sql/sql_catalog.h"
#include "adapter/object_file/file_store.h"
#include "base/format.h"
#include "base/uuid.h"
#include "table/arrow_schema.h"
#include "table/data_reader.h"
#include "table/data_writer.h"
#include "table/delete_file.h"
#include "table/snapshot_producer.h"

namespace millrace::table {
namespace {

using json::Value;

Result<iceberg::Literal> LiteralOf(const Value& value, const iceberg::Type* type) {
  if (value.is_null()) return iceberg::Literal();
  if (value.is_bool()) return iceberg::Literal(value.AsBool());
  if (value.is_string()) return iceberg::Literal(value.AsString());
  if (value.is_integer()) {
    const bool narrow = type != nullptr &&
                        (type->id == iceberg::TypeId::kInt || type->id == iceberg::TypeId::kDate);
    return narrow ? iceberg::Literal(static_cast<int32_t>(value.AsInt()))
                  : iceberg::Literal(value.AsInt());
  }
  return iceberg::Literal(value.AsDouble());
}

Result<Predicate> PredicateOf(const Value& value, const iceberg::Schema& schema) {
  using Op = Predicate::Op;
  static const std::map<std::string, Op> kOps = {{"=", Op::kEqual},
                                                 {"<", Op::kLess},
                                                 {"<=", Op::kLessEqual},
                                                 {">", Op::kGreater},
                                                 {">=", Op::kGreaterEqual},
                                                 {"is null", Op::kIsNull},
                                                 {"is not null", Op::kNotNull}};
  const auto& parts = value.AsArray();
  const iceberg::Field* field = schema.FindByName(parts[0].AsString());
  if (field == nullptr) return Fail(ErrorKind::kInvalidInput, "no column {}", parts[0].AsString());
  Predicate predicate{field->id, kOps.at(parts[1].AsString()), {}};
  if (parts.size() > 2) {
    MR_ASSIGN(auto literal, LiteralOf(parts[2], field->type.get()));
    predicate.values.push_back(std::move(literal));
  }
  return predicate;
}

class Probe {
 public:
  Probe(FileStore& store, Catalog& catalog) : store_(store), catalog_(catalog), cache_(store) {}

  Result<Value> Run(const Value& command) {
    MR_ASSIGN(const std::string op, command.String("op"));
    MR_ASSIGN(const std::string name, command.String("table"));
    const TableIdent ident = MakeIdent("silver", name);
    if (op == "create") return Create(command, ident);
    MR_ASSIGN(const LoadedTable table, catalog_.LoadTable(ident));
    if (op == "append") return Append(command, table);
    if (op == "delete") return Delete(command, table);
    if (op == "rewrite") return Rewrite(table);
    if (op == "evolve") return Evolve(command, table);
    if (op == "expire") return Expire(command, table);
    if (op == "files") return Files(table);
    if (op == "scan") return Scan(command, table);
    return Fail(ErrorKind::kInvalidInput, "no operation {}", op);
  }

 private:
  Result<Value> Commit(const TableCommit& commit) {
    MR_ASSIGN(const auto tables, catalog_.Commit({commit}));
    Value answer;
    answer.Set("metadata_location", tables[0].metadata_location);
    const iceberg::Snapshot* snapshot = tables[0].metadata.CurrentSnapshot();
    answer.Set("snapshot_id", snapshot == nullptr ? Value() : Value(snapshot->snapshot_id));
    return answer;
  }
  Result<Value> CommitChange(const LoadedTable& table, const SnapshotChange& change) {
    MR_ASSIGN(const auto staged, StageSnapshot(store_, cache_, table, change, WallClockNow()));
    return Commit(staged.commit);
  }

  Result<Value> Create(const Value& command, const TableIdent& ident) {
    MR_TRY(catalog_.CreateNamespace(ident.levels));
    NewTable table;
    table.ident = ident;
    table.location = store_.Absolute("silver/" + ident.name);
    MR_ASSIGN(table.schema, iceberg::SchemaFromJson(*command.Find("schema")));
    MR_ASSIGN(table.spec, iceberg::PartitionSpecFromJson(*command.Find("spec")));
    if (const Value* properties = command.Find("properties")) {
      for (const auto& [key, value] : properties->AsObject())
        table.properties[key] = value.AsString();
    }
    return Commit(StageCreate(table));
  }

  Result<Value> Append(const Value& command, const LoadedTable& table) {
    const iceberg::Schema& schema = table.metadata.CurrentSchema();
    const auto arrow_schema = ToArrow(schema);
    DataWriterOptions options;
    MR_ASSIGN(options.row_group_rows, command.IntOr("row_group_rows", options.row_group_rows));
    SnapshotChange change;
    for (const Value& part : command.Find("parts")->AsArray()) {
      std::vector<iceberg::Literal> partition;
      const auto& values = part.Find("partition")->AsArray();
      for (size_t i = 0; i < values.size(); ++i) {
        const auto& field = table.metadata.DefaultSpec().fields[i];
        const auto type =
            iceberg::ResultType(field.transform, schema.FindById(field.source_id)->type);
        MR_ASSIGN(auto literal, LiteralOf(values[i], type.get()));
        partition.push_back(std::move(literal));
      }
      arrow::ArrayVector columns;
      const auto& texts = part.Find("columns")->AsArray();
      for (size_t i = 0; i < texts.size(); ++i) {
        auto made = arrow::json::ArrayFromJSONString(
            arrow_schema->field(static_cast<int>(i))->type(), texts[i].AsString());
        MR_TRY(FromArrowStatus(made.status(), schema.fields[i].name.c_str()));
        columns.push_back(*made);
      }
      auto writer =
          DataWriter::New(store_, table.metadata.location, schema, table.metadata.DefaultSpec(),
                          std::move(partition), NewUuid(), options);
      MR_TRY(writer->Write(*arrow::RecordBatch::Make(arrow_schema, columns[0]->length(), columns)));
      MR_ASSIGN(auto files, writer->Finish());
      change.added_data.insert(change.added_data.end(), files.begin(), files.end());
    }
    return CommitChange(table, change);
  }

  Result<Value> Delete(const Value& command, const LoadedTable& table) {
    MR_ASSIGN(const ScanPlan plan, PlanScan(cache_, table.metadata, {}, {}));
    SnapshotChange change;
    for (const FileTask& task : plan.tasks) {
      const Value* positions = command.Find("files")->Find(task.entry->file.path);
      if (positions == nullptr) continue;
      MR_ASSIGN(std::vector<int64_t> deleted, ReadDeletedPositions(store_, task));
      for (const Value& position : positions->AsArray()) deleted.push_back(position.AsInt());
      std::sort(deleted.begin(), deleted.end());
      deleted.erase(std::unique(deleted.begin(), deleted.end()), deleted.end());
      MR_ASSIGN(auto file, WritePositionDeletes(store_, table.metadata.location, task.entry->file,
                                                deleted, NewUuid()));
      change.added_deletes.push_back(std::move(file));
      for (const SharedEntry& old : task.deletes) {
        // A delete file about several data files stays for the others.
        if (old->file.referenced_data_file.has_value()) change.removed_deletes.push_back(*old);
      }
    }
    return CommitChange(table, change);
  }

  // All live rows of a file, in order, under the current schema.
  Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> LiveRows(const FileTask& task,
                                                                    const iceberg::Schema& schema) {
    MR_ASSIGN(const std::vector<int64_t> deleted, ReadDeletedPositions(store_, task));
    MR_ASSIGN(auto reader, DataReader::Open(store_, task.entry->file));
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    for (int group = 0; group < reader->row_groups(); ++group) {
      MR_ASSIGN(const auto batch, reader->Read(group, schema.fields));
      int64_t from = 0;
      const int64_t start = reader->row_group_start(group);
      for (int64_t row = 0; row <= batch->num_rows(); ++row) {
        const bool end = row == batch->num_rows();
        if (!end && !std::binary_search(deleted.begin(), deleted.end(), start + row)) continue;
        if (row > from) batches.push_back(batch->Slice(from, row - from));
        from = row + 1;
      }
    }
    return batches;
  }

  Result<Value> Rewrite(const LoadedTable& table) {
    const iceberg::Schema& schema = table.metadata.CurrentSchema();
    MR_ASSIGN(const ScanPlan plan, PlanScan(cache_, table.metadata, {}, {}));
    SnapshotChange change;
    change.summary["operation"] = "replace";
    std::set<std::string> seen;
    for (const FileTask& task : plan.tasks) {
      auto writer =
          DataWriter::New(store_, table.metadata.location, schema, table.metadata.DefaultSpec(),
                          task.entry->file.partition, NewUuid(), {});
      MR_ASSIGN(const auto batches, LiveRows(task, schema));
      for (const auto& batch : batches) MR_TRY(writer->Write(*batch));
      MR_ASSIGN(auto files, writer->Finish());
      change.added_data.insert(change.added_data.end(), files.begin(), files.end());
      change.removed_data.push_back(*task.entry);
      for (const SharedEntry& old : task.deletes) {
        if (seen.insert(old->file.path).second) change.removed_deletes.push_back(*old);
      }
    }
    return CommitChange(table, change);
  }

  Result<Value> Evolve(const Value& command, const LoadedTable& table) {
    MR_ASSIGN(iceberg::Schema schema, iceberg::SchemaFromJson(*command.Find("schema")));
    MR_ASSIGN(const int64_t last, command.Int("last_column_id"));
    TableCommit commit{table.ident, {iceberg::require::Uuid{table.metadata.table_uuid}}, {}};
    commit.updates.push_back(
        iceberg::update::AddSchema{std::move(schema), static_cast<int32_t>(last)});
    commit.updates.push_back(iceberg::update::SetCurrentSchema{-1});
    return Commit(commit);
  }

  Result<Value> Expire(const Value& command, const LoadedTable& table) {
    MR_ASSIGN(const int64_t keep, command.Int("keep"));
    TableCommit commit{table.ident, {iceberg::require::Uuid{table.metadata.table_uuid}}, {}};
    commit.updates = ExpireSnapshots(table.metadata, {static_cast<int>(keep), 0}, WallClockNow());
    MR_ASSIGN(Value answer, Commit(commit));
    MR_ASSIGN(const LoadedTable after, catalog_.LoadTable(table.ident));
    MR_ASSIGN(const int64_t deleted,
              DeleteUnreachable(store_, cache_, table.metadata, after.metadata));
    answer.Set("deleted", deleted);
    return answer;
  }

  Result<Value> Files(const LoadedTable& table) {
    MR_ASSIGN(const ScanPlan plan, PlanScan(cache_, table.metadata, {}, {}));
    Value::Array files;
    for (const FileTask& task : plan.tasks) {
      MR_ASSIGN(const auto deleted, ReadDeletedPositions(store_, task));
      Value::Array positions;
      for (const int64_t position : deleted) positions.emplace_back(position);
      Value file;
      file.Set("path", task.entry->file.path);
      file.Set("records", task.entry->file.record_count);
      file.Set("deleted", std::move(positions));
      files.push_back(std::move(file));
    }
    Value answer;
    answer.Set("files", std::move(files));
    return answer;
  }

  Result<Value> Scan(const Value& command, const LoadedTable& table) {
    const iceberg::Schema& schema = table.metadata.CurrentSchema();
    std::vector<Predicate> predicates;
    if (const Value* where = command.Find("where")) {
      for (const Value& term : where->AsArray()) {
        MR_ASSIGN(auto predicate, PredicateOf(term, schema));
        predicates.push_back(std::move(predicate));
      }
    }
    MR_ASSIGN(const ScanPlan plan, PlanScan(cache_, table.metadata, {}, predicates));
    MR_ASSIGN(const std::string path, command.String("out"));
    auto out = arrow::io::FileOutputStream::Open(path);
    MR_TRY(FromArrowStatus(out.status(), path.c_str()));
    auto writer = arrow::ipc::MakeFileWriter(*out, ToArrow(schema));
    MR_TRY(FromArrowStatus(writer.status(), path.c_str()));
    for (const FileTask& task : plan.tasks) {
      MR_ASSIGN(const auto batches, LiveRows(task, schema));
      for (const auto& batch : batches)
        MR_TRY(FromArrowStatus((*writer)->WriteRecordBatch(*batch), path.c_str()));
    }
    MR_TRY(FromArrowStatus((*writer)->Close(), path.c_str()));
    MR_TRY(FromArrowStatus((*out)->Close(), path.c_str()));
    Value answer;
    answer.Set("files_total", plan.files_total);
    answer.Set("files_skipped", plan.files_skipped);
    return answer;
  }

  FileStore& store_;
  Catalog& catalog_;
  ManifestCache cache_;
};

Status Main(const std::string& folder, const std::string& catalog_name) {
  MR_ASSIGN(auto store, FileStore::Open(folder));
  SystemClock clock;
  MR_ASSIGN(auto catalog,
            SqlCatalog::Open(folder + "/catalog.db", catalog_name, *store, clock, store->uri()));
  Probe probe(*store, *catalog);
  for (std::string line; std::getline(std::cin, line);) {
    MR_ASSIGN(const Value command, json::Parse(line, "command"));
    auto answer = probe.Run(command);
    Value out;
    if (answer.ok()) {
      out = std::move(answer).value();
    } else {
      out.Set("error", std::string(PolicyOf(answer.error().kind()).name));
      out.Set("message", answer.error().message());
    }
    std::cout << json::Write(out) << std::endl;
  }
  return {};
}

}  // namespace
}  // namespace millrace::table

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: table_probe <lake folder> <catalog name>\n";
    return 64;
  }
  const millrace::Status status = millrace::table::Main(argv[1], argv[2]);
  if (!status.ok()) std::cerr << status.error().ToString() << "\n";
  return status.ok() ? 0 : 1;
}
