#include <gtest/gtest.h>

#include "model/bronze_commit.h"
#include "model/position.h"
#include "model/table_schema.h"

namespace millrace {
namespace {

TEST(Lsn, ReadsWhatItWrites) {
  EXPECT_EQ(FormatLsn(0x16B374D848), "16/B374D848");
  EXPECT_EQ(FormatLsn(0), "0/0");
  EXPECT_EQ(*ParseLsn("16/B374D848"), Lsn{0x16B374D848});
  EXPECT_EQ(*ParseLsn("FFFFFFFF/ffffffff"), ~Lsn{0});
  for (const char* bad :
       {"", "/", "1/", "/1", "16", "1/2/3", "G/0", "1/123456789", "-1/0", "1 /0"}) {
    EXPECT_FALSE(ParseLsn(bad).ok()) << bad;
  }
}

TEST(Position, OrdersByCommitThenOrdinal) {
  EXPECT_LT((EventPosition{5, 9}), (EventPosition{6, 0}));
  EXPECT_LT((EventPosition{6, 0}), (EventPosition{6, 1}));
}

SourcePosition SamplePosition() {
  return {.system_id = 18446744073709551615u,
          .timeline = 2,
          .last = {0x16B3748, 3},
          .resume_lsn = 0x16B3780,
          .commit_time = 77};
}

TEST(Position, KeepsAllOfItselfInJson) {
  const std::string text = json::Write(ToJson(SamplePosition()));
  EXPECT_EQ(
      text,
      R"({"kind":"pg","system_id":"18446744073709551615","timeline":2,"commit_lsn":"0/16B3748","ordinal":3,)"
      R"("resume_lsn":"0/16B3780","commit_time":77})");
  const auto back = SourcePositionFromJson(*json::Parse(text, "t"));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(json::Write(ToJson(*back)), text);
  EXPECT_EQ(SourcePositionFromJson(*json::Parse(R"({"kind":"kafka"})", "t")).error().kind(),
            ErrorKind::kUnsupported);
}

TableSchema SampleSchema() {
  TableSchema schema{.relation_oid = 4000000000u,
                     .schema = "public",
                     .table = "t",
                     .replica_identity = ReplicaIdentity::kFull,
                     .columns = {}};
  schema.columns.push_back({.attnum = 1,
                            .name = "b",
                            .type_oid = 1700,
                            .typmod = 786438,
                            .type_name = "numeric(12,2)",
                            .type = {LogicalKind::kNumeric, 12, 2, {}},
                            .not_null = true,
                            .key_position = 2});
  schema.columns.push_back({.attnum = 3,
                            .name = "a",
                            .type_oid = 1007,
                            .typmod = -1,
                            .type_name = "integer[]",
                            .type = {LogicalKind::kArray, 0, 0, {{LogicalKind::kInt32, 0, 0, {}}}},
                            .not_null = false,
                            .key_position = 1});
  return schema;
}

TEST(TableSchema, KeepsAllOfItselfInJson) {
  const TableSchema schema = SampleSchema();
  const auto back = TableSchemaFromJson(*json::Parse(json::Write(ToJson(schema)), "t"));
  ASSERT_TRUE(back.ok()) << back.error().ToString();
  EXPECT_EQ(json::Write(ToJson(*back)), json::Write(ToJson(schema)));
  EXPECT_EQ(back->columns[0].type, schema.columns[0].type);
  EXPECT_EQ(back->columns[1].type, schema.columns[1].type);
  EXPECT_EQ(back->replica_identity, ReplicaIdentity::kFull);
}

TEST(TableSchema, FingerprintTellsVersionsApart) {
  TableSchema schema = SampleSchema();
  const std::string before = Fingerprint(schema);
  EXPECT_EQ(before.size(), 16u);
  EXPECT_EQ(before, Fingerprint(SampleSchema()));
  schema.columns[0].not_null = false;
  EXPECT_NE(before, Fingerprint(schema));
}

TEST(TableSchema, KeyColumnsComeInKeyOrder) {
  const TableSchema schema = SampleSchema();
  const auto key = schema.KeyColumns();
  ASSERT_EQ(key.size(), 2u);
  EXPECT_EQ(key[0]->name, "a");
  EXPECT_EQ(key[1]->name, "b");
}

TEST(TopicName, ReplacesWhatKafkaDoesNotTake) {
  EXPECT_EQ(TopicName("srv", "public", "orders"), "srv.public.orders");
  EXPECT_EQ(TopicName("srv", "public",
                      "Weird T\xC3\xA4"
                      "ble"),
            "srv.public.Weird_T_ble");
}

TEST(BronzeCommit, KeepsAllOfItselfInJson) {
  BronzeCommit commit{.number = 42,
                      .epoch = 7,
                      .writer = "w",
                      .created_at = 5,
                      .source = "srv",
                      .slot = "millrace",
                      .position = SamplePosition(),
                      .snapshot = SnapshotState::kDone,
                      .files = {}};
  commit.files.push_back({.path = "p",
                          .topic = "srv.public.t",
                          .partition = 0,
                          .first_offset = 10,
                          .last_offset = 12,
                          .records = 3,
                          .bytes = 99,
                          .sha256 = "ab",
                          .schema = "cd",
                          .compression = Compression::kGzip,
                          .min_timestamp_ms = 1,
                          .max_timestamp_ms = 2,
                          .snapshot = true,
                          .anew = true});
  commit.snapshot_ranges = {{1, 2, 3, 0, 4}, {5, 6, 7, 8, -1}};
  const std::string text = json::Write(ToJson(commit));
  const auto back = BronzeCommitFromJson(*json::Parse(text, "t"), "t");
  ASSERT_TRUE(back.ok()) << back.error().ToString();
  EXPECT_EQ(json::Write(ToJson(*back)), text);
  EXPECT_EQ(back->files[0].compression, Compression::kGzip);
  EXPECT_EQ(back->snapshot_ranges, commit.snapshot_ranges);
  commit.position.reset();
  const auto without = BronzeCommitFromJson(ToJson(commit), "t");
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->position.has_value());
}

TEST(BronzeCommit, DamageIsToldByName) {
  const auto bad = BronzeCommitFromJson(*json::Parse(R"({"number":1})", "t"), "_commits/1.json");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().kind(), ErrorKind::kCorrupt);
  EXPECT_NE(bad.error().message().find("_commits/1.json"), std::string::npos);
}

TEST(Paths, AreAsTheFormatSays) {
  EXPECT_EQ(CommitPath(42), "_commits/00000000000000000042.json");
  EXPECT_EQ(SchemaPath("a.b.c", "0123"), "_schemas/a.b.c/0123.json");
  EXPECT_EQ(BronzeFilePath("a.b.c", 0, 5, 7, 0x1a2b3c4d, *ParseTimestamp("2026-11-24 22:38:39"),
                           Compression::kZstd),
            "a.b.c/2026-11-24/22/a.b.c+0+00000000000000000005+7-1a2b3c4d.jsonl.zst");
}

}  // namespace
}  // namespace millrace
