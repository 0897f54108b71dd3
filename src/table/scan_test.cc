#include "table/scan.h"

#include <cmath>

#include "table/pruning.h"
#include "table/table_fixture.h"

namespace millrace::table {
namespace {

using iceberg::Literal;
using iceberg::Primitive;
using iceberg::TypeId;
using Op = Predicate::Op;

// One file's metadata under a schema of one column of each kind, no I/O.
class PruningTest : public ::testing::Test {
 protected:
  PruningTest() {
    iceberg::Schema schema;
    schema.fields = {{1, "l", false, Primitive(TypeId::kLong), ""},
                     {2, "s", false, Primitive(TypeId::kString), ""},
                     {3, "d", false, Primitive(TypeId::kDouble), ""},
                     {4, "day", false, Primitive(TypeId::kTimestampTz), ""}};
    metadata_.schemas = {schema};
    metadata_.specs = {{0, {}},
                       {1,
                        {{4, 1000, "day", {iceberg::TransformKind::kDay, 0}},
                         {1, 1001, "bucket", {iceberg::TransformKind::kBucket, 8}}}}};
    file_.record_count = 10;
    file_.null_value_counts = {{1, 0}, {2, 10}, {3, 1}};
    file_.nan_value_counts = {{3, 0}};
    file_.lower_bounds[1] = iceberg::ToBytes(int64_t{10}, *Primitive(TypeId::kLong));
    file_.upper_bounds[1] = iceberg::ToBytes(int64_t{20}, *Primitive(TypeId::kLong));
    file_.lower_bounds[3] = iceberg::ToBytes(-0.0, *Primitive(TypeId::kDouble));
    file_.upper_bounds[3] = iceberg::ToBytes(1.0, *Primitive(TypeId::kDouble));
  }
  bool May(Predicate predicate) { return Get(Pruner::New(metadata_, {predicate})).MayMatch(file_); }

  iceberg::TableMetadata metadata_;
  iceberg::DataFile file_;
};

TEST_F(PruningTest, Bounds) {
  const auto may = [&](Op op, int64_t v) { return May({1, op, {Literal(v)}}); };
  EXPECT_FALSE(may(Op::kEqual, 9));
  EXPECT_TRUE(may(Op::kEqual, 10));
  EXPECT_TRUE(may(Op::kEqual, 20));
  EXPECT_FALSE(may(Op::kEqual, 21));
  EXPECT_FALSE(may(Op::kLess, 10));
  EXPECT_TRUE(may(Op::kLessEqual, 10));
  EXPECT_FALSE(may(Op::kGreater, 20));
  EXPECT_TRUE(may(Op::kGreaterEqual, 20));
  EXPECT_FALSE(May({1, Op::kIn, {Literal(int64_t{25}), Literal(int64_t{5})}}));
  EXPECT_TRUE(May({1, Op::kIn, {Literal(int64_t{25}), Literal(int64_t{15}), Literal(int64_t{5})}}));
}

TEST_F(PruningTest, Nulls) {
  EXPECT_FALSE(May({1, Op::kIsNull, {}}));
  EXPECT_TRUE(May({2, Op::kIsNull, {}}));
  EXPECT_FALSE(May({2, Op::kNotNull, {}}));
  EXPECT_FALSE(May({2, Op::kEqual, {Literal(std::string("x"))}}));
  EXPECT_TRUE(May({3, Op::kNotNull, {}}));
  EXPECT_TRUE(May({4, Op::kIsNull, {}}));  // nothing known
}

TEST_F(PruningTest, ZeroesAreEqualAndNanIsAboveAll) {
  EXPECT_TRUE(May({3, Op::kEqual, {Literal(0.0)}}));
  EXPECT_TRUE(May({3, Op::kLessEqual, {Literal(-0.0)}}));
  EXPECT_FALSE(May({3, Op::kGreater, {Literal(1.0)}}));
  EXPECT_TRUE(May({3, Op::kEqual, {Literal(std::nan(""))}}));
  file_.nan_value_counts[3] = 1;
  EXPECT_TRUE(May({3, Op::kGreater, {Literal(1.0)}}));
  EXPECT_FALSE(May({3, Op::kLess, {Literal(-1.0)}}));
}

TEST_F(PruningTest, TransformedPartitions) {
  file_.spec_id = 1;
  const Literal bucket = Get(
      iceberg::Apply({iceberg::TransformKind::kBucket, 8}, int64_t{15}, *Primitive(TypeId::kLong)));
  file_.partition = {Literal(int32_t{100}), bucket};
  const auto day = [&](Op op, int64_t days, int64_t micros) {
    return May({4, op, {Literal(days * kMicrosPerDay + micros)}});
  };
  EXPECT_TRUE(day(Op::kEqual, 100, 5));
  EXPECT_FALSE(day(Op::kEqual, 101, 0));
  EXPECT_TRUE(day(Op::kLess, 100, 1));
  EXPECT_FALSE(day(Op::kLess, 99, 1));
  EXPECT_FALSE(day(Op::kGreaterEqual, 101, 0));
  EXPECT_TRUE(day(Op::kGreater, 100, 5));
  EXPECT_FALSE(May({4, Op::kIsNull, {}}));
  int matching = 0;
  for (int64_t v = 10; v <= 20; ++v) matching += May({1, Op::kEqual, {Literal(v)}}) ? 1 : 0;
  EXPECT_TRUE(May({1, Op::kEqual, {Literal(int64_t{15})}}));
  EXPECT_LT(matching, 11);  // the bucket left some of them out
}

TEST_F(PruningTest, AnUnknownColumnIsRefused) {
  EXPECT_EQ(Pruner::New(metadata_, {{99, Op::kIsNull, {}}}).error().kind(),
            ErrorKind::kInvalidInput);
}

TEST(PlanScan, OpensNoManifestOfTheOtherPartition) {
  TestTable table;
  SnapshotChange change;
  change.added_data = table.Write({"[1]", R"(["a"])", "[true]"}, {Literal(true)}, "c");
  const auto history =
      table.Write({"[1, 1]", R"(["a", "b"])", "[false, false]"}, {Literal(false)}, "h");
  change.added_data.insert(change.added_data.end(), history.begin(), history.end());
  table.Commit(change);
  const int64_t before = table.store.reads();
  const ScanPlan plan = table.Plan({{3, Op::kEqual, {Literal(true)}}});
  EXPECT_EQ(table.store.reads() - before, 2);  // the list and one manifest
  EXPECT_EQ(plan.tasks.size(), 1u);
  EXPECT_EQ(plan.files_total, 2);
  EXPECT_EQ(plan.files_skipped, 1);
}

TEST(ManifestCache, KeepsWhatFitsItsMemory) {
  TestTable table;
  for (const char* id : {"a", "b", "c"}) {
    SnapshotChange change;
    change.added_data = table.Write({"[1]", R"(["a"])", "[true]"}, {Literal(true)}, id);
    table.Commit(change);
  }
  const auto& metadata = table.metadata();
  ManifestCache measure(table.store);
  std::vector<iceberg::ManifestFile> rows;  // each snapshot's own: one, two and three entries
  size_t all = 0;
  for (const iceberg::Snapshot& snapshot : metadata.snapshots) {
    rows.push_back(Get(measure.List(snapshot)).front());
    Get(measure.Manifest(rows.back(), metadata));
    EXPECT_GT(measure.bytes() - all, rows.size() * sizeof(iceberg::ManifestEntry));
    all = measure.bytes();
  }
  ManifestCache cache(table.store, all - 1);
  const auto reads = [&](const iceberg::ManifestFile& row) {
    const int64_t before = table.store.reads();
    Get(cache.Manifest(row, metadata));
    EXPECT_LT(cache.bytes(), all);
    return table.store.reads() - before;
  };
  EXPECT_EQ(reads(rows[0]), 1);
  EXPECT_EQ(reads(rows[1]), 1);
  EXPECT_EQ(reads(rows[0]), 0);
  EXPECT_EQ(reads(rows[2]), 1);  // in place of the one that was not asked for again
  EXPECT_EQ(reads(rows[0]), 0);
  EXPECT_EQ(reads(rows[2]), 0);
  EXPECT_EQ(reads(rows[1]), 1);
  ManifestCache none(table.store, 1);
  EXPECT_EQ(Get(none.Manifest(rows[2], metadata))->size(), 3u);
  EXPECT_EQ(none.bytes(), 0u);
}

TEST(PlanScan, AnEmptyTableAndAnUnknownSnapshot) {
  TestTable table;
  EXPECT_TRUE(table.Plan().tasks.empty());
  EXPECT_EQ(PlanScan(table.cache, table.metadata(), 42, {}).error().kind(), ErrorKind::kNotFound);
}

TEST(PlanScan, EqualityDeletesAreRefusedByName) {
  TestTable table;
  SnapshotChange change;
  change.added_data = table.Write({"[1]", R"(["a"])", "[true]"}, {Literal(true)}, "c");
  table.Commit(change);
  SnapshotChange deletes;
  iceberg::DataFile file;
  file.content = iceberg::FileContent::kEqualityDeletes;
  file.path = table.location() + "/data/eq.parquet";
  file.partition = {Literal(true)};
  file.record_count = 1;
  file.file_size = 1;
  file.equality_ids = {1};
  deletes.added_deletes = {file};
  table.Commit(deletes);
  const auto plan = PlanScan(table.cache, table.metadata(), {}, {});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind(), ErrorKind::kUnsupported);
  EXPECT_NE(plan.error().message().find(table.location()), std::string::npos);
}

}  // namespace
}  // namespace millrace::table
