#include "adapter/source_postgres/tables/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::postgres {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kInt = 23, kBigint = 20, kText = 25;

RelationColumn Col(std::string name, uint32_t type = kInt) {
  return {.name = std::move(name), .type_oid = type, .typmod = -1, .identity = false};
}
LiveColumn Live(int16_t attnum, std::string name, uint32_t type = kInt) {
  return {.attnum = attnum,
          .name = std::move(name),
          .type_oid = type,
          .typmod = -1,
          .dropped = false,
          .not_null = false,
          .generated = false};
}
LiveColumn Dropped(int16_t attnum) {
  LiveColumn column = Live(attnum, "........pg.dropped........", 0);
  column.dropped = true;
  return column;
}
LiveColumn Generated(int16_t attnum, std::string name) {
  LiveColumn column = Live(attnum, std::move(name));
  column.generated = true;
  column.streamed = false;
  return column;
}
TableSchema Known(std::vector<std::tuple<int16_t, std::string, uint32_t>> columns) {
  TableSchema schema{.relation_oid = 1,
                     .schema = "public",
                     .table = "t",
                     .replica_identity = ReplicaIdentity::kDefault,
                     .columns = {}};
  for (auto& [attnum, name, type] : columns) {
    SourceColumn column;
    column.attnum = attnum;
    column.name = name;
    column.type_oid = type;
    schema.columns.push_back(column);
  }
  return schema;
}
std::vector<int16_t> Match(const TableSchema* previous, std::vector<RelationColumn> relation,
                           std::vector<LiveColumn> live) {
  const auto result = ReconcileColumns("public.t", previous, relation, live);
  if (!result.ok()) {
    EXPECT_EQ(result.error().kind(), ErrorKind::kUnsupported);
    EXPECT_NE(result.error().message().find("public.t"), std::string::npos);
    return {-1};
  }
  return *result;
}
const std::vector<int16_t> kRefused = {-1};

TEST(Reconcile, NothingChanged) {
  EXPECT_THAT(Match(nullptr, {Col("a"), Col("b")}, {Live(1, "a"), Live(2, "b")}),
              ElementsAre(1, 2));
  EXPECT_THAT(Match(nullptr, {Col("a"), Col("c")}, {Live(1, "a"), Dropped(2), Live(3, "c")}),
              ElementsAre(1, 3));
}

TEST(Reconcile, GeneratedColumnsAreNotStreamed) {
  EXPECT_THAT(Match(nullptr, {Col("a"), Col("c")}, {Live(1, "a"), Generated(2, "g"), Live(3, "c")}),
              ElementsAre(1, 3));
}

TEST(Reconcile, AdditionsComeLast) {
  EXPECT_THAT(Match(nullptr, {Col("a")}, {Live(1, "a"), Live(2, "added later")}), ElementsAre(1));
}

TEST(Reconcile, ARenameKeepsItsPlace) {
  const TableSchema known = Known({{1, "a", kInt}, {2, "b", kInt}});
  // Seen after the rename, and before it while the catalog is ahead.
  EXPECT_THAT(Match(&known, {Col("a"), Col("c")}, {Live(1, "a"), Live(2, "c")}), ElementsAre(1, 2));
  EXPECT_THAT(Match(&known, {Col("a"), Col("b")}, {Live(1, "a"), Live(2, "c")}), ElementsAre(1, 2));
  // Two columns that swapped their names.
  EXPECT_THAT(Match(&known, {Col("b"), Col("a")}, {Live(1, "b"), Live(2, "a")}), ElementsAre(1, 2));
  // Renamed twice, seen in between.
  EXPECT_THAT(Match(&known, {Col("a"), Col("x")}, {Live(1, "a"), Live(2, "c")}), ElementsAre(1, 2));
}

TEST(Reconcile, ADropSeenBeforeAndAfter) {
  const TableSchema known = Known({{1, "a", kInt}, {2, "b", kInt}, {3, "c", kInt}});
  EXPECT_THAT(
      Match(&known, {Col("a"), Col("b"), Col("c")}, {Live(1, "a"), Dropped(2), Live(3, "c")}),
      ElementsAre(1, 2, 3));
  EXPECT_THAT(Match(&known, {Col("a"), Col("c")}, {Live(1, "a"), Dropped(2), Live(3, "c")}),
              ElementsAre(1, 3));
}

TEST(Reconcile, ARetypedColumnIsFoundByItsName) {
  const TableSchema known = Known({{1, "a", kInt}, {3, "c", kInt}});
  EXPECT_THAT(
      Match(&known, {Col("a"), Col("c", kBigint)}, {Live(1, "a"), Dropped(2), Live(3, "c", kText)}),
      ElementsAre(1, 3));
}

TEST(Reconcile, DropAndAddUnderTheSameName) {
  const TableSchema known = Known({{1, "a", kInt}, {2, "b", kInt}});
  const std::vector<LiveColumn> live = {Live(1, "a"), Dropped(2), Live(3, "b", kText)};
  EXPECT_THAT(Match(&known, {Col("a"), Col("b", kText)}, live), ElementsAre(1, 3));
  EXPECT_THAT(Match(&known, {Col("a"), Col("b", kInt)}, live), ElementsAre(1, 2));
  // Of the same type there is no telling.
  EXPECT_EQ(Match(&known, {Col("a"), Col("b")}, {Live(1, "a"), Dropped(2), Live(3, "b")}),
            kRefused);
}

TEST(Reconcile, WithoutAKnownVersionADroppedColumnMayBeAnything) {
  EXPECT_EQ(Match(nullptr, {Col("a"), Col("b")}, {Live(1, "a"), Dropped(2), Live(3, "c")}),
            kRefused);
}

TEST(Reconcile, WhatWasGoneBeforeCannotComeBack) {
  // Column 3 was seen, and then no more. A fourth one, which the catalog has under a later name, is
  // not it.
  const TableSchema known = Known({{1, "a", kInt}, {2, "b", kInt}});
  const std::vector<LiveColumn> live = {Live(1, "a"), Live(2, "b"), Dropped(3), Live(4, "g")};
  const std::vector<RelationColumn> relation = {Col("a"), Col("b"), Col("f")};
  EXPECT_EQ(Match(&known, relation, live), kRefused);
  EXPECT_THAT(Match(&known, relation, WithoutLongGone(live, &known, 3)), ElementsAre(1, 2, 4));
  EXPECT_EQ(WithoutLongGone(live, &known, 2).size(), 4u);
  EXPECT_EQ(WithoutLongGone(live, nullptr, 3).size(), 4u);
}

TEST(Reconcile, ColumnsThatCannotBeAreRefused) {
  EXPECT_EQ(Match(nullptr, {Col("a"), Col("b")}, {Live(1, "a")}), kRefused);
}

TEST(Reconcile, ATableThatIsGone) {
  const TableSchema known = Known({{1, "a", kInt}, {3, "c", kInt}});
  EXPECT_THAT(Match(nullptr, {Col("x"), Col("y")}, {}), ElementsAre(1, 2));
  EXPECT_THAT(Match(&known, {Col("a"), Col("c"), Col("d")}, {}), ElementsAre(1, 3, 4));
  EXPECT_EQ(Match(&known, {Col("c"), Col("a")}, {}), kRefused);
}

TEST(Reconcile, ManyDroppedColumnsStayCheap) {
  std::vector<LiveColumn> live;
  std::vector<RelationColumn> relation;
  for (int16_t i = 1; i <= 1600; ++i) {
    if (i % 2 == 0) {
      live.push_back(Dropped(i));
    } else {
      live.push_back(Live(i, "c" + std::to_string(i)));
      relation.push_back(Col("c" + std::to_string(i)));
    }
  }
  const auto attnums = Match(nullptr, relation, live);
  ASSERT_EQ(attnums.size(), 800u);
  EXPECT_EQ(attnums.back(), 1599);
}

}  // namespace
}  // namespace millrace::postgres
