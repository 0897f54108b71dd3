#include "codec/avro.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/avro_snappy.h"
#include "codec/compression.h"

namespace millrace::avro {
namespace {

json::Value ParseJson(std::string_view text) {
  auto value = json::Parse(text, "test");
  EXPECT_TRUE(value.ok());
  return *value;
}

const char kSchema[] = R"({"type":"record","name":"row","fields":[
  {"name":"id","type":"long","field-id":7},
  {"name":"note","type":["null","string"],"default":null,"field-id":9},
  {"name":"flag","type":"boolean","field-id":1},
  {"name":"half","type":"float","field-id":2},
  {"name":"real","type":"double","field-id":3},
  {"name":"day","type":{"type":"int","logicalType":"date"},"field-id":4},
  {"name":"sum","type":["null",{"type":"fixed","name":"decimal_9_2","size":4}],"field-id":5},
  {"name":"again","type":["null","decimal_9_2"],"field-id":6},
  {"name":"sizes","type":["null",{"type":"array","items":{"type":"record","name":"k1_v2","fields":[
     {"name":"key","type":"int","field-id":11},{"name":"value","type":"bytes","field-id":12}]},"logicalType":"map"}],"field-id":8},
  {"name":"empty","type":{"type":"record","name":"r102","fields":[]},"field-id":10}]})";

Datum Row(int64_t id) {
  std::vector<Datum> items;
  items.push_back(Datum(id));
  items.push_back(id % 2 == 0 ? Datum() : Datum(std::string("note ") + std::to_string(id)));
  items.push_back(Datum(id % 3 == 0));
  items.push_back(Datum(1.5F));
  items.push_back(Datum(-0.25));
  items.push_back(Datum(int64_t{-1}));
  items.push_back(Datum(std::string("\0\0\1\2", 4)));
  items.push_back(Datum());
  items.push_back(Datum::Of({Datum::Of({Datum(int64_t{3}), Datum(std::string("abc"))}),
                             Datum::Of({Datum(int64_t{-4}), Datum(std::string())})}));
  items.push_back(Datum::Of({}));
  return Datum::Of(std::move(items));
}

TEST(Avro, WhatIsWrittenIsReadBackOverManyBlocks) {
  auto writer = Writer::New(ParseJson(kSchema), {{"schema-id", "0"}, {"content", "data"}});
  ASSERT_TRUE(writer.ok()) << writer.error().ToString();
  constexpr int64_t kRows = 5000;  // more than one 64 KiB block
  for (int64_t i = 0; i < kRows; ++i) ASSERT_TRUE((*writer)->Append(Row(i - 10)).ok());
  const auto bytes = (*writer)->Finish();
  ASSERT_TRUE(bytes.ok());

  const auto file = Read(*bytes, "test file");
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  EXPECT_EQ(file->schema, ParseJson(kSchema));
  EXPECT_EQ(file->metadata.at("schema-id"), "0");
  EXPECT_EQ(file->metadata.at("avro.codec"), "deflate");
  ASSERT_EQ(file->records.size(), static_cast<size_t>(kRows));
  const auto& items = file->records[13].items;  // id 3
  EXPECT_EQ(std::get<int64_t>(items[0].scalar), 3);
  EXPECT_EQ(std::get<std::string>(items[1].scalar), "note 3");
  EXPECT_TRUE(std::get<bool>(items[2].scalar));
  EXPECT_EQ(std::get<float>(items[3].scalar), 1.5F);
  EXPECT_EQ(std::get<double>(items[4].scalar), -0.25);
  EXPECT_EQ(std::get<int64_t>(items[5].scalar), -1);
  EXPECT_EQ(std::get<std::string>(items[6].scalar), std::string("\0\0\1\2", 4));
  EXPECT_TRUE(items[7].is_null());
  ASSERT_EQ(items[8].items.size(), 2U);
  EXPECT_EQ(std::get<int64_t>(items[8].items[1].items[0].scalar), -4);
  EXPECT_TRUE(file->records[12].items[1].is_null());
  EXPECT_EQ(std::get<int64_t>(file->records[0].items[0].scalar), -10);
}

TEST(Avro, FieldsAreFoundByIdAlsoThroughUnions) {
  const json::Value schema = ParseJson(kSchema);
  EXPECT_EQ(FieldIndex(schema, 7), 0);
  EXPECT_EQ(FieldIndex(schema, 9), 1);
  EXPECT_EQ(FieldIndex(schema, 99), -1);
  const json::Value& sizes = *schema.Find("fields")->AsArray()[8].Find("type");
  EXPECT_EQ(FieldIndex(*NonNull(sizes).Find("items"), 12), 1);
}

TEST(Avro, ValuesOfAnotherShapeAreRefused) {
  auto writer = Writer::New(ParseJson(kSchema), {});
  ASSERT_TRUE(writer.ok());
  Datum row = Row(1);
  row.items[0] = Datum(std::string("no number"));
  EXPECT_EQ((*writer)->Append(row).error().kind(), ErrorKind::kInternal);
  row = Row(1);
  row.items.pop_back();
  EXPECT_EQ((*writer)->Append(row).error().kind(), ErrorKind::kInternal);
  row = Row(1);
  row.items[5] = Datum(int64_t{1} << 40);  // no int
  EXPECT_EQ((*writer)->Append(row).error().kind(), ErrorKind::kInternal);
}

// No cut and no flipped byte may crash, hang or pass for a whole file: the sync marks and deflate's
// structure notice most, and what they cannot notice must at least stay within bounds.
TEST(Avro, DamagedFilesAreErrorsNotCrashes) {
  auto writer = Writer::New(ParseJson(kSchema), {{"a", "b"}});
  ASSERT_TRUE(writer.ok());
  for (int64_t i = 0; i < 20; ++i) ASSERT_TRUE((*writer)->Append(Row(i)).ok());
  const auto whole = (*writer)->Finish();
  ASSERT_TRUE(whole.ok());
  size_t header_end = 0;
  {
    const auto empty = Writer::New(ParseJson(kSchema), {{"a", "b"}});
    header_end = (*empty)->Finish()->size();
  }
  for (size_t size = 0; size < whole->size(); ++size) {
    if (size == header_end) continue;  // a file without records
    EXPECT_FALSE(Read(whole->substr(0, size), "cut").ok()) << size;
  }
  for (size_t i = 0; i < whole->size(); ++i) {
    std::string flipped = *whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
    (void)Read(flipped, "flipped").ok();
  }
}

// A container of longs, made by hand.
std::string Container(std::string_view codec, std::string_view block, char count) {
  const auto text = [](std::string_view t) {
    return std::string(1, static_cast<char>(t.size() * 2)) + std::string(t);
  };
  const std::string sync(16, 's');
  const std::string schema = R"({"type":"array","items":"long"})";
  return std::string("Obj\x01\x04", 5) + text("avro.schema") + text(schema) + text("avro.codec") +
         text(codec) + '\0' + sync + count + text(block) + sync;
}

TEST(Avro, OtherWritersBlocksAreRead) {
  // An array in two blocks, the first with a negative count and its size in bytes: [1, 2] and [3].
  const std::string array("\x03\x04\x02\x04\x02\x06\x00", 7);
  const auto compressor = NewCompressor(Compression::kZstd, 3);
  ASSERT_TRUE(compressor.ok());
  ByteBuffer zstd;
  ASSERT_TRUE((*compressor)->Write(array, zstd).ok());
  ASSERT_TRUE((*compressor)->Finish(zstd).ok());
  for (const auto& [codec, block] : {std::pair<std::string, std::string>{"null", array},
                                     {"zstandard", std::string(zstd.view())}}) {
    const auto file = Read(Container(codec, block, '\x02'), "by hand");
    ASSERT_TRUE(file.ok()) << file.error().ToString();
    ASSERT_EQ(file->records.size(), 1U);
    ASSERT_EQ(file->records[0].items.size(), 3U);
    EXPECT_EQ(std::get<int64_t>(file->records[0].items[2].scalar), 3);
  }
  EXPECT_EQ(Read(Container("lzma", array, '\x02'), "by hand").error().kind(),
            ErrorKind::kUnsupported);
  EXPECT_EQ(Read(Container("null", array, '\x04'), "by hand").error().kind(),
            ErrorKind::kCorrupt);  // claims two records
}

TEST(Avro, RecursiveSchemasAreRefused) {
  const json::Value schema =
      ParseJson(R"({"type":"record","name":"r","fields":[{"name":"next","type":["null","r"]}]})");
  const auto writer = Writer::New(schema, {});
  ASSERT_FALSE(writer.ok());
  EXPECT_EQ(writer.error().kind(), ErrorKind::kCorrupt);
}

TEST(Avro, BytesAfterADeflateStreamAreIgnored) {
  const auto packed = DeflateRaw("payload");
  ASSERT_TRUE(packed.ok());
  const auto plain =
      InflateRaw(*packed + "\x0b\xad\x01");  // what Python's writers leave of the checksum
  ASSERT_TRUE(plain.ok()) << plain.error().ToString();
  EXPECT_EQ(*plain, "payload");
  EXPECT_FALSE(InflateRaw(packed->substr(0, packed->size() - 1)).ok());
}

TEST(Avro, HostileCountsAreRefusedBeforeMemoryIsTaken) {
  std::string bytes("Obj\x01", 4);
  bytes += "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";  // a map of 2^63-1 entries
  EXPECT_EQ(Read(bytes, "hostile").error().kind(), ErrorKind::kCorrupt);
}

TEST(Avro, SnappyBlocksOfOtherWritersAreRead) {
  // literal "abcd", copy of 8 bytes at offset 4, then "!"; CRC-32 of "abcdabcdabcd!"
  const std::string packed = std::string("\x0d\x0c", 2) + "abcd" + std::string("\x11\x04\x00!", 4);
  const std::string crc = *FromHex("cbbb6019");
  const auto plain = UnpackSnappy(packed + crc, "block");
  ASSERT_TRUE(plain.ok()) << plain.error().ToString();
  EXPECT_EQ(*plain, "abcdabcdabcd!");
  std::string damaged = packed + crc;
  damaged[3] ^= 1;
  EXPECT_FALSE(UnpackSnappy(damaged, "block").ok());
}

}  // namespace
}  // namespace millrace::avro
