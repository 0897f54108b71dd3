#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "base/time.h"
#include "pipeline/gold/gold_sql.h"
#include "pipeline/gold/input_mark.h"
#include "pipeline/gold/result_schema.h"
#include "pipeline/gold/touched.h"

namespace millrace::gold {
namespace {

using iceberg::Literal;
using iceberg::Primitive;
using iceberg::TypeId;

constexpr const char* kDaily = R"(-- Sales of a day, from what is current.
-- gold: daily_sales
-- grain: one row a day
-- partition: day
-- inputs: silver.sales, silver.stores
-- touched: silver.sales => CAST(sold_at AS DATE)
-- check: net <= gross AS net_not_above_gross
-- check: count(*) = count(DISTINCT day) AS one_row_a_day

SELECT CAST(sold_at AS DATE) AS day, sum(net) AS net -- cents
FROM silver.sales
GROUP BY 1;
)";

TEST(GoldSql, ReadsHeaderAndSelect) {
  const auto table = ParseGoldSql(kDaily, "/etc/gold/daily_sales.sql");
  ASSERT_TRUE(table.ok()) << table.error().message();
  EXPECT_EQ(table->name, "daily_sales");
  EXPECT_EQ(table->grain, "one row a day");
  EXPECT_EQ(table->partition_column, "day");
  ASSERT_EQ(table->inputs.size(), 2U);
  EXPECT_EQ(table->inputs[0].table, "silver.sales");
  EXPECT_EQ(table->inputs[0].touched, "CAST(sold_at AS DATE)");
  EXPECT_EQ(table->inputs[1].touched, std::nullopt);
  ASSERT_EQ(table->checks.size(), 2U);
  EXPECT_EQ(table->checks[1].name, "one_row_a_day");
  EXPECT_EQ(table->checks[1].condition, "count(*) = count(DISTINCT day)");
  EXPECT_EQ(table->checks[1].line, 8);
  EXPECT_TRUE(table->select.starts_with("SELECT CAST") && table->select.ends_with("GROUP BY 1"))
      << table->select;
  const auto changed = ParseGoldSql(std::string(kDaily) + " ", "/etc/gold/daily_sales.sql");
  EXPECT_NE(changed->fingerprint, table->fingerprint);
}

TEST(GoldSql, SaysWhatIsWrongAndWhere) {
  const std::string good = "-- gold: t\n-- grain: row\n-- inputs: silver.a\nSELECT 1";
  ASSERT_TRUE(ParseGoldSql(good, "t.sql").ok());
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"-- gold: other\n", "t.sql:1: gold: the file of table 'other' must be called other.sql"},
      {"-- gold: t\n-- gold: t\n", "t.sql:2: 'gold:' stands twice; keep one"},
      {"-- gold: t\n-- grian: day\n",
       "t.sql:2: 'grian' is not a key of the header (keys: gold, grain, partition, inputs, "
       "touched, check); a comment must not begin with "
       "a word and a colon"},
      {"-- gold:\n", "t.sql:1: 'gold:' has no value"},
      {"-- inputs: bronze.x\n",
       "t.sql:1: inputs: 'bronze.x' must be a Silver table, written silver.<table>"},
      {"-- inputs: silver.a\n-- touched: silver.b => x\n",
       "t.sql:2: touched: 'silver.b' is not among the inputs; name it in an 'inputs:' line above"},
      {"-- inputs: silver.a\n-- touched: silver.a x\n",
       "t.sql:2: touched: write '<input> => <SQL over a row of it>'"},
      {"-- check: a > 0\n", "t.sql:1: check: write '<SQL condition> AS <name>'"},
      {"-- gold: t\n-- grain: x\n-- inputs: silver.a\n",
       "t.sql:4: there is no SELECT after the header; write one SELECT statement"},
      {"SELECT 1",
       "t.sql: the header lacks 'grain:'; add a line like '-- grain: <what one row is>'"},
      {"-- gold: t\n-- grain: x\n-- inputs: silver.a\n-- touched: silver.a => d\nSELECT 1",
       "t.sql: touched: 'silver.a' needs a 'partition:' line: without one the whole table is "
       "recomputed"},
  };
  for (const auto& c : cases) {
    const auto table = ParseGoldSql(c.text, "t.sql");
    ASSERT_FALSE(table.ok()) << c.text;
    EXPECT_EQ(table.error().message(), c.message);
  }
}

TEST(InputMarks, SurviveTheProperty) {
  InputMarks marks;
  marks.cut = 7;
  marks.sql_fingerprint = "ab";
  marks.tables["silver.a"] = {"uuid", 9'007'199'254'740'993, {0xFFFF'FFFF'FF00, 3}};
  const auto read = ParseInputMarks(WriteInputMarks(marks), "test");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_TRUE(read->SameState(marks));
  EXPECT_EQ(read->cut, 7);
  marks.tables["silver.a"].position.ordinal = 4;
  EXPECT_FALSE(read->SameState(marks));
  EXPECT_EQ(ParseInputMarks("{}", "test").error().kind(), ErrorKind::kCorrupt);
}

iceberg::Field Column(TypeId type) { return {3, "day", false, Primitive(type), ""}; }

TEST(Touched, MonthsBecomeRanges) {
  const auto spec = SpecFor(Column(TypeId::kDate));
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->fields[0].name, "day_month");
  const auto date = [](int64_t y, int m, int d) {
    return Literal(static_cast<int32_t>(DaysFromCivil({y, m, d})));
  };
  std::vector<Literal> months;
  for (const Literal& period :
       {date(2026, 12, 1), date(2027, 1, 31), date(2026, 3, 5), Literal(), date(1969, 12, 31)}) {
    months.push_back(PartitionOfPeriod(period, spec->fields[0], *Primitive(TypeId::kDate)).value());
  }
  EXPECT_EQ(PartitionCondition("day", *Primitive(TypeId::kDate), spec->fields[0], months),
            "\"day\" IS NULL OR \"day\" BETWEEN DATE '1969-12-01' AND DATE '1969-12-31' OR "
            "\"day\" BETWEEN DATE '2026-03-01' AND DATE '2026-03-31' OR \"day\" BETWEEN DATE "
            "'2026-12-01' AND DATE '2027-01-31'");
  EXPECT_EQ(PartitionCondition("day", *Primitive(TypeId::kTimestampTz), spec->fields[0],
                               {Literal(int32_t{0})}),
            "(\"day\" >= CAST('1970-01-01 00:00:00+00:00' AS TIMESTAMP WITH TIME ZONE) AND "
            "\"day\" < CAST('1970-02-01 00:00:00+00:00' AS TIMESTAMP WITH TIME ZONE))");
}

TEST(Touched, OtherTypesStandForThemselves) {
  const auto spec = SpecFor(Column(TypeId::kString));
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(PartitionCondition("day", *Primitive(TypeId::kString), spec->fields[0],
                               {Literal(std::string("it's")), Literal()}),
            "\"day\" IS NULL OR \"day\" IN ('it''s')");
  const iceberg::Type narrow = *Primitive(TypeId::kInt);
  EXPECT_EQ(PartitionOfPeriod(Literal(int64_t{5}), spec->fields[0], narrow), Literal(int32_t{5}));
  EXPECT_EQ(PartitionOfPeriod(Literal(int64_t{5'000'000'000}), spec->fields[0], narrow),
            std::nullopt);
  EXPECT_EQ(PartitionOfPeriod(Literal(std::string("5")), spec->fields[0], narrow), std::nullopt);
  EXPECT_EQ(SpecFor(Column(TypeId::kDouble)).error().message(),
            "partition: column 'day' is a double; take a column that is a date, timestamp, text, "
            "integer or boolean");
}

TEST(Touched, AsksForRowsOpenedOrClosedAfterTheMark) {
  const auto spec = SpecFor(Column(TypeId::kDate));
  EXPECT_EQ(TouchedSql("day", "sales", "o.sales", "c.sales", {16, 2}, spec->fields[0]),
            "SELECT CAST(date_trunc('month', CAST((day) AS DATE)) AS DATE) AS period FROM (SELECT "
            "* FROM o.sales WHERE _from_lsn > 16 OR "
            "(_from_lsn = 16 AND _from_ord > 2)) AS \"sales\" UNION "
            "SELECT CAST(date_trunc('month', CAST((day) AS DATE)) AS DATE) AS period FROM (SELECT "
            "* FROM c.sales WHERE _to_lsn > 16 OR "
            "(_to_lsn = 16 AND _to_ord > 2)) AS \"sales\"");
}

TEST(FitSchema, FollowsTheResult) {
  iceberg::TableMetadata table;
  table.schemas.resize(1);
  table.schemas[0].fields = {{1, "day", false, Primitive(TypeId::kDate), ""},
                             {2, "units", false, Primitive(TypeId::kInt), ""},
                             {3, "net", false, iceberg::Decimal(38, 2), ""},
                             {4, "old", false, Primitive(TypeId::kString), ""}};
  table.last_column_id = 4;
  iceberg::Schema result;
  result.fields = {{1, "day", false, Primitive(TypeId::kDate), ""},
                   {2, "net", false, iceberg::Decimal(18, 2), ""},
                   {3, "units", false, Primitive(TypeId::kInt), ""},
                   {4, "old", false, Primitive(TypeId::kString), ""}};
  auto same = FitSchema(table, result, "day");
  ASSERT_TRUE(same.ok()) << same.error().message();
  EXPECT_FALSE(same->changed());  // order and a narrower decimal change nothing

  result.fields[2].type = Primitive(TypeId::kLong);
  result.fields[3] = {4, "extra", false, Primitive(TypeId::kString), ""};
  auto changed = FitSchema(table, result, "day");
  ASSERT_TRUE(changed.ok()) << changed.error().message();
  EXPECT_EQ(changed->last_column_id, 5);
  EXPECT_EQ(changed->schema.schema_id, 1);
  EXPECT_EQ(changed->schema.FindByName("units")->id, 2);
  EXPECT_EQ(changed->schema.FindByName("units")->type->id, TypeId::kLong);
  EXPECT_EQ(changed->schema.FindByName("extra")->id, 5);
  EXPECT_EQ(changed->schema.FindByName("old"), nullptr);

  result.fields[0].type = Primitive(TypeId::kString);
  EXPECT_EQ(FitSchema(table, result, "day").error().kind(), ErrorKind::kInvalidInput);
}

}  // namespace
}  // namespace millrace::gold
