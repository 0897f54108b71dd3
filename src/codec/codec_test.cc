#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/compression.h"
#include "codec/hash.h"
#include "codec/json.h"

namespace millrace {
namespace {

TEST(Json, KeepsMemberOrderAnd64BitIntegers) {
  const std::string text =
      R"({"z":9223372036854775807,"a":18446744073709551615,"n":-1,"f":1.5,"s":"\u00e9\n","l":[true,null]})";
  auto value = json::Parse(text, "test");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(json::Write(*value),
            "{\"z\":9223372036854775807,\"a\":18446744073709551615,\"n\":-1,\"f\":1.5,\"s\":"
            "\"é\\n\",\"l\":[true,null]}");
}

TEST(Json, SaysWhatIsWrong) {
  auto broken = json::Parse("{\"a\":", "the file");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().kind(), ErrorKind::kCorrupt);
  EXPECT_NE(broken.error().message().find("the file"), std::string::npos);
  auto value = json::Parse(R"({"a":"x"})", "t");
  ASSERT_TRUE(value.ok());
  EXPECT_FALSE(value->Int("a").ok());
  EXPECT_FALSE(value->String("b").ok());
  EXPECT_EQ(*value->IntOr("b", 7), 7);
}

// Every byte at every place of a vector-sized text, against a plain reference.
TEST(Json, QuotesEveryByte) {
  for (size_t length : {1u, 15u, 16u, 17u, 40u}) {
    for (int c = 0; c < 128; ++c) {
      for (size_t at = 0; at < length; ++at) {
        std::string text(length, 'x');
        text[at] = static_cast<char>(c);
        ByteBuffer out;
        json::AppendQuoted(out, text);
        auto back = json::Parse(out.view(), "quoted");
        ASSERT_TRUE(back.ok()) << c;
        ASSERT_EQ(back->AsString(), text);
      }
    }
  }
  ByteBuffer out;
  json::AppendQuoted(out, std::string_view("\x01\x1f\b\"\\/é", 8));
  EXPECT_EQ(out.view(), "\"\\u0001\\u001F\\b\\\"\\\\/é\"");
}

// The vector, word and byte paths must agree: every special character at every place of strings of
// every length around the block sizes.
TEST(Json, QuotesAtEveryPlace) {
  for (size_t n = 0; n < 70; ++n) {
    for (size_t place = 0; place < n; ++place) {
      for (const char special : {'"', '\\', '\n', '\x01', '\x1f', ' ', '\x7f', '\xc3'}) {
        std::string text(n, 'a');
        text[place] = special;
        std::string expected = "\"" + text.substr(0, place);
        switch (special) {
          case '"':
            expected += "\\\"";
            break;
          case '\\':
            expected += "\\\\";
            break;
          case '\n':
            expected += "\\n";
            break;
          case '\x01':
            expected += "\\u0001";
            break;
          case '\x1f':
            expected += "\\u001F";
            break;
          default:
            expected += special;
        }
        expected += text.substr(place + 1) + "\"";
        ByteBuffer out;
        json::AppendQuoted(out, text);
        ASSERT_EQ(out.view(), expected) << n << " " << place;
      }
    }
  }
}

TEST(Json, QuotesLongTextInPieces) {
  std::string text(100'000, '"');
  ByteBuffer out;
  json::AppendQuoted(out, text);
  ASSERT_EQ(out.size(), 200'002u);
  EXPECT_EQ(out.view().substr(0, 5), "\"\\\"\\\"");
  EXPECT_EQ(out.view().back(), '"');
}

TEST(Compression, RoundTripsAndDetectsDamage) {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  for (Compression c : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    auto compressor = NewCompressor(c, 1);
    ASSERT_TRUE(compressor.ok());
    ByteBuffer stored;
    for (int frame = 0; frame < 2; ++frame) {  // two frames, one after another
      (*compressor)->Reset();
      for (size_t i = 0; i < text.size(); i += 10000)
        ASSERT_TRUE((*compressor)->Write(std::string_view(text).substr(i, 10000), stored).ok());
      ASSERT_TRUE((*compressor)->Finish(stored).ok());
    }
    ByteBuffer back;
    ASSERT_TRUE(Decompress(c, stored.view(), back).ok());
    EXPECT_EQ(back.view(), text + text);
    if (c == Compression::kNone) continue;
    back.Clear();
    EXPECT_EQ(Decompress(c, stored.view().substr(0, stored.size() - 3), back).error().kind(),
              ErrorKind::kCorrupt);
    std::string damaged(stored.view());
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x40);
    back.Clear();
    EXPECT_FALSE(Decompress(c, damaged, back).ok());
  }
  EXPECT_EQ(*InflateRaw(*DeflateRaw(text)), text);
}

TEST(Hash, KnownVectors) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Murmur3("iceberg"), 1210000089u);  // Iceberg spec, Appendix B
  EXPECT_EQ(Murmur3(std::string_view("\x22\0\0\0\0\0\0\0", 8)), 2017239379u);
  EXPECT_NE(HashBytes("a"), HashBytes("b"));
}

TEST(Text, Base64AndHexGoBack) {
  for (std::string_view text : {"", "f", "fo", "foo", "foob"}) {
    EXPECT_EQ(FromBase64(ToBase64(text)), text);
    EXPECT_EQ(FromHex(ToHex(text)), text);
  }
  EXPECT_EQ(ToBase64("foob"), "Zm9vYg==");
  EXPECT_FALSE(FromBase64("Zm9v*g==").has_value());
  EXPECT_FALSE(FromHex("abc").has_value());
}

}  // namespace
}  // namespace millrace
