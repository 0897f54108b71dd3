// The Gold stage over a real engine, catalog and files: what it recomputes, what it leaves, what it
// refuses.
#include "pipeline/gold/gold_stage.h"

#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapter/catalog_sql/sql_catalog.h"
#include "adapter/engine_duckdb/duckdb_engine.h"
#include "adapter/object_file/file_store.h"
#include "base/format.h"
#include "table/arrow_schema.h"
#include "table/data_writer.h"
#include "table/pin.h"
#include "table/snapshot_producer.h"

namespace millrace {
namespace {

using iceberg::Primitive;
using iceberg::TypeId;

constexpr const char* kDaily = R"(-- grain: one row a day
-- partition: day
-- inputs: silver.sales
-- touched: silver.sales => day
-- check: total >= 0 AS no_negative_day
SELECT day, count(*) AS n, CAST(sum(amount) AS DECIMAL(18,2)) AS total FROM silver.sales WHERE is_current GROUP BY day
)";

class GoldStageTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / Format("millrace_gold_{}", getpid());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ / "sql");
    auto store = FileStore::Open((root_ / "warehouse").string());
    ASSERT_TRUE(store.ok()) << store.error().message();
    store_ = std::move(*store);
    cache_ = std::make_unique<table::ManifestCache>(*store_);
    auto catalog = SqlCatalog::Open((root_ / "catalog.db").string(), "millrace", *store_, clock_,
                                    store_->uri());
    ASSERT_TRUE(catalog.ok()) << catalog.error().message();
    catalog_ = std::move(*catalog);
    for (const char* space : {"silver", "_millrace"})
      ASSERT_TRUE(catalog_->CreateNamespace({space}).ok());
    stage_ = std::make_unique<GoldStage>(
        GoldOptions{(root_ / "sql").string(), {}}, *catalog_, *store_, *cache_,
        [this] { return Engine(); }, clock_);
    iceberg::Schema sales;
    sales.fields = {{1, "id", true, Primitive(TypeId::kLong), ""},
                    {2, "day", false, Primitive(TypeId::kDate), ""},
                    {3, "amount", false, iceberg::Decimal(10, 2), ""},
                    {4, "is_current", true, Primitive(TypeId::kBoolean), ""},
                    {5, "_from_lsn", true, Primitive(TypeId::kLong), ""},
                    {6, "_from_ord", true, Primitive(TypeId::kLong), ""},
                    {7, "_to_lsn", false, Primitive(TypeId::kLong), ""},
                    {8, "_to_ord", false, Primitive(TypeId::kLong), ""}};
    Create("silver", "sales", sales);
    iceberg::Schema cuts;
    cuts.fields = {
        {1, "cut", true, Primitive(TypeId::kLong), ""},
        {2, "commit_lsn", true, Primitive(TypeId::kLong), ""},
        {3, "ordinal", true, Primitive(TypeId::kLong), ""},
        {4, "tables", true,
         iceberg::List(5,
                       iceberg::Struct({{6, "table", true, Primitive(TypeId::kString), ""},
                                        {7, "snapshot_id", true, Primitive(TypeId::kLong), ""}}),
                       true),
         ""}};
    Create("_millrace", "cuts", cuts);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  Result<std::unique_ptr<millrace::Engine>> Engine() {
    DuckDbOptions options;
    options.threads = 2;
    options.temp_directory = (root_ / "tmp").string();
    options.allowed_directories = {(root_ / "warehouse").string()};
    return OpenDuckDbEngine(options);
  }

  void Sql(const char* name, const std::string& text) {
    std::ofstream(root_ / "sql" / (std::string(name) + ".sql")) << text;
  }

  void Create(const char* space, const char* name, const iceberg::Schema& schema) {
    const auto created =
        catalog_->Commit({table::StageCreate({MakeIdent(space, name),
                                              store_->Absolute(std::string(space) + "/" + name),
                                              schema,
                                              {},
                                              {}})});
    ASSERT_TRUE(created.ok()) << created.error().message();
  }

  // Replaces all rows, given as JSON; returns the new snapshot's id.
  int64_t SetRows(const char* space, const char* name, const std::string& json,
                  bool append = false) {
    LoadedTable base = *catalog_->LoadTable(MakeIdent(space, name));
    const iceberg::Schema& schema = base.metadata.CurrentSchema();
    auto rows =
        arrow::json::ArrayFromJSONString(arrow::struct_(table::ToArrow(schema)->fields()), json);
    EXPECT_TRUE(rows.ok()) << rows.status().ToString();
    auto batch = arrow::RecordBatch::FromStructArray(*rows).ValueOrDie();
    auto writer =
        table::DataWriter::New(*store_, base.metadata.location, schema, base.metadata.DefaultSpec(),
                               {}, Format("w{}", ++writes_), {});
    EXPECT_TRUE(writer
                    ->Write(*arrow::RecordBatch::Make(table::ToArrow(schema), batch->num_rows(),
                                                      batch->columns()))
                    .ok());
    table::SnapshotChange change;
    change.added_data = *writer->Finish();
    if (!append) {
      const auto plan =
          table::PlanScan(*cache_, base.metadata, base.metadata.current_snapshot_id, {});
      for (const table::FileTask& task : plan->tasks) change.removed_data.push_back(*task.entry);
    }
    auto staged = table::StageSnapshot(*store_, *cache_, base, change, clock_.Now());
    EXPECT_TRUE(staged.ok()) << staged.error().message();
    EXPECT_TRUE(catalog_->Commit({staged->commit}).ok());
    return staged->snapshot_id;
  }

  // Silver's rows as (id, day, amount, current, from, to), all at ordinal 0, published as one more
  // cut.
  void Silver(const std::string& rows, int64_t lsn) {
    const int64_t snapshot = SetRows("silver", "sales", rows);
    SetRows("_millrace", "cuts",
            Format(R"([[{}, {}, 9, [["silver.sales", {}]]]])", ++cut_, lsn, snapshot), true);
  }

  std::string Run() {
    auto report = stage_->RunOnce({});
    if (!report.ok()) return report.error().ToString();
    if (!report->did_work) return "nothing";
    const json::Value& outcome = report->details.Find("tables")->AsArray()[0];
    return Format("{} rows in {} partitions{}", outcome.Find("rows")->AsInt(),
                  outcome.Find("partitions")->AsInt(),
                  outcome.Find("whole")->AsBool() ? ", whole" : "");
  }

  std::string Rows(const std::string& sql, const char* name = "daily") {
    auto engine = Engine();
    auto loaded = catalog_->LoadTable(MakeIdent("gold", name));
    if (!loaded.ok()) return loaded.error().ToString();
    EXPECT_TRUE((*engine)->Register(*table::Pin(*cache_, *loaded)).ok());
    ArrowArrayStream stream;
    if (Status s = (*engine)->Query(sql, &stream); !s.ok()) return s.error().ToString();
    auto rows = arrow::ImportRecordBatchReader(&stream)
                    .ValueOrDie()
                    ->ToTable()
                    .ValueOrDie()
                    ->CombineChunks()
                    .ValueOrDie();
    std::string out;
    for (int64_t r = 0; r < rows->num_rows(); ++r) {
      for (const auto& column : rows->columns())
        out += column->GetScalar(r).ValueOrDie()->ToString() + "|";
      out.back() = ';';
    }
    return out;
  }

  size_t Snapshots() {
    return catalog_->LoadTable(MakeIdent("gold", "daily"))->metadata.snapshots.size();
  }

  std::filesystem::path root_;
  SystemClock clock_;
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<table::ManifestCache> cache_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<GoldStage> stage_;
  int64_t cut_ = 0;
  int writes_ = 0;
};

// Days: 20089 is 2025-01-01, 20120 is 2025-02-01, 20148 is 2025-03-01.
constexpr const char* kFirst =
    R"([[1, 20089, "10.00", true, 100, 0, null, null], [2, 20089, "2.50", true, 100, 0, null, null],
                                   [3, 20120, "1.00", true, 100, 0, null, null], [4, 20148, "5.00", true, 100, 0, null, null]])";
// Row 3 moved from February to March in transaction 200.
constexpr const char* kMoved =
    R"([[1, 20089, "10.00", true, 100, 0, null, null], [2, 20089, "2.50", true, 100, 0, null, null],
                                   [3, 20120, "1.00", false, 100, 0, 200, 0], [3, 20148, "1.00", true, 200, 0, null, null],
                                   [4, 20148, "5.00", true, 100, 0, null, null]])";
constexpr const char* kAll =
    "SELECT CAST(day AS VARCHAR), n, total FROM gold.daily ORDER BY day NULLS FIRST";

TEST_F(GoldStageTest, MakesTheTableAndThenOnlyWhatChanged) {
  Sql("daily", kDaily);
  EXPECT_EQ(Run(), "nothing");  // no cut yet
  Silver(kFirst, 100);
  EXPECT_EQ(Run(), "3 rows in 3 partitions, whole");
  EXPECT_EQ(Rows(kAll), "2025-01-01|2|12.50;2025-02-01|1|1.00;2025-03-01|1|5.00;");
  EXPECT_EQ(Run(), "nothing");
  EXPECT_EQ(Snapshots(), 1U);

  Silver(kMoved, 200);
  EXPECT_EQ(Run(), "1 rows in 2 partitions");
  EXPECT_EQ(Rows(kAll), "2025-01-01|2|12.50;2025-03-01|2|6.00;");
  EXPECT_EQ(Snapshots(), 2U);

  // A new snapshot without a change beyond the mark, as upkeep makes it: no new Gold snapshot, and
  // a fresh stage has nothing to do either.
  Silver(kMoved, 300);
  EXPECT_EQ(Run(), "nothing");
  stage_ = std::make_unique<GoldStage>(
      GoldOptions{(root_ / "sql").string(), {}}, *catalog_, *store_, *cache_,
      [this] { return Engine(); }, clock_);
  EXPECT_EQ(Run(), "nothing");
  EXPECT_EQ(Snapshots(), 2U);
  const iceberg::Snapshot snapshot =
      catalog_->LoadTable(MakeIdent("gold", "daily"))->metadata.snapshots.back();
  EXPECT_NE(snapshot.summary.at("millrace.inputs").find("\"silver.sales\""), std::string::npos);
}

TEST_F(GoldStageTest, NullPeriodsAreAPartitionToo) {
  Sql("daily", kDaily);
  Silver(
      R"([[1, null, "1.00", true, 100, 0, null, null], [2, 20089, "2.00", true, 100, 0, null, null]])",
      100);
  EXPECT_EQ(Run(), "2 rows in 2 partitions, whole");
  Silver(R"([[1, null, "1.00", false, 100, 0, 200, 1], [1, null, "7.00", true, 200, 1, null, null],
             [2, 20089, "2.00", true, 100, 0, null, null]])",
         200);
  EXPECT_EQ(Run(), "1 rows in 1 partitions");
  EXPECT_EQ(Rows(kAll), "null|1|7.00;2025-01-01|1|2.00;");
}

TEST_F(GoldStageTest, AFailedCheckHoldsTheTableBackUntilItHolds) {
  Sql("daily", kDaily);
  Sql("other",
      "-- grain: one row\n-- inputs: silver.sales\nSELECT count(*) AS n FROM silver.sales WHERE "
      "is_current");
  Silver(kFirst, 100);
  Run();
  Silver(
      R"([[1, 20089, "-10.00", true, 200, 0, null, null], [1, 20089, "10.00", false, 100, 0, 200, 0]])",
      200);
  const std::string failed = Run();
  EXPECT_TRUE(
      failed.starts_with("unavailable: 1 of 2 Gold tables not refreshed; the first: gold.daily: "))
      << failed;
  EXPECT_TRUE(
      failed.ends_with("daily.sql:5: check no_negative_day does not hold (1 row(s) of the new "
                       "result fail it); the table keeps what "
                       "was published before"))
      << failed;
  EXPECT_EQ(Rows(kAll), "2025-01-01|2|12.50;2025-02-01|1|1.00;2025-03-01|1|5.00;");
  EXPECT_EQ(Rows("SELECT n FROM gold.other", "other"), "1;");  // the other one goes on
  Silver(
      R"([[1, 20089, "-10.00", false, 200, 0, 300, 0], [1, 20089, "3.00", true, 300, 0, null, null]])",
      300);
  EXPECT_EQ(Run(), "1 rows in 1 partitions");
}

TEST_F(GoldStageTest, AnotherTextRecomputesAndMayAddColumns) {
  Sql("daily", kDaily);
  Silver(kFirst, 100);
  Run();
  std::string wider = kDaily;
  wider.replace(wider.find("count(*) AS n"), 13, "count(*) AS n, min(id) AS first_id");
  Sql("daily", wider);
  EXPECT_EQ(Run(), "3 rows in 3 partitions, whole");
  EXPECT_EQ(Rows("SELECT n, first_id FROM gold.daily ORDER BY day"), "2|1;1|3;1|4;");
  const iceberg::TableMetadata metadata = catalog_->LoadTable(MakeIdent("gold", "daily"))->metadata;
  EXPECT_EQ(metadata.CurrentSchema().FindByName("total")->id, 3);
  EXPECT_EQ(metadata.CurrentSchema().FindByName("first_id")->id, 4);
}

TEST_F(GoldStageTest, WaitsForItsInputsAndRefusesWhatItMustNotTouch) {
  Sql("later",
      "-- grain: one row\n-- inputs: silver.not_there\nSELECT count(*) AS n FROM silver.not_there");
  Silver(kFirst, 100);
  EXPECT_EQ(Run(), "nothing");
  EXPECT_EQ(catalog_->LoadTable(MakeIdent("gold", "later")).error().kind(), ErrorKind::kNotFound);

  std::filesystem::remove(root_ / "sql" / "later.sql");
  ASSERT_TRUE(catalog_->CreateNamespace({"gold"}).ok());
  iceberg::Schema schema;
  schema.fields = {{1, "n", false, Primitive(TypeId::kLong), ""}};
  Create("gold", "daily", schema);
  Sql("daily", kDaily);
  EXPECT_NE(Run().find("was not made by Millrace"), std::string::npos);

  Sql("daily", "-- grain: one row\n-- inputs: silver.sales\nSELECT nothing_such FROM silver.sales");
  EXPECT_NE(Run().find("was not made by Millrace"), std::string::npos);
  Sql("broken",
      "-- grain: one row\n-- inputs: silver.sales\nSELECT nothing_such FROM silver.sales");
  EXPECT_NE(Run().find("nothing_such"), std::string::npos);
}

TEST_F(GoldStageTest, ATableMadeAnewIsRecomputed) {
  Sql("daily", kDaily);
  Silver(kFirst, 100);
  Run();
  const iceberg::Schema schema =
      catalog_->LoadTable(MakeIdent("silver", "sales"))->metadata.CurrentSchema();
  ASSERT_TRUE(catalog_->DropTable(MakeIdent("silver", "sales")).ok());
  Create("silver", "sales", schema);
  Silver(R"([[1, 20089, "4.00", true, 50, 0, null, null]])", 50);
  EXPECT_EQ(Run(), "1 rows in 1 partitions, whole");
  EXPECT_EQ(Rows(kAll), "2025-01-01|1|4.00;");
}

}  // namespace
}  // namespace millrace
