#include <cmath>
#include <limits>

#include "table/data_reader.h"
#include "table/table_fixture.h"

namespace millrace::table {
namespace {

using iceberg::Primitive;
using iceberg::TypeId;

const iceberg::PartitionSpec kNoPartition{0, {}};

iceberg::Schema AllTypes() {
  iceberg::Schema schema;
  int32_t id = 1;
  const auto add = [&](const char* name, iceberg::TypePtr type) {
    schema.fields.push_back({id++, name, false, type, ""});
  };
  add("b", Primitive(TypeId::kBoolean));
  add("i", Primitive(TypeId::kInt));
  add("l", Primitive(TypeId::kLong));
  add("f", Primitive(TypeId::kFloat));
  add("d", Primitive(TypeId::kDouble));
  add("dec9", iceberg::Decimal(9, 2));
  add("dec18", iceberg::Decimal(18, 4));
  add("dec38", iceberg::Decimal(38, 10));
  add("date", Primitive(TypeId::kDate));
  add("time", Primitive(TypeId::kTime));
  add("ts", Primitive(TypeId::kTimestamp));
  add("tstz", Primitive(TypeId::kTimestampTz));
  add("s", Primitive(TypeId::kString));
  add("bin", Primitive(TypeId::kBinary));
  add("uuid", Primitive(TypeId::kUuid));
  add("list", iceberg::List(100, Primitive(TypeId::kInt), false));
  add("struct", iceberg::Struct(
                    {{101, "x", false, Primitive(TypeId::kInt), ""},
                     {102, "y", false, iceberg::List(103, Primitive(TypeId::kUuid), false), ""}}));
  add("map", iceberg::Map(104, Primitive(TypeId::kString), 105, Primitive(TypeId::kLong), false));
  return schema;
}

std::shared_ptr<arrow::RecordBatch> AllTypesRows() {
  return Batch(AllTypes(),
               {"[true, null, false]", "[-5, null, 7]", "[9223372036854775807, null, -1]",
                "[1.5, null, -0.0]", "[2.5, null, -3.25]", R"(["1234567.89", null, "-0.01"])",
                R"(["1.0000", null, "-99.5000"])",
                R"(["1234567890123456789.0123456789", null, "-1.0000000000"])", "[0, null, 20000]",
                "[0, null, 86399999999]", "[-1, null, 1800000000000000]",
                "[5, null, 1800000000000000]", R"(["", null, "zebra"])", R"(["a", null, "b"])",
                R"(["0123456789abcdef", null, "fedcba9876543210"])", "[[1, null, 3], null, []]",
                R"([{"x": 1, "y": ["0123456789abcdef"]}, null, {"x": null, "y": null}])",
                R"([[["k", 1], ["l", null]], null, []])"});
}

std::vector<iceberg::DataFile> WriteFile(testing::MemoryStore& store, const iceberg::Schema& schema,
                                         const arrow::RecordBatch& batch,
                                         const DataWriterOptions& options = {}) {
  auto writer = DataWriter::New(store, store.uri() + "/t", schema, kNoPartition, {}, "w", options);
  Get(writer->Write(batch));
  return Get(writer->Finish());
}

TEST(DataFile, AllTypesComeBackAsWritten) {
  testing::MemoryStore store;
  const auto rows = AllTypesRows();
  const auto files = WriteFile(store, AllTypes(), *rows);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].path, "memory://lake/t/data/w-00000.parquet");
  EXPECT_EQ(files[0].file_size, Get(store.Head("t/data/w-00000.parquet")).size);
  EXPECT_EQ(files[0].record_count, 3);
  EXPECT_EQ(files[0].split_offsets, (std::vector<int64_t>{4}));
  auto reader = Get(DataReader::Open(store, files[0]));
  const auto read = Get(reader->Read(0, AllTypes().fields));
  EXPECT_TRUE(read->Equals(*rows)) << read->ToString();
}

TEST(DataFile, MetricsCountAndBound) {
  testing::MemoryStore store;
  const auto file = WriteFile(store, AllTypes(), *AllTypesRows())[0];
  const auto lower = [&](int32_t id, TypeId type) {
    return *iceberg::FromBytes(file.lower_bounds.at(id), *Primitive(type));
  };
  const auto upper = [&](int32_t id, TypeId type) {
    return *iceberg::FromBytes(file.upper_bounds.at(id), *Primitive(type));
  };
  EXPECT_EQ(lower(3, TypeId::kLong), iceberg::Literal(int64_t{-1}));
  EXPECT_EQ(upper(3, TypeId::kLong), iceberg::Literal(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(lower(13, TypeId::kString), iceberg::Literal(std::string()));
  EXPECT_EQ(upper(13, TypeId::kString), iceberg::Literal(std::string("zebra")));
  EXPECT_EQ(*iceberg::FromBytes(file.upper_bounds.at(6), *iceberg::Decimal(9, 2)),
            iceberg::Literal(iceberg::Int128{123456789}));
  for (int32_t id = 1; id <= 15; ++id) {
    EXPECT_EQ(file.value_counts.at(id), 3) << id;
    EXPECT_EQ(file.null_value_counts.at(id), 1) << id;
  }
  // A struct's field counts the rows whose struct is null; list elements have sizes only.
  EXPECT_EQ(file.null_value_counts.at(101), 2);
  EXPECT_FALSE(file.value_counts.contains(100));
  EXPECT_GT(file.column_sizes.at(100), 0);
  EXPECT_GT(file.column_sizes.at(105), 0);
}

TEST(DataFile, NanStaysOutOfBoundsAndZeroCoversBothSigns) {
  testing::MemoryStore store;
  iceberg::Schema schema;
  schema.fields = {{1, "d", false, Primitive(TypeId::kDouble), ""},
                   {2, "n", false, Primitive(TypeId::kFloat), ""}};
  const auto file =
      WriteFile(store, schema, *Batch(schema, {"[NaN, 0.0, 4.5]", "[NaN, NaN, null]"}))[0];
  EXPECT_EQ(file.nan_value_counts.at(1), 1);
  EXPECT_EQ(file.nan_value_counts.at(2), 2);
  const auto lower = *iceberg::FromBytes(file.lower_bounds.at(1), *Primitive(TypeId::kDouble));
  EXPECT_TRUE(std::signbit(std::get<double>(lower)));
  EXPECT_FALSE(file.lower_bounds.contains(2));
}

TEST(DataFile, LongStringsAreBoundedByTruncation) {
  testing::MemoryStore store;
  iceberg::Schema schema;
  schema.fields = {{1, "s", false, Primitive(TypeId::kString), ""}};
  const std::string text(5000, 'x');
  const auto file = WriteFile(store, schema, *Batch(schema, {"[\"" + text + "\"]"}))[0];
  EXPECT_EQ(file.lower_bounds.at(1), std::string(16, 'x'));
  EXPECT_EQ(file.upper_bounds.at(1), "xxxxxxxxxxxxxxxy");
}

TEST(DataFile, RollsAtTheTargetAndCutsRowGroups) {
  testing::MemoryStore store;
  iceberg::Schema schema;
  schema.fields = {{1, "l", true, Primitive(TypeId::kLong), ""}};
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < 10'000; ++i) ASSERT_TRUE(builder.Append(i * 7919 % 10'007).ok());
  const auto batch = arrow::RecordBatch::Make(ToArrow(schema), 10'000, {*builder.Finish()});
  DataWriterOptions options;
  options.row_group_rows = 1000;
  EXPECT_EQ(WriteFile(store, schema, *batch, options)[0].split_offsets.size(), 10u);
  options.target_file_bytes = 6'000;
  const auto files = WriteFile(store, schema, *batch, options);
  EXPECT_GT(files.size(), 3u);
  int64_t rows = 0;
  for (const auto& file : files) {
    auto reader = Get(DataReader::Open(store, file));
    for (int group = 0; group < reader->row_groups(); ++group) {
      const auto read = Get(reader->Read(group, schema.fields));
      EXPECT_TRUE(read->column(0)->Equals(
          batch->column(0)->Slice(rows + reader->row_group_start(group), read->num_rows())));
    }
    rows += file.record_count;
  }
  EXPECT_EQ(rows, 10'000);
}

TEST(DataFile, NothingIsLeftWithoutFinish) {
  testing::MemoryStore store;
  iceberg::Schema schema;
  schema.fields = {{1, "l", true, Primitive(TypeId::kLong), ""}};
  DataWriterOptions options;
  options.target_file_bytes = 1;
  {
    auto writer =
        DataWriter::New(store, store.uri() + "/t", schema, kNoPartition, {}, "w", options);
    Get(writer->Write(*Batch(schema, {"[1, 2]"})));
    EXPECT_EQ(store.Paths().size(), 1u);
  }
  EXPECT_TRUE(store.Paths().empty());
  auto writer = DataWriter::New(store, store.uri() + "/t", schema, kNoPartition, {}, "w", options);
  EXPECT_TRUE(Get(writer->Finish()).empty());
}

TEST(DataFile, AFullStoreIsOutOfSpace) {
  testing::MemoryStore store;
  iceberg::Schema schema;
  schema.fields = {{1, "l", true, Primitive(TypeId::kLong), ""}};
  auto writer = DataWriter::New(store, store.uri() + "/t", schema, kNoPartition, {}, "w", {});
  Get(writer->Write(*Batch(schema, {"[1, 2]"})));
  store.FailWrites(ErrorKind::kOutOfSpace);
  const auto files = writer->Finish();
  ASSERT_FALSE(files.ok());
  EXPECT_EQ(files.error().kind(), ErrorKind::kOutOfSpace);
}

// Reading under a later schema: a promoted column, a renamed one, a new one, a dropped one, and the
// same inside a struct.
TEST(DataFile, ReadsByFieldIdUnderAnEvolvedSchema) {
  testing::MemoryStore store;
  iceberg::Schema old;
  old.fields = {
      {1, "a", false, Primitive(TypeId::kInt), ""},
      {2, "b", false, iceberg::Decimal(5, 2), ""},
      {3, "s", false,
       iceberg::Struct({{4, "x", false, Primitive(TypeId::kFloat), ""},
                        {5, "y", false, Primitive(TypeId::kInt), ""}}),
       ""},
      {6, "list", false, iceberg::List(7, Primitive(TypeId::kInt), false), ""},
      {8, "gone", false, iceberg::Struct({{9, "z", false, Primitive(TypeId::kInt), ""}}), ""}};
  const auto file =
      WriteFile(store, old,
                *Batch(old, {"[1, null, 3]", R"(["1.50", null, "2.25"])",
                             R"([{"x": 1.5, "y": 2}, null, {"x": null, "y": 4}])",
                             "[[1], null, [2, null]]", R"([{"z": 1}, null, {"z": 2}])"}))[0];
  iceberg::Schema now;
  now.fields = {
      {6, "numbers", false, iceberg::List(7, Primitive(TypeId::kLong), false), ""},
      {1, "a2", false, Primitive(TypeId::kLong), ""},
      {20, "added", false, Primitive(TypeId::kString), ""},
      {2, "b", false, iceberg::Decimal(12, 2), ""},
      {3, "s", false,
       iceberg::Struct({{21, "w", false, Primitive(TypeId::kDate), ""},
                        {4, "x", false, Primitive(TypeId::kDouble), ""}}),
       ""},
      {8, "gone", false, iceberg::Struct({{22, "other", false, Primitive(TypeId::kInt), ""}}), ""}};
  auto reader = Get(DataReader::Open(store, file));
  const auto read = Get(reader->Read(0, now.fields));
  const auto expected = Batch(
      now, {"[[1], null, [2, null]]", "[1, null, 3]", "[null, null, null]",
            R"(["1.50", null, "2.25"])", R"([{"w": null, "x": 1.5}, null, {"w": null, "x": null}])",
            R"([{"other": null}, null, {"other": null}])"});
  EXPECT_TRUE(read->Equals(*expected)) << read->ToString();
  // Only columns that the file lacks.
  EXPECT_EQ(Get(reader->Read(0, {now.fields[2]}))->column(0)->null_count(), 3);
}

TEST(DataFile, ADifferentSizeIsCorrupt) {
  testing::MemoryStore store;
  auto file = WriteFile(store, AllTypes(), *AllTypesRows())[0];
  file.file_size += 1;
  EXPECT_EQ(DataReader::Open(store, file).error().kind(), ErrorKind::kCorrupt);
}

TEST(ArrowSchema, QueryResultsBecomeIcebergTypes) {
  const auto schema = arrow::schema(
      {arrow::field("huge", arrow::decimal128(38, 0)), arrow::field("u", arrow::uint32()),
       arrow::field("l", arrow::list(arrow::struct_({arrow::field("k", arrow::int8())}))),
       arrow::field("t", arrow::timestamp(arrow::TimeUnit::NANO, "Europe/Paris"))});
  const iceberg::Schema made = Get(FromArrow(*schema));
  EXPECT_EQ(iceberg::ToString(*made.fields[0].type), "decimal(38, 0)");
  EXPECT_EQ(made.fields[1].type->id, TypeId::kLong);
  EXPECT_EQ(made.fields[2].type->fields[0].id, 5);
  EXPECT_EQ(made.fields[2].type->fields[0].type->fields[0].id, 6);
  EXPECT_EQ(made.fields[3].type->id, TypeId::kTimestampTz);
  const auto bad = FromArrow(*arrow::schema({arrow::field("span", arrow::month_interval())}));
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message().find("'span'"), std::string::npos);
}

}  // namespace
}  // namespace millrace::table
