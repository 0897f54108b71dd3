#include "iceberg/literal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/text.h"

namespace millrace::iceberg {
namespace {

std::string Hex(const Literal& value, const TypePtr& type) { return ToHex(ToBytes(value, *type)); }

// Spec Appendix D.
TEST(Literal, BinaryFormIsTheSpecs) {
  EXPECT_EQ(Hex(false, Primitive(TypeId::kBoolean)), "00");
  EXPECT_EQ(Hex(true, Primitive(TypeId::kBoolean)), "01");
  EXPECT_EQ(Hex(int32_t{1}, Primitive(TypeId::kInt)), "01000000");
  EXPECT_EQ(Hex(int64_t{-2}, Primitive(TypeId::kLong)), "feffffffffffffff");
  EXPECT_EQ(Hex(int32_t{17501}, Primitive(TypeId::kDate)), "5d440000");
  EXPECT_EQ(Hex(1.0F, Primitive(TypeId::kFloat)), "0000803f");
  EXPECT_EQ(Hex(1.0, Primitive(TypeId::kDouble)), "000000000000f03f");
  EXPECT_EQ(Hex(std::string("\xc3\xa9"), Primitive(TypeId::kString)), "c3a9");
  EXPECT_EQ(Hex(Int128{0}, Decimal(9, 2)), "00");
  EXPECT_EQ(Hex(Int128{1420}, Decimal(9, 2)), "058c");
  EXPECT_EQ(Hex(Int128{-1}, Decimal(9, 2)), "ff");
  EXPECT_EQ(Hex(Int128{128}, Decimal(9, 2)), "0080");
  EXPECT_EQ(Hex(Int128{-128}, Decimal(9, 2)), "80");
  EXPECT_EQ(Hex(Int128{-129}, Decimal(9, 2)), "ff7f");
}

TEST(Literal, BytesComeBack) {
  Int128 big = 1;
  for (int i = 0; i < 37; ++i) big *= 10;
  const std::pair<Literal, TypePtr> cases[] = {
      {true, Primitive(TypeId::kBoolean)},
      {std::numeric_limits<int32_t>::min(), Primitive(TypeId::kInt)},
      {std::numeric_limits<int64_t>::min(), Primitive(TypeId::kTimestampTz)},
      {-0.0, Primitive(TypeId::kDouble)},
      {big * 9 + 1, Decimal(38, 18)},
      {-big * 9 - 1, Decimal(38, 18)},
      {std::string("0123456789abcdef"), Primitive(TypeId::kUuid)},
      {std::string("\0x", 2), Primitive(TypeId::kBinary)}};
  for (const auto& [value, type] : cases) {
    const auto back = FromBytes(ToBytes(value, *type), *type);
    ASSERT_TRUE(back.has_value()) << ToString(*type);
    EXPECT_TRUE(Compare(*back, value) == 0) << ToString(*type);
  }
}

TEST(Literal, PromotedBoundsAreReadByTheirLength) {
  EXPECT_EQ(FromBytes(std::string("\xff\xff\xff\xff", 4), *Primitive(TypeId::kLong)),
            Literal(int64_t{-1}));
  EXPECT_EQ(FromBytes(ToBytes(1.5F, *Primitive(TypeId::kFloat)), *Primitive(TypeId::kDouble)),
            Literal(1.5));
  EXPECT_EQ(FromBytes("abc", *Primitive(TypeId::kLong)), std::nullopt);
  EXPECT_EQ(FromBytes("", *Decimal(9, 2)), std::nullopt);
  EXPECT_EQ(FromBytes(std::string("\xff\xff\xff\xff", 4), *Primitive(TypeId::kTimestamp)),
            std::nullopt);
}

TEST(Literal, DecimalsLongerThanSixteenBytesMustOnlyRepeatTheSign) {
  EXPECT_EQ(*DecimalFromBytes(std::string(20, '\xff')), Int128{-1});
  EXPECT_EQ(*DecimalFromBytes(std::string(19, '\0') + "\5"), Int128{5});
  EXPECT_FALSE(DecimalFromBytes("\1" + std::string(16, '\0')).has_value());
  EXPECT_FALSE(DecimalFromBytes(std::string(1, '\0') + std::string(16, '\xff')).has_value());
}

TEST(Literal, OrderIsTheSpecs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(Compare(-0.0, 0.0) < 0);
  EXPECT_TRUE(Compare(0.0, -0.0) > 0);
  EXPECT_TRUE(Compare(inf, nan) < 0);
  EXPECT_TRUE(Compare(-nan, nan) == 0);
  EXPECT_TRUE(Compare(-inf, -1.0) < 0);
  EXPECT_TRUE(Compare(std::string("z"), std::string("\xc3\xa9")) < 0);  // unsigned bytes
  EXPECT_TRUE(Compare(std::string("a"), std::string("ab")) < 0);
  EXPECT_TRUE(Compare(int32_t{-1}, int64_t{1} << 40) < 0);  // promoted
  EXPECT_TRUE(Compare(Int128{-1}, Int128{1}) < 0);
  EXPECT_TRUE(Compare(false, true) < 0);
}

TEST(Literal, DecimalWidthIsJavas) {
  const std::pair<int, size_t> cases[] = {{1, 1}, {2, 1},  {3, 2},  {4, 2},  {5, 3},
                                          {9, 4}, {10, 5}, {18, 8}, {19, 9}, {38, 16}};
  for (const auto& [precision, bytes] : cases)
    EXPECT_EQ(DecimalRequiredBytes(precision), bytes) << precision;
}

constexpr std::string_view kMaxCodePoint = "\xf4\x8f\xbf\xbf";  // U+10FFFF

std::optional<std::string> Upper(std::string_view value) {
  return TruncateUpper(value, *Primitive(TypeId::kString));
}
std::string Lower(std::string_view value) {
  return TruncateLower(value, *Primitive(TypeId::kString));
}

TEST(Truncate, ShortStringsStayWhole) {
  EXPECT_EQ(Lower("0123456789abcdef"), "0123456789abcdef");
  EXPECT_EQ(Upper("0123456789abcdef"), "0123456789abcdef");
  EXPECT_EQ(Upper(""), "");
  std::string sixteen;  // 16 code points of 4 bytes each
  for (int i = 0; i < 16; ++i) sixteen += "\xf0\x9f\x98\x80";
  EXPECT_EQ(Upper(sixteen), sixteen);
}

TEST(Truncate, CutsAtCodePointsAndIncrementsTheLast) {
  const std::string fifteen(15, 'a');
  EXPECT_EQ(Lower(fifteen + "bc"), fifteen + "b");
  EXPECT_EQ(Upper(fifteen + "bc"), fifteen + "c");
  EXPECT_EQ(Lower(fifteen + "\xc3\xa9x"), fifteen + "\xc3\xa9");
  EXPECT_EQ(Upper(fifteen + "\xc3\xa9x"), fifteen + "\xc3\xaa");
  EXPECT_EQ(Upper(fifteen + "\x7fx"), fifteen + "\xc2\x80");          // grows from one byte to two
  EXPECT_EQ(Upper(fifteen + "\xdf\xbfx"), fifteen + "\xe0\xa0\x80");  // two to three
  EXPECT_EQ(Upper(fifteen + "\xef\xbf\xbfx"), fifteen + "\xf0\x90\x80\x80");  // three to four
  EXPECT_EQ(Upper(fifteen + "\xed\x9f\xbfx"),
            fifteen + "\xee\x80\x80");  // U+D7FF: surrogates are skipped
}

TEST(Truncate, CarriesOverTheHighestCodePointOrGivesUp) {
  const std::string max(kMaxCodePoint);
  EXPECT_EQ(Upper(std::string(14, 'a') + "b" + max + "x"), std::string(14, 'a') + "c");
  EXPECT_EQ(Upper(std::string(13, 'a') + "b" + max + max + "x"), std::string(13, 'a') + "c");
  std::string only_max;
  for (int i = 0; i < 17; ++i) only_max += max;
  EXPECT_EQ(Upper(only_max), std::nullopt);
}

TEST(Truncate, BytesThatAreNoUtf8StillGiveValidBounds) {
  EXPECT_EQ(Lower("ab\xff\xff"), "ab");
  EXPECT_EQ(Upper("ab\xff\xff"), "ac");
  EXPECT_EQ(Upper("\xff"), std::nullopt);
  EXPECT_EQ(Lower("a\xed\xa0\x80"), "a");  // an encoded surrogate
  EXPECT_EQ(Lower("a\xc0\x80"), "a");      // overlong
}

// S2 for any text: lower <= value <= upper, in bytes.
TEST(Truncate, BoundsEnclose) {
  uint32_t state = 12345;
  const auto next = [&state](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  const std::string_view pieces[] = {
      "a", "\x7f", "\xc3\xa9", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", kMaxCodePoint};
  for (int i = 0; i < 5000; ++i) {
    std::string value;
    for (uint32_t n = next(24); n > 0; --n) value += pieces[next(std::size(pieces))];
    EXPECT_LE(Lower(value), value);
    const auto upper = Upper(value);
    if (upper) {
      EXPECT_GE(*upper, value);
    }
  }
}

TEST(Truncate, BinaryIsCutAtBytesAndOthersNotAtAll) {
  const TypePtr type = Primitive(TypeId::kBinary);
  const Type& binary = *type;
  const std::string fifteen(15, '\x01');
  EXPECT_EQ(TruncateLower(fifteen + "\x02\x03", binary), fifteen + "\x02");
  EXPECT_EQ(TruncateUpper(fifteen + "\x02\x03", binary), fifteen + "\x03");
  EXPECT_EQ(TruncateUpper(fifteen + "\xff\x03", binary), std::string(14, '\x01') + "\x02");
  EXPECT_EQ(TruncateUpper(std::string(17, '\xff'), binary), std::nullopt);
  const std::string twenty(20, 'x');
  EXPECT_EQ(TruncateUpper(twenty, *Fixed(20)), twenty);
}

}  // namespace
}  // namespace millrace::iceberg
