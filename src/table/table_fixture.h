#pragma once

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "table/arrow_schema.h"
#include "table/data_writer.h"
#include "table/snapshot_producer.h"
#include "testing/memory_store.h"

// What the tests of this folder share: a table in memory whose commits are applied without a
// catalog.
namespace millrace::table {

// The value, or the test fails and the process stops (what follows would be undefined).
template <typename T>
T Get(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();
  }
  return std::move(result).value();
}
inline void Get(const Status& status) { ASSERT_TRUE(status.ok()) << status.error().ToString(); }

// A batch from one JSON array a column: Batch(schema, {"[1, 2]", R"(["a", null])"}).
inline std::shared_ptr<arrow::RecordBatch> Batch(const iceberg::Schema& schema,
                                                 const std::vector<std::string>& columns) {
  const auto arrow_schema = ToArrow(schema);
  arrow::ArrayVector arrays;
  for (size_t i = 0; i < columns.size(); ++i) {
    arrays.push_back(*arrow::json::ArrayFromJSONString(
        arrow_schema->field(static_cast<int>(i))->type(), columns[i]));
  }
  return arrow::RecordBatch::Make(arrow_schema, arrays[0]->length(), arrays);
}

// Columns id long (key), name string, is_current boolean; partitioned by identity(is_current).
inline iceberg::Schema PeopleSchema() {
  return {0,
          {{1, "id", true, iceberg::Primitive(iceberg::TypeId::kLong), ""},
           {2, "name", false, iceberg::Primitive(iceberg::TypeId::kString), ""},
           {3, "is_current", true, iceberg::Primitive(iceberg::TypeId::kBoolean), ""}},
          {1}};
}
inline iceberg::PartitionSpec CurrentSpec() { return {0, {{3, 1000, "is_current", {}}}}; }

class TestTable {
 public:
  explicit TestTable(iceberg::Schema schema = PeopleSchema(),
                     iceberg::PartitionSpec spec = CurrentSpec()) {
    NewTable table{MakeIdent("silver", "people"),
                   store.uri() + "/silver/people",
                   std::move(schema),
                   std::move(spec),
                   {}};
    table_.ident = table.ident;
    Apply(StageCreate(table), false);
  }

  const iceberg::TableMetadata& metadata() const { return table_.metadata; }
  const LoadedTable& loaded() const { return table_; }
  const std::string& location() const { return table_.metadata.location; }

  std::vector<iceberg::DataFile> Write(const std::vector<std::string>& columns,
                                       std::vector<iceberg::Literal> partition,
                                       const std::string& write_id) {
    const iceberg::Schema& schema = metadata().CurrentSchema();
    auto writer = DataWriter::New(store, location(), schema, metadata().DefaultSpec(),
                                  std::move(partition), write_id, {});
    Get(writer->Write(*Batch(schema, columns)));
    return Get(writer->Finish());
  }

  StagedSnapshot Stage(const SnapshotChange& change) {
    return Get(StageSnapshot(store, cache, table_, change, now));
  }

  // Stages and applies; gives the snapshot's id.
  int64_t Commit(const SnapshotChange& change) {
    const StagedSnapshot staged = Stage(change);
    Apply(staged.commit, true);
    return staged.snapshot_id;
  }

  void Apply(const TableCommit& commit, bool exists) {
    const iceberg::TableMetadata* base = exists ? &table_.metadata : nullptr;
    for (const auto& requirement : commit.requirements) Get(iceberg::Check(requirement, base));
    table_.metadata =
        Get(iceberg::Apply(base, table_.metadata_location, commit.updates, now / 1000));
    table_.metadata_location =
        location() + "/metadata/" + std::to_string(version_++) + ".metadata.json";
    now += kMicrosPerSecond;
  }

  // As a process that starts: nothing cached.
  ScanPlan Plan(const std::vector<Predicate>& predicates = {},
                std::optional<int64_t> snapshot = {}) {
    ManifestCache fresh(store);
    return Get(PlanScan(fresh, metadata(), snapshot, predicates));
  }

  testing::MemoryStore store;
  ManifestCache cache{store};
  Micros now = 1'800'000'000 * kMicrosPerSecond;

 private:
  LoadedTable table_;
  int version_ = 0;
};

}  // namespace millrace::table
