// Which parts of which tables are read, at first and after a snapshot was broken off.
#include "adapter/source_postgres/snapshot/snapshot_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/source_postgres/snapshot/key_reader.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SnapshotRelation Relation(size_t table, uint32_t oid, int64_t blocks) {
  return {.table = table,
          .name = Format("r{}", oid),
          .oid = oid,
          .file_node = oid,
          .bytes = blocks * 8192};
}
std::vector<std::string> Planned(const std::vector<SnapshotRelation>& relations) {
  std::vector<std::string> shown;
  for (const SnapshotChunk& c : PlanChunks(relations, 8192 * 4, 8192))
    shown.push_back(Format("{} {}..{}", c.relation, c.blocks.first_block, c.blocks.end_block));
  return shown;
}

TEST(SnapshotPlan, CoversEachRelationOnce) {
  EXPECT_THAT(Planned({Relation(0, 1, 0), Relation(1, 2, 10), Relation(2, 3, 4)}),
              ElementsAre("r1 0..-1", "r2 0..4", "r2 4..-1", "r3 0..-1"));
}

TEST(SnapshotPlan, CoversWhatIsUnread) {
  SnapshotRelation relation = Relation(0, 1, 20);
  relation.unread = {{2, 3}, {5, 12}, {18, -1}};
  EXPECT_THAT(Planned({relation}), ElementsAre("r1 2..3", "r1 5..9", "r1 9..12", "r1 18..-1"));
  relation.bytes = 0;  // it shrank
  EXPECT_THAT(Planned({relation}), ElementsAre("r1 2..3", "r1 5..9", "r1 9..12", "r1 18..-1"));
}

TEST(SnapshotPlan, Sql) {
  TableSchema schema;
  schema.columns.resize(2);
  schema.columns[0].name = "a";
  schema.columns[1].name = "b\"c";
  EXPECT_EQ(ChunkSql({0, "s.t", 0, 0, {0, -1}}, schema),
            R"(COPY (SELECT "a","b""c" FROM ONLY s.t) TO STDOUT)");
  EXPECT_EQ(
      ChunkSql({0, "s.t", 0, 0, {4, 8}}, schema),
      R"(COPY (SELECT "a","b""c" FROM ONLY s.t WHERE ctid >= '(4,0)'::tid AND ctid < '(8,0)'::tid) TO STDOUT)");
  EXPECT_EQ(ChunkSql({0, "s.t", 0, 0, {0, 8}}, schema),
            R"(COPY (SELECT "a","b""c" FROM ONLY s.t WHERE ctid < '(8,0)'::tid) TO STDOUT)");
}

TEST(SnapshotPlan, SqlOfKeys) {
  TableSchema schema;
  schema.schema = "s";
  schema.table = "t";
  schema.columns.resize(2);
  schema.columns[0].name = "a";
  schema.columns[0].type_name = "integer";
  schema.columns[0].key_position = 2;
  schema.columns[1].name = "b";
  schema.columns[1].type_name = "text";
  schema.columns[1].key_position = 1;
  EXPECT_EQ(KeysSql(schema, false, {{"it's", "1"}, {"y", "2"}}),
            R"(COPY (SELECT t."a",t."b" FROM (VALUES ('it''s'::text,'1'::integer),)"
            R"(('y'::text,'2'::integer)) k(k0,k1) JOIN ONLY "s"."t" t ON t."b" = k.k0 AND )"
            R"(t."a" = k.k1) TO STDOUT)");
}

// Ranges as Bronze would have them.
std::vector<SnapshotRange> Read(const std::vector<SnapshotRange>& ranges) {
  std::vector<SnapshotRange> all;
  for (const SnapshotRange& range : ranges) AddRange(all, range);
  return all;
}

TEST(SnapshotPlan, RangesJoin) {
  EXPECT_THAT(Read({{1, 1, 5, 4, 8}, {1, 1, 5, 0, 4}, {1, 1, 6, 8, -1}, {2, 2, 5, 0, -1}}),
              ElementsAre(SnapshotRange{1, 1, 5, 0, 8}, SnapshotRange{1, 1, 6, 8, -1},
                          SnapshotRange{2, 2, 5, 0, -1}));
  EXPECT_THAT(Read({{1, 1, 5, 8, -1}, {1, 1, 5, 0, 2}, {1, 1, 5, 2, 9}}),
              ElementsAre(SnapshotRange{1, 1, 5, 0, -1}));
  // Begun anew at 6.
  EXPECT_THAT(Read({{1, 1, 5, 0, -1}, {1, 1, 6, 0, 0}, {1, 1, 6, 4, 8}}),
              ElementsAre(SnapshotRange{1, 1, 6, 4, 8}));
}

TEST(SnapshotPlan, WhatWasReadWholeIsNotReadAgain) {
  std::vector<SnapshotRelation> relations = {Relation(0, 1, 10), Relation(1, 2, 10)};
  const auto read = Read({{1, 1, 5, 0, 4}, {1, 1, 6, 4, -1}});
  EXPECT_EQ(LeaveOutRead(read, 0, true, relations), Remainder::kNothing);
  EXPECT_EQ(LeaveOutRead(read, 1, true, relations), Remainder::kRows);
  EXPECT_THAT(Planned(relations), ElementsAre("r2 0..4", "r2 4..-1"));
  relations[0].file_node = 9;  // rewritten since: its rows may be others
  EXPECT_EQ(LeaveOutRead(read, 0, true, relations), Remainder::kRows);
  EXPECT_THAT(relations[0].unread, ElementsAre(BlockSpan{0, -1}));
}

TEST(SnapshotPlan, ATableThatIsFollowedGoesOn) {
  std::vector<SnapshotRelation> relations = {Relation(0, 1, 10), Relation(0, 2, 10)};
  const auto read = Read({{1, 1, 5, 0, 4}, {2, 2, 5, 0, -1}});
  EXPECT_EQ(LeaveOutRead(read, 0, true, relations), Remainder::kRows);
  EXPECT_THAT(relations[0].unread, ElementsAre(BlockSpan{4, -1}));
  EXPECT_THAT(relations[1].unread, IsEmpty());
  relations[0].file_node = 9;  // rewritten: blocks are others now
  EXPECT_EQ(LeaveOutRead(read, 0, true, relations), Remainder::kRows);
  EXPECT_THAT(relations[0].unread, ElementsAre(BlockSpan{0, -1}));
}

TEST(SnapshotPlan, ATableThatIsNotFollowedBeginsAnew) {
  std::vector<SnapshotRelation> relations = {Relation(0, 1, 10)};
  EXPECT_EQ(LeaveOutRead(Read({{1, 1, 5, 0, 4}}), 0, false, relations), Remainder::kAll);
  EXPECT_THAT(relations[0].unread, ElementsAre(BlockSpan{0, -1}));
  EXPECT_EQ(LeaveOutRead(Read({{1, 1, 5, 0, -1}}), 0, false, relations), Remainder::kNothing);
}

}  // namespace
}  // namespace millrace::postgres
