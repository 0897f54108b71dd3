#include "app/cell_text.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <limits>

namespace millrace::app {
namespace {

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Column(const std::shared_ptr<arrow::DataType>& type,
                                     const std::vector<Value>& values) {
  Builder builder(type, arrow::default_memory_pool());
  for (const Value& value : values) EXPECT_TRUE(builder.Append(value).ok());
  EXPECT_TRUE(builder.AppendNull().ok());
  return builder.Finish().ValueOrDie();
}

TEST(CellText, NumbersAreFullAndBareInJson) {
  const auto integers =
      Column<arrow::Int64Builder, int64_t>(arrow::int64(), {std::numeric_limits<int64_t>::min()});
  EXPECT_EQ(CellText(*integers, 0), "-9223372036854775808");
  EXPECT_EQ(CellJson(*integers, 0), "-9223372036854775808");
  EXPECT_EQ(CellJson(*integers, 1), "null");
  const auto decimals = Column<arrow::Decimal128Builder, arrow::Decimal128>(
      arrow::decimal128(12, 2), {arrow::Decimal128(-1230)});
  EXPECT_EQ(CellJson(*decimals, 0), "-12.30");
  const auto doubles = Column<arrow::DoubleBuilder, double>(
      arrow::float64(), {0.1, std::numeric_limits<double>::quiet_NaN()});
  EXPECT_EQ(CellJson(*doubles, 0), "0.1");
  EXPECT_EQ(CellJson(*doubles, 1), "\"nan\"");
}

TEST(CellText, TimesAreIso8601) {
  const auto instants =
      Column<arrow::TimestampBuilder, int64_t>(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                               {1'795'559'919'500'000, 1'795'559'919'000'000});
  EXPECT_EQ(CellText(*instants, 0), "2026-11-24T22:38:39.5Z");
  EXPECT_EQ(CellText(*instants, 1), "2026-11-24T22:38:39Z");
  const auto local = Column<arrow::TimestampBuilder, int64_t>(
      arrow::timestamp(arrow::TimeUnit::MICRO), {1'795'559'919'000'001});
  EXPECT_EQ(CellJson(*local, 0), "\"2026-11-24T22:38:39.000001\"");
}

TEST(CellText, TextBytesAndLists) {
  const auto text = Column<arrow::StringBuilder, std::string>(arrow::utf8(), {"a\"b"});
  EXPECT_EQ(CellText(*text, 0), "a\"b");
  EXPECT_EQ(CellJson(*text, 0), "\"a\\\"b\"");
  const auto bytes =
      Column<arrow::BinaryBuilder, std::string>(arrow::binary(), {std::string("\x00\xFF", 2)});
  EXPECT_EQ(CellText(*bytes, 0), "\\x00ff");
  auto values = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), values);
  ASSERT_TRUE(lists.Append().ok());
  ASSERT_TRUE(values->Append(1).ok());
  ASSERT_TRUE(values->AppendNull().ok());
  const auto list = lists.Finish().ValueOrDie();
  EXPECT_EQ(CellText(*list, 0), "[1,null]");
}

}  // namespace
}  // namespace millrace::app
