#include "adapter/source_postgres/events/value_encoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace millrace::postgres {
namespace {

std::string Encode(const LogicalType& type, std::string_view text, char delimiter = ',') {
  ByteBuffer out;
  EncoderFor(type, delimiter).Encode(text, out);
  return std::string(out.view());
}
LogicalType Scalar(LogicalKind kind) { return {kind, 0, 0, {}}; }
LogicalType ArrayOf(LogicalKind kind) { return {LogicalKind::kArray, 0, 0, {Scalar(kind)}}; }

struct Case {
  LogicalKind kind;
  const char* text;
  const char* json;
};

TEST(ValueEncoder, Scalars) {
  const Case cases[] = {
      {LogicalKind::kBool, "t", "true"},
      {LogicalKind::kBool, "f", "false"},
      {LogicalKind::kInt16, "-32768", "-32768"},
      {LogicalKind::kInt64, "9223372036854775807", "9223372036854775807"},
      {LogicalKind::kOid, "4294967295", "4294967295"},
      {LogicalKind::kFloat32, "3.14159", "3.14159"},
      {LogicalKind::kFloat64, "-0", "-0"},
      {LogicalKind::kFloat64, "1e+21", "1e+21"},
      {LogicalKind::kFloat64, "5e-324", "5e-324"},
      {LogicalKind::kFloat64, "NaN", "\"NaN\""},
      {LogicalKind::kFloat64, "-Infinity", "\"-Infinity\""},
      {LogicalKind::kNumeric, "12.30", "\"12.30\""},
      {LogicalKind::kNumeric, "NaN", "\"NaN\""},
      {LogicalKind::kText, "", "\"\""},
      {LogicalKind::kText, "tab\tnl\n\x01 \"q\" \\ \b\f\r\x1f\x7f",
       "\"tab\\tnl\\n\\u0001 \\\"q\\\" \\\\ \\b\\f\\r\\u001F\x7f\""},
      {LogicalKind::kBytes, "\\x", "\"\""},
      {LogicalKind::kBytes, "\\xdeadbeef00ff", "\"3q2+7wD/\""},
      {LogicalKind::kBytes, "\\x00", "\"AA==\""},
      {LogicalKind::kBytes, "\\x0001", "\"AAE=\""},
      {LogicalKind::kBytes, "\\xzz", "\"\\\\xzz\""},
      {LogicalKind::kDate, "1970-01-01", "0"},
      {LogicalKind::kDate, "2024-02-29", "19782"},
      {LogicalKind::kDate, "0044-03-15 BC", "-735160"},
      {LogicalKind::kDate, "4713-01-01 BC", "-2440550"},
      {LogicalKind::kDate, "5874897-12-31", "2145042905"},
      {LogicalKind::kDate, "infinity", "\"infinity\""},
      {LogicalKind::kTime, "00:00:00", "0"},
      {LogicalKind::kTime, "12:34:56.789", "45296789000"},
      {LogicalKind::kTime, "24:00:00", "86400000000"},
      {LogicalKind::kTimestamp, "1970-01-01 00:00:00", "0"},
      {LogicalKind::kTimestamp, "1969-12-31 23:59:59.5", "-500000"},
      {LogicalKind::kTimestamp, "2024-02-29 12:34:56.789012", "1709210096789012"},
      {LogicalKind::kTimestamp, "0044-03-15 12:00:00 BC", "-63517780800000000"},
      {LogicalKind::kTimestamp, "294247-01-10 04:00:54.775807", "9223372036854775807"},
      {LogicalKind::kTimestamp, "294247-01-10 04:00:54.775808", "\"294247-01-10 04:00:54.775808\""},
      {LogicalKind::kTimestamp, "-infinity", "\"-infinity\""},
      {LogicalKind::kTimestampTz, "2025-06-30 10:00:00.123456+00",
       "\"2025-06-30T10:00:00.123456Z\""},
      {LogicalKind::kTimestampTz, "2025-06-30 10:00:00+00", "\"2025-06-30T10:00:00.000000Z\""},
      {LogicalKind::kTimestampTz, "2025-06-30 10:00:00.5+00", "\"2025-06-30T10:00:00.500000Z\""},
      {LogicalKind::kTimestampTz, "0044-03-15 12:00:00+00 BC", "\"0044-03-15 12:00:00+00 BC\""},
      {LogicalKind::kTimestampTz, "12345-03-15 12:00:00+00", "\"12345-03-15 12:00:00+00\""},
      {LogicalKind::kTimestampTz, "2025-06-30 10:00:00+02", "\"2025-06-30 10:00:00+02\""},
      {LogicalKind::kTimestampTz, "infinity", "\"infinity\""},
      {LogicalKind::kUuid, "123e4567-e89b-12d3-a456-426614174000",
       "\"123e4567-e89b-12d3-a456-426614174000\""},
      {LogicalKind::kJson, "{\"a\": [1, null]}", "\"{\\\"a\\\": [1, null]}\""},
      {LogicalKind::kOpaque, "<(1,2),3>", "\"<(1,2),3>\""},
  };
  for (const Case& c : cases)
    EXPECT_EQ(Encode(Scalar(c.kind), c.text), c.json) << KindName(c.kind) << " " << c.text;
}

TEST(ValueEncoder, WhatIsNotOfTheTypeIsAString) {
  for (const LogicalKind kind : {LogicalKind::kBool, LogicalKind::kInt32, LogicalKind::kFloat64,
                                 LogicalKind::kDate, LogicalKind::kTime, LogicalKind::kTimestamp,
                                 LogicalKind::kTimestampTz, LogicalKind::kBytes}) {
    for (const char* text :
         {"", "-", "x", "01", "1.", ".5", "1e", "2024-13-01", "2024-01-01x", "25:00:00",
          "12:00:00.", "12:00:00.1234567", "2024-01-01 ", "2024-01-01 00:00:00 AD", "\\x1"}) {
      EXPECT_EQ(Encode(Scalar(kind), text), Encode(Scalar(LogicalKind::kText), text))
          << KindName(kind) << " '" << text << "'";
    }
  }
}

TEST(ValueEncoder, Arrays) {
  const Case cases[] = {
      {LogicalKind::kInt32, "{}", "[]"},
      {LogicalKind::kInt32, "{1,NULL,-3}", "[1,null,-3]"},
      {LogicalKind::kBool, "{t,f,NULL}", "[true,false,null]"},
      {LogicalKind::kText, R"({"a,b","q\"q",NULL,"","NULL",x})",
       R"(["a,b","q\"q",null,"","NULL","x"])"},
      {LogicalKind::kText, R"({"back\\slash","{}"})", R"(["back\\slash","{}"])"},
      {LogicalKind::kFloat64, "{1.1,NaN,Infinity}", R"([1.1,"NaN","Infinity"])"},
      {LogicalKind::kNumeric, "{1.10,NULL}", R"(["1.10",null])"},
      {LogicalKind::kNumeric, "{1.10,NaN}", R"("{1.10,NaN}")"},
      {LogicalKind::kDate, "{2024-01-01,1970-01-01}", "[19723,0]"},
      {LogicalKind::kDate, "{2024-01-01,infinity}", R"("{2024-01-01,infinity}")"},
      {LogicalKind::kTime, "{24:00:00}", R"("{24:00:00}")"},
      {LogicalKind::kTimestampTz, R"({"2024-02-29 12:34:56.789012+00"})",
       R"(["2024-02-29T12:34:56.789012Z"])"},
      {LogicalKind::kBytes, R"({"\\xdead","\\xbeef"})", R"(["3q0=","vu8="])"},
      {LogicalKind::kInt32, "{{1,2},{3,4}}", R"("{{1,2},{3,4}}")"},
      {LogicalKind::kInt32, "[2:3]={1,2}", R"("[2:3]={1,2}")"},
      {LogicalKind::kInt32, "{1,}", R"("{1,}")"},
      {LogicalKind::kText, "{\"a}", R"("{\"a}")"},
      {LogicalKind::kText, "{", R"("{")"},
  };
  for (const Case& c : cases) EXPECT_EQ(Encode(ArrayOf(c.kind), c.text), c.json) << c.text;
  EXPECT_EQ(Encode(ArrayOf(LogicalKind::kOpaque), "{(1,1),(0,0);(2,2),(1,1)}", ';'),
            R"j(["(1,1),(0,0)","(2,2),(1,1)"])j");
}

TEST(ValueEncoder, AnyBytesGiveOneValue) {
  std::mt19937 random(1);
  const std::string_view alphabet = "{}\",\\NUL0123456789-:+. eExBCinfty[]=;t";
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    for (size_t n = random() % 24; n > 0; --n) text += alphabet[random() % alphabet.size()];
    for (int kind = 0; kind <= static_cast<int>(LogicalKind::kOpaque); ++kind) {
      if (static_cast<LogicalKind>(kind) == LogicalKind::kArray) continue;
      const std::string scalar = Encode(Scalar(static_cast<LogicalKind>(kind)), text);
      ASSERT_FALSE(scalar.empty());
    }
    const std::string array = Encode(ArrayOf(LogicalKind::kText), text);
    ASSERT_TRUE((array.front() == '[' && array.back() == ']') ||
                (array.front() == '"' && array.back() == '"'))
        << text;
  }
}

}  // namespace
}  // namespace millrace::postgres
