#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/byte_buffer.h"
#include "base/format.h"
#include "codec/hash.h"
#include "pipeline/silver/column_builder.h"
#include "pipeline/silver/event_decoder.h"
#include "pipeline/silver/key_codec.h"
#include "pipeline/silver/key_index.h"
#include "pipeline/silver/key_links.h"
#include "pipeline/silver/silver_fixture.h"
#include "pipeline/silver/type_mapping.h"
#include "pipeline/silver/value_parse.h"

namespace millrace::silver {
namespace {

TEST(ValueParseTest, Decimals) {
  EXPECT_EQ(ParseDecimal("12.30", 4, 2), iceberg::Int128(1230));
  EXPECT_EQ(ParseDecimal("-0.05", 4, 2), iceberg::Int128(-5));
  EXPECT_EQ(ParseDecimal("7", 4, 2), iceberg::Int128(700));
  EXPECT_EQ(ParseDecimal("1.5000", 4, 2), iceberg::Int128(150));  // zeros are no rounding
  EXPECT_EQ(ParseDecimal("1.505", 4, 2), std::nullopt);
  EXPECT_EQ(ParseDecimal("100.00", 4, 2), std::nullopt);
  EXPECT_EQ(ParseDecimal("NaN", 4, 2), std::nullopt);
  EXPECT_EQ(ParseDecimal("", 4, 2), std::nullopt);
  EXPECT_EQ(ParseDecimal("1.2.3", 9, 2), std::nullopt);
  const std::string nines(38, '9');
  ASSERT_TRUE(ParseDecimal(nines, 38, 0).has_value());
  EXPECT_EQ(ParseDecimal(nines + "9", 38, 0), std::nullopt);
  EXPECT_EQ(ParseDecimal("0" + nines, 38, 0), ParseDecimal(nines, 38, 0));
  EXPECT_EQ(ParseDecimal(nines, 38, 1), std::nullopt);
}

TEST(ValueParseTest, TimestampTz) {
  EXPECT_EQ(ParseTimestampTz("1970-01-02T00:00:01.000002Z"), kMicrosPerDay + kMicrosPerSecond + 2);
  EXPECT_EQ(ParseTimestampTz("0001-01-01T00:00:00.000000Z"),
            DaysFromCivil({1, 1, 1}) * kMicrosPerDay);
  EXPECT_EQ(ParseTimestampTz("infinity"), std::nullopt);
  EXPECT_EQ(ParseTimestampTz("10000-01-01 00:00:00+00"), std::nullopt);
  EXPECT_EQ(ParseTimestampTz("0044-03-15 00:00:00+00 BC "), std::nullopt);
}

JsonScalar Text(std::string_view text) {
  JsonScalar scalar;
  scalar.kind = JsonScalar::Kind::kString;
  scalar.text = text;
  return scalar;
}
JsonScalar Number(int64_t value) {
  JsonScalar scalar;
  scalar.kind = JsonScalar::Kind::kInteger;
  scalar.integer = value;
  return scalar;
}

// What a column makes of one value: "value|text". `column`: its type, if it is not that of `type`.
std::string Held(const LogicalType& type, const JsonScalar& value,
                 const LogicalType* column = nullptr) {
  auto builder = ColumnBuilder::New(type, IcebergTypeOf(column == nullptr ? type : *column));
  EXPECT_TRUE(builder.ok());
  builder->AppendNull();  // the text column has to catch up with rows before it
  if (const Status added = builder->Append(value); !added.ok())
    return std::string(PolicyOf(added.error().kind()).name);
  std::shared_ptr<arrow::Array> values, text;
  EXPECT_TRUE(builder->Finish(&values, &text).ok());
  EXPECT_EQ(values->length(), 2);
  EXPECT_TRUE(text == nullptr || text->length() == 2);
  return (*values->GetScalar(1))->ToString() + "|" +
         (text ? (*text->GetScalar(1))->ToString() : "-");
}

TEST(ColumnBuilderTest, ValuesThatTheIcebergTypeCannotHoldGoToTheTextColumn) {
  EXPECT_EQ(Held(TestType(LogicalKind::kNumeric, 12, 2), Text("1.50")), "1.50|-");
  EXPECT_EQ(Held(TestType(LogicalKind::kNumeric, 12, 2), Text("NaN")), "null|NaN");
  EXPECT_EQ(Held(TestType(LogicalKind::kNumeric), Text("0.1234567890123456789")),
            "null|0.1234567890123456789");
  EXPECT_EQ(Held(TestType(LogicalKind::kDate), Text("infinity")), "null|infinity");
  EXPECT_EQ(Held(TestType(LogicalKind::kTime), Number(kMicrosPerDay)), "null|24:00:00");
  EXPECT_EQ(Held(TestType(LogicalKind::kTimestampTz), Text("infinity")), "null|infinity");
  EXPECT_EQ(Held(TestType(LogicalKind::kTimestamp), Text("-infinity")), "null|-infinity");
  EXPECT_EQ(Held(TestType(LogicalKind::kFloat64), Text("NaN")), "nan|-");
  EXPECT_EQ(Held(TestType(LogicalKind::kBytes), Text("AAE=")), std::string("\0\1|-", 4));
  LogicalType array = TestType(LogicalKind::kArray);
  array.element.push_back(TestType(LogicalKind::kNumeric, 3, 1));
  EXPECT_EQ(Held(array, Text("{{1,2},{3,4}}")), "null|{{1,2},{3,4}}");
  const std::vector<JsonScalar> fits = {Text("1.5"), JsonScalar(), Text("2.0")},
                                wide = {Text("1.5"), Text("1000.0")};
  JsonScalar list;
  list.kind = JsonScalar::Kind::kArray;
  list.elements = &fits;
  EXPECT_EQ(Held(array, list).substr(0, 5), "list<");
  list.elements = &wide;
  EXPECT_EQ(Held(array, list), "null|{1.5,1000.0}");
}

TEST(ColumnBuilderTest, ValuesOfAnotherTypeAreHeldWhereTheyAreTheSame) {
  const LogicalType text = TestType(LogicalKind::kText), number = TestType(LogicalKind::kInt32),
                    numeric = TestType(LogicalKind::kNumeric, 10, 2),
                    date = TestType(LogicalKind::kDate);
  EXPECT_EQ(Held(text, Text("-5"), &number), "-5|-");
  EXPECT_EQ(Held(text, Text("007"), &number), "null|007");
  EXPECT_EQ(Held(text, Text("99999999999"), &number), "null|99999999999");
  EXPECT_EQ(Held(text, Text("many"), &number), "null|many");
  EXPECT_EQ(Held(number, Number(5), &text), "5|-");
  EXPECT_EQ(Held(number, Number(5), &numeric), "5.00|-");
  EXPECT_EQ(Held(TestType(LogicalKind::kNumeric), Text("1.25"), &numeric), "1.25|-");
  EXPECT_EQ(Held(TestType(LogicalKind::kNumeric), Text("1.255"), &numeric), "null|1.255");
  EXPECT_EQ(Held(date, Number(5), &number), "null|5");  // days, which only the event tells
  EXPECT_EQ(Held(text, Text("2025-01-01"), &date), "null|2025-01-01");
}

TEST(ColumnBuilderTest, ForeignValuesAreRefusedAndNotGuessed) {
  EXPECT_EQ(Held(TestType(LogicalKind::kInt32), Text("7")), "corrupt");
  EXPECT_EQ(Held(TestType(LogicalKind::kInt32), Number(1LL << 40)), "corrupt");
  EXPECT_EQ(Held(TestType(LogicalKind::kBool), Number(1)), "corrupt");
  EXPECT_EQ(Held(TestType(LogicalKind::kNumeric, 12, 2), Text("12abc")), "corrupt");
  EXPECT_EQ(Held(TestType(LogicalKind::kFloat64), Text("fast")), "corrupt");
  EXPECT_EQ(Held(TestType(LogicalKind::kBytes), Text("=?")), "corrupt");
}

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> Column(Builder&& builder, const std::vector<T>& values) {
  for (const T& value : values) EXPECT_TRUE(builder.Append(value).ok());
  return *builder.Finish();
}

TEST(KeyCodecTest, BytesAreInTheOrderOfTheValues) {
  const auto numbers = Column(arrow::Int64Builder(),
                              std::vector<int64_t>{INT64_MIN, -5, -1, 0, 1, 255, 256, INT64_MAX});
  const auto keys = EncodeKeys({numbers}, {TextRule::kAsIs}, false);
  ASSERT_TRUE(keys.ok());
  for (int64_t i = 1; i < keys->rows; ++i) EXPECT_LT((*keys)[i - 1], (*keys)[i]);
  using namespace std::string_literals;
  const auto texts =
      Column(arrow::StringBuilder(),
             std::vector<std::string>{"", "\0"s, "\0a"s, "a", "a\0"s, "a\0b"s, "aa", "b"});
  const auto text_keys = EncodeKeys({texts, texts}, {TextRule::kAsIs, TextRule::kAsIs}, false);
  ASSERT_TRUE(text_keys.ok());
  for (int64_t i = 1; i < text_keys->rows; ++i) EXPECT_LT((*text_keys)[i - 1], (*text_keys)[i]);
}

TEST(KeyCodecTest, TextsOfTwoColumnsDoNotRunIntoEachOther) {
  const auto left = Column(arrow::StringBuilder(), std::vector<std::string>{"a", "ab"});
  const auto right = Column(arrow::StringBuilder(), std::vector<std::string>{"bc", "c"});
  const auto keys = EncodeKeys({left, right}, {TextRule::kAsIs, TextRule::kAsIs}, false);
  ASSERT_TRUE(keys.ok());
  EXPECT_NE((*keys)[0], (*keys)[1]);
}

TEST(KeyCodecTest, EqualAsPostgresSaysNotByBytes) {
  const auto floats =
      Column(arrow::DoubleBuilder(), std::vector<double>{0.0, -0.0, std::nan("1"), std::nan("2")});
  const auto keys = EncodeKeys({floats}, {TextRule::kAsIs}, false);
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ((*keys)[0], (*keys)[1]);
  EXPECT_EQ((*keys)[2], (*keys)[3]);
  // Whole rows are what PostgreSQL prints.
  const auto rows = EncodeKeys({floats}, {TextRule::kAsIs}, true);
  ASSERT_TRUE(rows.ok());
  EXPECT_NE((*rows)[0], (*rows)[1]);
  EXPECT_EQ((*rows)[2], (*rows)[3]);
  const auto padded = Column(arrow::StringBuilder(), std::vector<std::string>{"x  ", "x"});
  const auto cut = EncodeKeys({padded}, {TextRule::kCutTrailingBlanks}, false);
  EXPECT_EQ((*cut)[0], (*cut)[1]);
}

TEST(KeyCodecTest, NullIsNoKeyButAValueOfAWholeRow) {
  arrow::Int64Builder builder;
  ASSERT_TRUE(builder.AppendNull().ok());
  ASSERT_TRUE(builder.Append(0).ok());
  const auto column = *builder.Finish();
  EXPECT_EQ(EncodeKeys({column}, {TextRule::kAsIs}, false).error().kind(), ErrorKind::kCorrupt);
  const auto rows = EncodeKeys({column}, {TextRule::kAsIs}, true);
  ASSERT_TRUE(rows.ok());
  EXPECT_NE((*rows)[0], (*rows)[1]);
}

TEST(KeyIndexTest, FindsWhatWasInsertedAndNothingElse) {
  KeyIndex index;
  for (int i = 0; i < 20'000; ++i) EXPECT_EQ(index.Insert(Format("key {}", i)), i);
  EXPECT_EQ(index.Insert("key 77"), 77);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(index.Find(Format("key {}", i)), i);
  EXPECT_EQ(index.Find("key 20000"), -1);
  EXPECT_EQ(index[123], "key 123");
}

TEST(KeyLinksTest, WhatIsLinkedIsOneSetHoweverManyThereAre) {
  KeyLinks links;
  EXPECT_EQ(links.SetOf(7), std::nullopt);
  const auto hash = [](uint64_t i) { return HashBytes(std::to_string(i)); };
  constexpr uint64_t kKeys = 20'000;
  // Every key with the one ten on: ten sets.
  for (uint64_t i = 0; i + 10 < kKeys; ++i) links.Link(hash(i + 10), hash(i));
  std::set<uint64_t> sets;
  for (uint64_t i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(links.SetOf(hash(i)).has_value());
    EXPECT_EQ(links.SetOf(hash(i)), links.SetOf(hash(i % 10)));
    sets.insert(*links.SetOf(hash(i)));
  }
  EXPECT_EQ(sets.size(), 10u);
  EXPECT_EQ(links.SetOf(hash(kKeys)), std::nullopt);
  links.Link(0, hash(1));  // 0 is a hash as any other
  EXPECT_EQ(links.SetOf(0), links.SetOf(hash(1)));
}

TEST(TypeMappingTest, NumericShapes) {
  const auto name = [](int precision, int scale) {
    return iceberg::ToString(*IcebergTypeOf(TestType(LogicalKind::kNumeric, precision, scale)));
  };
  EXPECT_EQ(name(12, 2), iceberg::ToString(*iceberg::Decimal(12, 2)));
  EXPECT_EQ(name(0, 0), iceberg::ToString(*iceberg::Decimal(38, 18)));
  EXPECT_EQ(name(5, -2), iceberg::ToString(*iceberg::Decimal(7, 0)));
  EXPECT_EQ(name(2, 5), iceberg::ToString(*iceberg::Decimal(5, 5)));
  EXPECT_EQ(name(50, 3), iceberg::ToString(*iceberg::Decimal(38, 3)));
}

TEST(TypeMappingTest, KeysNeedACanonicalForm) {
  const auto usable = [](LogicalKind kind, const std::string& type_name) {
    return CheckKeyType(TestColumn(1, "k", TestType(kind), type_name, 1)).ok();
  };
  EXPECT_TRUE(usable(LogicalKind::kNumeric, "numeric"));
  EXPECT_TRUE(usable(LogicalKind::kText, "text"));
  EXPECT_TRUE(usable(LogicalKind::kOpaque, "inet"));
  EXPECT_FALSE(usable(LogicalKind::kText, "citext"));
  EXPECT_FALSE(usable(LogicalKind::kOpaque, "interval"));
  EXPECT_FALSE(usable(LogicalKind::kJson, "jsonb"));
}

Result<DecodedFile> Decode(std::string text) {
  const auto made = LayOut(OrdersSchema());
  EXPECT_TRUE(made.ok());
  std::vector<iceberg::TypePtr> types;
  for (const SilverColumn& column : made->layout.columns)
    types.push_back(made->schema.FindById(column.field_id)->type);
  const size_t size = text.size();
  text.resize(size + kDecodePadding);
  return DecodeEvents(std::string_view(text).substr(0, size), 0, made->layout, types,
                      OrdersSchema(), "x.jsonl");
}
std::string Line(const std::string& key, const std::string& after, const std::string& op) {
  return Format(
      R"({{"offset":1,"timestamp":1,"key":{},"value":{{"before":null,"after":{},"source":{{"ts_us":5,"commit_lsn":9,"ordinal":2}},)"
      R"("transaction":null,"op":"{}"}},"headers":null}})"
      "\n",
      key, after, op);
}

TEST(EventDecoderTest, DecodesAnEvent) {
  const auto file =
      Decode(Line(R"({"id":7})", R"({"id":7,"name":"\u00e9\n","amount":"1.50"})", "c"));
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  ASSERT_EQ(file->events.size(), 1u);
  EXPECT_EQ(file->events[0].position, (EventPosition{9, 2}));
  EXPECT_EQ(file->events[0].time, 5);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*file->values[1]).GetView(0), "\xC3\xA9\n");
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*file->keys[0]).Value(0), 7);
}

TEST(EventDecoderTest, AnAbsentMemberIsMissingAndNullIsNull) {
  const auto file = Decode(Line(R"({"id":7})", R"({"id":7,"amount":null})", "u"));
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  ASSERT_EQ(file->events[0].missing, 0);
  EXPECT_EQ(file->missing[0], 0b010u);
}

TEST(EventDecoderTest, DamageIsNamedWithoutValues) {
  for (const std::string& line :
       {Line(R"({"id":7})", R"({"id":"secret","name":null,"amount":null})", "c"),
        Line(R"({"id":7})", R"({"id":7,"name":null,"amount":null,"other":"secret"})", "c"),
        Line("null", R"({"id":7,"name":"secret","amount":null})", "c"),
        Line(R"({"id":7})", "null", "c"),
        Line(R"({"id":7})", R"({"id":7,"name":"secret","amount":null})", "x"),
        std::string(R"({"offset":1,"timestamp":1,"key":{"id":7},"value":{"before":nul)")}) {
    const auto file = Decode(line);
    ASSERT_FALSE(file.ok()) << line;
    EXPECT_EQ(file.error().kind(), ErrorKind::kCorrupt);
    EXPECT_NE(file.error().message().find("x.jsonl"), std::string::npos);
    EXPECT_EQ(file.error().message().find("secret"), std::string::npos) << file.error().message();
  }
}

TEST(EventDecoderTest, PartsOfAFileCoverItExactly) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += Format("line number {} of the file\n", i);
  std::string joined;
  const auto parts = SplitLines(text, 2);
  EXPECT_EQ(parts.size(), 1u);  // too small to be worth it
  text += text + text + text;
  for (const std::string_view part : SplitLines(text, 2)) {
    EXPECT_EQ(part.back(), '\n');
    joined += part;
  }
  EXPECT_EQ(SplitLines(text, 2).size(), 2u);
  EXPECT_EQ(joined, text);
}

}  // namespace
}  // namespace millrace::silver
