#include "iceberg/partition.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/text.h"
#include "base/time.h"
#include "codec/hash.h"

namespace millrace::iceberg {
namespace {

Literal Transformed(std::string_view transform, const Literal& value, const TypePtr& source) {
  const auto parsed = ParseTransform(transform);
  EXPECT_TRUE(parsed.ok());
  const auto result = Apply(*parsed, value, *source);
  EXPECT_TRUE(result.ok()) << result.error().ToString();
  return result.ok() ? *result : Literal();
}

int64_t MicrosOf(std::string_view text) { return *ParseTimestamp(text); }
int32_t Hash(const Literal& value, const TypePtr& type) {
  return std::get<int32_t>(Transformed("bucket[2147483647]", value, type));
}

// Spec Appendix B, masked to the 31 bits that buckets use (the modulus leaves all but the largest
// value alone).
TEST(Transform, BucketHashesAreTheSpecs) {
  const auto masked = [](int64_t hash) {
    return static_cast<int32_t>(static_cast<uint32_t>(hash) & 0x7fffffffU);
  };
  EXPECT_EQ(Hash(int32_t{34}, Primitive(TypeId::kInt)), 2017239379);
  EXPECT_EQ(Hash(int64_t{34}, Primitive(TypeId::kLong)), 2017239379);
  EXPECT_EQ(Hash(Int128{1420}, Decimal(9, 2)), masked(-500754589));
  EXPECT_EQ(Hash(int32_t{17486}, Primitive(TypeId::kDate)), masked(-653330422));  // 2017-11-16
  EXPECT_EQ(Hash(int64_t{81068000000}, Primitive(TypeId::kTime)), masked(-662762989));  // 22:31:08
  EXPECT_EQ(Hash(MicrosOf("2017-11-16T22:31:08"), Primitive(TypeId::kTimestamp)),
            masked(-2047944441));
  EXPECT_EQ(Hash(MicrosOf("2017-11-16T22:31:08.000001"), Primitive(TypeId::kTimestamp)),
            masked(-1207196810));
  EXPECT_EQ(Hash(MicrosOf("2017-11-16T14:31:08-08:00"), Primitive(TypeId::kTimestampTz)),
            masked(-2047944441));
  EXPECT_EQ(Hash(std::string("iceberg"), Primitive(TypeId::kString)), 1210000089);
  EXPECT_EQ(Hash(*FromHex("f79c3e09677c4bbda4793f349cb785e7"), Primitive(TypeId::kUuid)),
            1488055340);
  EXPECT_EQ(Hash(std::string("\0\1\2\3", 4), Fixed(4)), masked(-188683207));
  EXPECT_EQ(Hash(std::string("\0\1\2\3", 4), Primitive(TypeId::kBinary)), masked(-188683207));
}

TEST(Transform, BucketsAreNeverNegative) {
  EXPECT_EQ(Transformed("bucket[16]", int32_t{34}, Primitive(TypeId::kInt)),
            Literal(int32_t{2017239379 % 16}));
  for (int32_t i = 0; i < 1000; ++i) {
    const auto bucket = std::get<int32_t>(Transformed("bucket[7]", i, Primitive(TypeId::kInt)));
    EXPECT_GE(bucket, 0);
    EXPECT_LT(bucket, 7);
  }
}

TEST(Transform, TruncateGoesDownAlsoBelowZero) {
  EXPECT_EQ(Transformed("truncate[10]", int32_t{1}, Primitive(TypeId::kInt)), Literal(int32_t{0}));
  EXPECT_EQ(Transformed("truncate[10]", int32_t{-1}, Primitive(TypeId::kInt)),
            Literal(int32_t{-10}));
  EXPECT_EQ(Transformed("truncate[10]", int64_t{-10}, Primitive(TypeId::kLong)),
            Literal(int64_t{-10}));
  EXPECT_EQ(Transformed("truncate[50]", Int128{1065}, Decimal(9, 2)), Literal(Int128{1050}));
  EXPECT_EQ(Transformed("truncate[50]", Int128{-1}, Decimal(9, 2)), Literal(Int128{-50}));
  EXPECT_EQ(Transformed("truncate[3]", std::string("iceberg"), Primitive(TypeId::kString)),
            Literal(std::string("ice")));
  EXPECT_EQ(
      Transformed("truncate[2]", std::string("\xc3\xa9\xc3\xa9x"), Primitive(TypeId::kString)),
      Literal(std::string("\xc3\xa9\xc3\xa9")));
  EXPECT_EQ(
      Transformed("truncate[2]", std::string("\xc3\xa9\xc3\xa9x"), Primitive(TypeId::kBinary)),
      Literal(std::string("\xc3\xa9")));
  // wraps at the end of the type, as Java does
  EXPECT_EQ(
      Transformed("truncate[10]", std::numeric_limits<int64_t>::min(), Primitive(TypeId::kLong)),
      Literal(std::numeric_limits<int64_t>::max() - 1));
}

TEST(Transform, TimeUnitsCountFromTheEpochAndFloor) {
  const TypePtr ts = Primitive(TypeId::kTimestampTz);
  const Literal late = MicrosOf("2017-11-16T22:31:08Z");
  EXPECT_EQ(Transformed("year", late, ts), Literal(int32_t{47}));
  EXPECT_EQ(Transformed("month", late, ts), Literal(int32_t{47 * 12 + 10}));
  EXPECT_EQ(Transformed("day", late, ts), Literal(int32_t{17486}));
  EXPECT_EQ(Transformed("hour", late, ts), Literal(int32_t{17486 * 24 + 22}));
  const Literal before = MicrosOf("1969-12-31T23:59:59.999999Z");
  for (const char* unit : {"year", "month", "day", "hour"})
    EXPECT_EQ(Transformed(unit, before, ts), Literal(int32_t{-1}));
  EXPECT_EQ(Transformed("month", int32_t{-1}, Primitive(TypeId::kDate)), Literal(int32_t{-1}));
  EXPECT_EQ(ResultType(*ParseTransform("day"), ts)->id, TypeId::kDate);
  EXPECT_EQ(ResultType(*ParseTransform("hour"), ts)->id, TypeId::kInt);
}

TEST(Transform, NullsAndVoidGiveNullAndWrongTypesAreRefused) {
  EXPECT_TRUE(IsNull(Transformed("bucket[4]", Literal(), Primitive(TypeId::kInt))));
  EXPECT_TRUE(IsNull(Transformed("void", int32_t{1}, Primitive(TypeId::kInt))));
  EXPECT_EQ(Apply(*ParseTransform("hour"), int32_t{1}, *Primitive(TypeId::kDate)).error().kind(),
            ErrorKind::kUnsupported);
  EXPECT_EQ(Apply(*ParseTransform("bucket[4]"), 1.0, *Primitive(TypeId::kDouble)).error().kind(),
            ErrorKind::kUnsupported);
  EXPECT_EQ(
      Apply(*ParseTransform("year"), int32_t{1}, *Primitive(TypeId::kTimestamp)).error().kind(),
      ErrorKind::kInternal);
}

TEST(Transform, NamesRoundTrip) {
  for (const char* name :
       {"identity", "void", "year", "month", "day", "hour", "bucket[16]", "truncate[4]"}) {
    EXPECT_EQ(ToString(*ParseTransform(name)), name);
  }
  for (const char* name :
       {"bucket[0]", "bucket[-1]", "bucket[x]", "bucket", "zorder", "truncate[1"}) {
    EXPECT_EQ(ParseTransform(name).error().kind(), ErrorKind::kUnsupported) << name;
  }
}

Schema TwoColumns(const TypePtr& first, const TypePtr& second) {
  Schema schema;
  schema.fields = {{1, "a", false, first, ""}, {2, "b", false, second, ""}};
  return schema;
}

PartitionSpec TwoFields(std::string_view first, std::string_view second) {
  PartitionSpec spec;
  spec.spec_id = 3;
  spec.fields = {{1, 1000, "a", *ParseTransform(first)}, {2, 1001, "b x", *ParseTransform(second)}};
  return spec;
}

TEST(PartitionSpec, JsonRoundTrips) {
  const PartitionSpec spec = TwoFields("identity", "bucket[8]");
  EXPECT_EQ(
      json::Write(ToJson(spec)),
      R"({"spec-id":3,"fields":[{"name":"a","transform":"identity","source-id":1,"field-id":1000},)"
      R"({"name":"b x","transform":"bucket[8]","source-id":2,"field-id":1001}]})");
  const auto back = PartitionSpecFromJson(ToJson(spec));
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(SameFields(*back, spec));
  EXPECT_EQ(back->spec_id, 3);
  EXPECT_EQ(LastFieldId(spec), 1001);
  EXPECT_EQ(LastFieldId(PartitionSpec()), 999);
}

TEST(PartitionPath, IsEscapedAndReadable) {
  const TypePtr ts = Primitive(TypeId::kTimestampTz);
  EXPECT_EQ(PartitionPath(TwoFields("identity", "day"), TwoColumns(Primitive(TypeId::kBoolean), ts),
                          {true, int32_t{17486}}),
            "a=true/b+x=2017-11-16");
  EXPECT_EQ(PartitionPath(TwoFields("identity", "hour"), TwoColumns(Primitive(TypeId::kString), ts),
                          {std::string("x/y=\xc3\xa9"), int32_t{-1}}),
            "a=x%2Fy%3D%C3%A9/b+x=1969-12-31-23");
  EXPECT_EQ(
      PartitionPath(TwoFields("year", "month"), TwoColumns(ts, ts), {int32_t{47}, int32_t{-1}}),
      "a=2017/b+x=1969-12");
  EXPECT_EQ(PartitionPath(TwoFields("identity", "identity"), TwoColumns(Decimal(9, 2), ts),
                          {Int128{-5}, Literal()}),
            "a=-0.05/b+x=null");
  EXPECT_EQ(PartitionPath(TwoFields("identity", "bucket[4]"), TwoColumns(ts, ts),
                          {MicrosOf("2017-11-16T22:31:08.5Z"), int32_t{2}}),
            "a=2017-11-16T22%3A31%3A08.5%2B00%3A00/b+x=2");
  EXPECT_EQ(PartitionPath(PartitionSpec(), Schema(), {}), "");
}

}  // namespace
}  // namespace millrace::iceberg
