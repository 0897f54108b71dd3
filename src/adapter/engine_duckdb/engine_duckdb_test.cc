#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "adapter/engine_duckdb/duckdb_engine.h"
#include "adapter/engine_duckdb/view_sql.h"
#include "base/format.h"

namespace millrace {
namespace {

using iceberg::Primitive;
using iceberg::TypeId;

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    // A hive-style directory on purpose: its name must not become a column.
    dir_ = std::filesystem::temp_directory_path() / Format("millrace_engine_{}", getpid()) /
           "is_current=true";
    std::filesystem::create_directories(dir_);
    DuckDbOptions options;
    options.threads = 2;
    options.temp_directory = (dir_ / "tmp").string();
    options.allowed_directories = {dir_.string()};
    auto engine = OpenDuckDbEngine(options);
    ASSERT_TRUE(engine.ok()) << engine.error().message();
    engine_ = std::move(*engine);
  }
  void TearDown() override { std::filesystem::remove_all(dir_.parent_path()); }

  static std::shared_ptr<arrow::Field> FieldOf(const char* name, int id,
                                               std::shared_ptr<arrow::DataType> type) {
    return arrow::field(name, std::move(type), true,
                        arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(id)}));
  }

  // Writes a Parquet file of the columns given as JSON arrays; returns its URI.
  std::string WriteFile(const char* name, const arrow::FieldVector& fields,
                        const std::vector<std::string>& columns) {
    std::vector<std::shared_ptr<arrow::ChunkedArray>> arrays;
    for (size_t i = 0; i < fields.size(); ++i) {
      auto builder = arrow::MakeBuilder(fields[i]->type()).ValueOrDie();
      for (const char c : columns[i]) {
        if (c == ' ') continue;
        Append(*builder, c);
      }
      arrays.push_back(std::make_shared<arrow::ChunkedArray>(builder->Finish().ValueOrDie()));
    }
    return WriteTable(name, *arrow::Table::Make(arrow::schema(fields), arrays));
  }

  std::string WriteTable(const char* name, const arrow::Table& table) {
    const std::string path = (dir_ / name).string();
    auto out = arrow::io::FileOutputStream::Open(path).ValueOrDie();
    EXPECT_TRUE(parquet::arrow::WriteTable(table, arrow::default_memory_pool(), out).ok());
    EXPECT_TRUE(out->Close().ok());
    return "file://" + path;
  }

  // One value from a digit; '-' is null.
  static void Append(arrow::ArrayBuilder& builder, char c) {
    if (c == '-') {
      ASSERT_TRUE(builder.AppendNull().ok());
      return;
    }
    const std::string text = builder.type()->id() == arrow::Type::FIXED_SIZE_BINARY
                                 ? std::string(15, '\0') + std::string(1, c)
                             : builder.type()->id() == arrow::Type::DECIMAL128
                                 ? std::string(1, c) + ".00"
                                 : std::string(1, c);
    if (auto* list = dynamic_cast<arrow::ListBuilder*>(&builder)) {
      ASSERT_TRUE(list->Append().ok());
      ASSERT_TRUE(static_cast<arrow::Int32Builder*>(list->value_builder())->Append(c - '0').ok());
    } else if (auto* strings = dynamic_cast<arrow::StringBuilder*>(&builder)) {
      ASSERT_TRUE(strings->Append(text).ok());
    } else if (auto* bytes = dynamic_cast<arrow::Decimal128Builder*>(&builder)) {
      ASSERT_TRUE(bytes->Append(arrow::Decimal128::FromString(text).ValueOrDie()).ok());
    } else if (auto* fixed = dynamic_cast<arrow::FixedSizeBinaryBuilder*>(&builder)) {
      ASSERT_TRUE(fixed->Append(text).ok());
    } else if (auto* longs = dynamic_cast<arrow::Int64Builder*>(&builder)) {
      ASSERT_TRUE(longs->Append(c - '0').ok());
    } else if (auto* ints = dynamic_cast<arrow::Int32Builder*>(&builder)) {
      ASSERT_TRUE(ints->Append(c - '0').ok());
    } else if (auto* times = dynamic_cast<arrow::Time64Builder*>(&builder)) {
      ASSERT_TRUE(times->Append(int64_t{c - '0'} * 3'600'000'000).ok());
    } else if (auto* stamps = dynamic_cast<arrow::TimestampBuilder*>(&builder)) {
      ASSERT_TRUE(stamps->Append(int64_t{c - '0'} * 3'600'000'000).ok());
    } else {
      FAIL() << builder.type()->ToString();
    }
  }

  // Rows as text, values separated by '|', rows by ';'.
  std::string Rows(const std::string& sql) {
    ArrowArrayStream stream;
    if (Status s = engine_->Query(sql, &stream); !s.ok()) return s.error().ToString();
    auto reader = arrow::ImportRecordBatchReader(&stream).ValueOrDie();
    std::string out;
    for (const auto& batch : *reader) {
      const auto& rows = *batch.ValueOrDie();
      for (int64_t r = 0; r < rows.num_rows(); ++r) {
        for (int c = 0; c < rows.num_columns(); ++c) {
          if (c > 0) out += "|";
          out += rows.column(c)->GetScalar(r).ValueOrDie()->ToString();
        }
        out += ";";
      }
    }
    return out;
  }

  std::filesystem::path dir_;
  std::unique_ptr<Engine> engine_;
};

EngineTable Table(std::vector<iceberg::Field> fields) {
  EngineTable table;
  table.space = "silver";
  table.name = "orders";
  table.schema.fields = std::move(fields);
  return table;
}

ScanFile File(std::string path, std::vector<std::string> deletes = {}) {
  ScanFile file;
  file.path = std::move(path);
  file.delete_files = std::move(deletes);
  return file;
}

TEST_F(EngineTest, FieldIdsDecideNotNames) {
  EngineTable table = Table({{1, "id", true, Primitive(TypeId::kLong), ""},
                             {2, "title", false, Primitive(TypeId::kString), ""},
                             {3, "price", false, iceberg::Decimal(12, 2), ""},
                             {4, "is_current", false, Primitive(TypeId::kString), ""}});
  // Written before: id was int, "title" was called "price", the price narrower, and is_current did
  // not exist.
  table.files.push_back(
      File(WriteFile("a.parquet",
                     {FieldOf("id", 1, arrow::int32()), FieldOf("price", 2, arrow::utf8()),
                      FieldOf("cost", 3, arrow::decimal128(7, 2))},
                     {"12", "x-", "34"})));
  // Written after, with a dropped column that had a name of today.
  table.files.push_back(
      File(WriteFile("b.parquet",
                     {FieldOf("title", 9, arrow::utf8()), FieldOf("id", 1, arrow::int64()),
                      FieldOf("title2", 2, arrow::utf8())},
                     {"d", "3", "y"})));
  ASSERT_TRUE(engine_->Register(table).ok());
  EXPECT_EQ(Rows("SELECT * FROM silver.orders ORDER BY id"),
            "1|x|3.00|null;2|null|4.00|null;3|y|null|null;");
  EXPECT_EQ(Rows("SELECT typeof(id), typeof(price) FROM silver.orders LIMIT 1"),
            "BIGINT|DECIMAL(12,2);");
}

TEST_F(EngineTest, ReadsEveryKindOfType) {
  EngineTable table =
      Table({{1, "u", false, Primitive(TypeId::kUuid), ""},
             {2, "t", false, Primitive(TypeId::kTime), ""},
             {3, "z", false, Primitive(TypeId::kTimestampTz), ""},
             {4, "l", false, iceberg::List(5, Primitive(TypeId::kLong), false), ""}});
  table.files.push_back(
      File(WriteFile("t.parquet",
                     {FieldOf("u", 1, arrow::fixed_size_binary(16)),
                      FieldOf("t", 2, arrow::time64(arrow::TimeUnit::MICRO)),
                      FieldOf("z", 3, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                      FieldOf("l", 4, arrow::list(FieldOf("element", 5, arrow::int32())))},
                     {"1-", "2-", "3-", "4-"})));
  ASSERT_TRUE(engine_->Register(table).ok());
  EXPECT_EQ(Rows("SELECT CAST(u AS VARCHAR), CAST(t AS VARCHAR), CAST(z AS VARCHAR), CAST(l AS "
                 "VARCHAR), typeof(l), CAST(CAST(z AS DATE) AS "
                 "VARCHAR) FROM silver.orders WHERE u IS NOT NULL"),
            "00000000-0000-0000-0000-000000000031|02:00:00|1970-01-01 "
            "03:00:00+00|[4]|BIGINT[]|1970-01-01;");
  EXPECT_EQ(Rows("SELECT count(*) FROM silver.orders WHERE u IS NULL AND t IS NULL AND z IS NULL "
                 "AND l IS NULL"),
            "1;");
}

TEST_F(EngineTest, LeavesDeletedPositionsOut) {
  EngineTable table = Table({{1, "id", true, Primitive(TypeId::kLong), ""}});
  const std::string a = WriteFile("a.parquet", {FieldOf("n", 1, arrow::int64())}, {"0123"});
  const std::string b = WriteFile("b.parquet", {FieldOf("n", 1, arrow::int64())}, {"4567"});
  const std::string c = WriteFile("c.parquet", {FieldOf("n", 1, arrow::int64())}, {"89"});
  const auto deletes = [&](const char* name, const std::string& data_file,
                           std::initializer_list<int64_t> positions) {
    arrow::StringBuilder paths;
    arrow::Int64Builder pos;
    for (const int64_t p : positions) {
      EXPECT_TRUE(paths.Append(data_file).ok());
      EXPECT_TRUE(pos.Append(p).ok());
    }
    return WriteTable(
        name, *arrow::Table::Make(arrow::schema({FieldOf("file_path", 2147483546, arrow::utf8()),
                                                 FieldOf("pos", 2147483545, arrow::int64())}),
                                  {paths.Finish().ValueOrDie(), pos.Finish().ValueOrDie()}));
  };
  table.files = {File(a, {deletes("da.parquet", a, {0, 3})}),
                 File(b, {deletes("db.parquet", b, {1})}), File(c)};
  ASSERT_TRUE(engine_->Register(table).ok());
  EXPECT_EQ(Rows("SELECT id FROM silver.orders ORDER BY id"), "1;2;4;6;7;8;9;");
  EXPECT_EQ(Rows("SELECT count(*) FROM silver.orders WHERE id = 5"), "0;");
}

TEST_F(EngineTest, TablesWithoutFilesAndReplacement) {
  EngineTable table = Table({{1, "id", true, Primitive(TypeId::kLong), ""},
                             {2, "d", false, Primitive(TypeId::kDate), ""}});
  ASSERT_TRUE(engine_->Register(table).ok());
  EXPECT_EQ(Rows("SELECT count(*), max(d) FROM silver.orders"), "0|null;");
  table.files.push_back(File(WriteFile("a.parquet", {FieldOf("n", 1, arrow::int64())}, {"7"})));
  ASSERT_TRUE(engine_->Register(table).ok());
  EXPECT_EQ(Rows("SELECT id, d FROM silver.orders"), "7|null;");
}

TEST_F(EngineTest, KeepsARunsRowsAndTakesOneSelectOnly) {
  ASSERT_TRUE(
      engine_->Materialize("kept", "SELECT range AS n FROM range(5000) -- five thousand").ok());
  EXPECT_EQ(Rows("SELECT count(*), sum(n) FROM kept"), "5000|12497500;");
  for (const char* sql :
       {"CREATE TABLE t (a INT)", "SELECT 1; SELECT 2",
        "SELECT 1) AS x; DROP TABLE kept; SELECT * FROM (SELECT 1", "SET threads = 1",
        "COPY (SELECT 1) TO '/tmp/millrace_never.csv'", "SELECT nothing_such"}) {
    const Status status = engine_->Materialize("kept2", sql);
    ASSERT_FALSE(status.ok()) << sql;
    EXPECT_EQ(status.error().kind(), ErrorKind::kInvalidInput) << sql;
    ArrowArrayStream stream;
    if (std::string_view(sql).find("kept") == std::string_view::npos) {
      EXPECT_FALSE(engine_->Query(sql, &stream).ok()) << sql;
    }
  }
  EXPECT_EQ(Rows("SELECT count(*) FROM kept"), "5000;");
}

TEST_F(EngineTest, ReadsNothingOutsideItsDirectories) {
  EXPECT_NE(Rows("SELECT * FROM read_csv('/etc/passwd')").find("disabled by configuration"),
            std::string::npos);
}

TEST_F(EngineTest, LoadsNoExtensions) {
  EXPECT_NE(Rows("SELECT * FROM iceberg_scan('/lake/t')").find("invalid_input"), std::string::npos);
  EXPECT_EQ(Rows("SELECT count(*) FROM duckdb_settings() WHERE name IN "
                 "('autoload_known_extensions', 'autoinstall_known_extensions') "
                 "AND value = 'false'"),
            "2;");
}

TEST_F(EngineTest, ErrorsShowNoValues) {
  const std::string error =
      Rows("SELECT CAST(v AS INTEGER) FROM (SELECT 'secret' || range AS v FROM range(2)) AS t");
  EXPECT_EQ(
      error,
      "invalid_input: Conversion Error: Could not convert string ... (the value is not shown)");
}

TEST_F(EngineTest, DaysAreThoseOfUtc) {
  EXPECT_EQ(Rows("SELECT string_agg(CAST(CAST(t AS DATE) AS VARCHAR), ' ' ORDER BY t) FROM (VALUES "
                 "(TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'), "
                 "(TIMESTAMPTZ '1970-01-01 00:00:00+00'), (TIMESTAMPTZ '2026-03-29 01:30:00+02'), "
                 "(TIMESTAMPTZ '0001-01-01 00:00:00+00'), "
                 "(TIMESTAMPTZ 'infinity'), (TIMESTAMPTZ '-infinity'), (NULL)) AS v(t)"),
            "-infinity 0001-01-01 1969-12-31 1970-01-01 2026-03-28 infinity;");
}

TEST_F(EngineTest, StopsWhenAsked) {
  std::stop_source source;
  std::jthread later([&source] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    source.request_stop();
  });
  const Status status = engine_->Materialize(
      "slow",
      "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1",
      source.get_token());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCancelled);
  EXPECT_EQ(Rows("SELECT 1"), "1;");  // the engine goes on
}

TEST(ViewSql, RefusesPathsThatDuckDbWouldExpandOrCannotRead) {
  for (const char* uri : {"s3://bucket/a.parquet", "file:///lake/[a]/x.parquet",
                          "file:///lake/*.parquet", "relative"}) {
    auto path = duckdb_engine::LocalPath(uri);
    ASSERT_FALSE(path.ok()) << uri;
    EXPECT_EQ(path.error().kind(), ErrorKind::kUnsupported);
  }
  EXPECT_EQ(*duckdb_engine::LocalPath("file:///lake/x.parquet"), "/lake/x.parquet");
  EXPECT_EQ(*duckdb_engine::LocalPath("file:/lake/x.parquet"), "/lake/x.parquet");
}

TEST(ViewSql, QuotesNames) {
  EXPECT_EQ(duckdb_engine::QuoteName("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(duckdb_engine::QuoteText("it's"), "'it''s'");
}

}  // namespace
}  // namespace millrace
