#include "pipeline/silver/fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/silver/multiset_fold.h"

namespace millrace::silver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Rows whose contents are a number; row -> content.
class NumberedRows final : public FoldRows {
 public:
  explicit NumberedRows(std::vector<int> contents) : contents_(std::move(contents)) {}
  bool Equal(int64_t a, int64_t b) const override {
    return contents_[static_cast<size_t>(a)] == contents_[static_cast<size_t>(b)];
  }
  void Inherit(int64_t row, int32_t, int64_t from) override { inherited.emplace_back(row, from); }
  std::vector<std::pair<int64_t, int64_t>> inherited;

 private:
  std::vector<int> contents_;
};

Event At(Lsn lsn, int64_t ordinal, char op, int32_t key, int32_t row = -1) {
  Event event;
  event.position = {lsn, ordinal};
  event.time = static_cast<Micros>(lsn) * 10;
  event.op = op;
  event.snapshot = ordinal < 0;
  event.key = key;
  event.row = row;
  return event;
}

struct Brief {
  int32_t key;
  int64_t row;
  int32_t version;
  Micros valid_from, valid_to;
  bool closed, deleted;
  char op;
  bool operator==(const Brief&) const = default;
};
std::vector<Brief> Of(const FoldResult& result) {
  std::vector<Brief> out;
  for (const Version& v : result.versions) {
    out.push_back({v.key, v.row, v.version, v.valid_from, v.valid_to, v.closed, v.deleted, v.op});
  }
  return out;
}
std::ostream& operator<<(std::ostream& out, const Brief& b) {
  return out << "key " << b.key << " row " << b.row << " version " << b.version << " ["
             << b.valid_from << "," << b.valid_to << ") closed " << b.closed << " deleted "
             << b.deleted << " " << b.op;
}

FoldResult Folded(const std::vector<Event>& events, std::vector<KeyState> keys, NumberedRows rows) {
  auto result = Fold(events, keys, {}, rows);
  EXPECT_TRUE(result.ok());
  return *result;
}

KeyState Open(int64_t row, int32_t version, Micros valid_from, EventPosition from) {
  return {.row = row, .version = version, .floor = valid_from, .fence = from};
}

TEST(FoldTest, AChainWithinABatch) {
  const auto result = Folded({At(1, 0, 'c', 0, 0), At(2, 0, 'u', 0, 1), At(3, 0, 'd', 0)},
                             {KeyState()}, NumberedRows({10, 11}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 0, 1, 10, 20, true, false, 'c'},
                                      Brief{0, 1, 2, 20, 30, true, true, 'u'}));
  EXPECT_THAT(result.closings, IsEmpty());
}

TEST(FoldTest, OneTransactionMakesOneVersion) {
  const auto result = Folded({At(1, 0, 'c', 0, 0), At(1, 1, 'u', 0, 1), At(1, 2, 'u', 0, 2)},
                             {KeyState()}, NumberedRows({10, 11, 12}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 2, 1, 10, 0, false, false, 'c'}));
  EXPECT_EQ(result.versions[0].from, (EventPosition{1, 2}));
}

TEST(FoldTest, InsertAndDeleteInOneTransactionLeaveNothing) {
  EXPECT_THAT(Of(Folded({At(1, 0, 'c', 0, 0), At(1, 1, 'd', 0)}, {KeyState()}, NumberedRows({10}))),
              IsEmpty());
}

TEST(FoldTest, DeleteAndInsertOfAnEqualRowIsNoChange) {
  const auto result = Folded({At(5, 0, 'd', 0), At(5, 1, 'c', 0, 0)}, {Open(1, 3, 7, {1, 0})},
                             NumberedRows({10, 10}));
  EXPECT_THAT(Of(result), IsEmpty());
  EXPECT_THAT(result.closings, IsEmpty());
  EXPECT_EQ(result.unchanged, 1);
}

TEST(FoldTest, DeleteAndInsertOfAnotherRowIsOneVersion) {
  const auto result = Folded({At(5, 0, 'd', 0), At(5, 1, 'c', 0, 0)}, {Open(1, 3, 7, {1, 0})},
                             NumberedRows({10, 11}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 0, 4, 50, 0, false, false, 'u'}));
  ASSERT_EQ(result.closings.size(), 1u);
  EXPECT_FALSE(result.closings[0].deleted);
  EXPECT_EQ(result.closings[0].valid_to, 50);
  EXPECT_EQ(result.closings[0].to, (EventPosition{5, 1}));
}

TEST(FoldTest, CommitTimesThatRunBackwardsMakeEmptyIntervals) {
  const auto result = Folded({At(5, 0, 'u', 0, 0), At(6, 0, 'd', 0)}, {Open(1, 1, 1000, {1, 0})},
                             NumberedRows({10, 11}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 0, 2, 1000, 1000, true, true, 'u'}));
  EXPECT_EQ(result.closings[0].valid_to, 1000);
}

TEST(FoldTest, AClosedKeyGoesOnCounting) {
  const KeyState closed{.row = -1, .version = 4, .floor = 70, .fence = {3, 0}};
  EXPECT_THAT(Of(Folded({At(5, 0, 'c', 0, 0)}, {closed}, NumberedRows({10}))),
              ElementsAre(Brief{0, 0, 5, 70, 0, false, false, 'c'}));
}

TEST(FoldTest, ReplaysAreDropped) {
  const auto result = Folded({At(1, 0, 'c', 0, 0), At(2, 0, 'u', 0, 1), At(3, 0, 'u', 0, 2)},
                             {Open(3, 2, 20, {2, 0})}, NumberedRows({10, 11, 12, 11}));
  EXPECT_EQ(result.replays, 2);
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 2, 3, 30, 0, false, false, 'u'}));
}

TEST(FoldTest, TheSameEventTwiceInABatchCountsOnce) {
  const auto result =
      Folded({At(1, 0, 'c', 0, 0), At(1, 0, 'c', 0, 1)}, {KeyState()}, NumberedRows({10, 10}));
  EXPECT_EQ(result.replays, 1);
  EXPECT_EQ(result.versions.size(), 1u);
}

TEST(FoldTest, TruncateClosesWhatIsOpenAndSparesWhatCameAfter) {
  const auto result = Folded({At(1, 0, 'c', 0, 0), At(4, 0, 't', -1), At(5, 0, 'c', 0, 1)},
                             {KeyState(), Open(2, 1, 5, {4, 1})}, NumberedRows({10, 11, 12}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 0, 1, 10, 40, true, true, 'c'},
                                      Brief{0, 1, 2, 50, 0, false, false, 'c'}));
  EXPECT_THAT(result.closings, IsEmpty());  // key 1 began at (4,1), after the truncate
}

TEST(FoldTest, TwoRowsThatTradeTheirKeysInOneTransaction) {
  // Deferred constraint: 1 -> 2 while 2 is still there, then 2 -> 1.
  Event to_two = At(9, 1, 'c', 1, 0), to_one = At(9, 3, 'c', 0, 1);
  to_two.old_key = 0;
  to_one.old_key = 1;
  const auto result =
      Folded({At(9, 0, 'd', 0), to_two, At(9, 2, 'd', 1), to_one},
             {Open(2, 1, 1, {1, 0}), Open(3, 1, 1, {1, 1})}, NumberedRows({20, 21, 10, 11}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 1, 2, 90, 0, false, false, 'u'},
                                      Brief{1, 0, 2, 90, 0, false, false, 'u'}));
}

TEST(FoldTest, UnsentValuesComeFromTheRowBefore) {
  NumberedRows rows({10, 11, 12, 13});
  Event update = At(2, 0, 'u', 0, 0), moved = At(3, 1, 'c', 1, 1);
  update.missing = moved.missing = 0;
  moved.old_key = 0;
  const std::vector<KeyState> keys = {Open(3, 1, 1, {1, 0}), KeyState()};
  ASSERT_TRUE(Fold({update, At(3, 0, 'd', 0), moved}, keys, {}, rows).ok());
  EXPECT_THAT(rows.inherited,
              ElementsAre(std::pair<int64_t, int64_t>{0, 3}, std::pair<int64_t, int64_t>{1, 0}));
}

TEST(FoldTest, AnUnsentValueWithoutAVersionBeforeIsAnError) {
  NumberedRows rows({10});
  Event update = At(2, 0, 'u', 0, 0);
  update.missing = 0;
  const auto result = Fold({update}, {KeyState()}, {}, rows);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::kUnsupported);
  // When the same transaction deletes the row, nothing is missing.
  EXPECT_TRUE(Fold({update, At(2, 1, 'd', 0)}, {KeyState()}, {}, rows).ok());
}

TEST(FoldTest, SnapshotRowsInsertIfAbsentElseCompare) {
  const auto result = Folded(
      {At(5, -1, 'r', 0, 0), At(5, -1, 'r', 1, 1), At(5, -1, 'r', 2, 2), At(5, 0, 'u', 0, 3)},
      {KeyState(), Open(4, 1, 1, {1, 0}), Open(5, 1, 1, {1, 0})},
      NumberedRows({10, 11, 12, 13, 11, 99}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{0, 0, 1, 50, 50, true, false, 'r'},
                                      Brief{2, 2, 2, 50, 0, false, false, 'r'},
                                      Brief{0, 3, 2, 50, 0, false, false, 'u'}));
}

TEST(FoldTest, ATableThatIsReadAgainChangesOnlyWhatDiffers) {
  // Key 0 is as it was, key 1 differs, key 2 is gone.
  const auto result = Folded({At(5, -2, 't', -1), At(5, -1, 'r', 0, 0), At(5, -1, 'r', 1, 1)},
                             {Open(2, 1, 1, {1, 0}), Open(3, 1, 1, {1, 0}), Open(4, 1, 1, {1, 0})},
                             NumberedRows({10, 11, 10, 99, 12}));
  EXPECT_THAT(Of(result), ElementsAre(Brief{1, 1, 2, 50, 0, false, false, 'r'}));
  ASSERT_EQ(result.closings.size(), 2u);
  EXPECT_EQ(result.closings[0].key + result.closings[1].key, 3);
  EXPECT_EQ(result.closings[0].deleted + result.closings[1].deleted, 1);
}

TEST(FoldTest, UnchangedUpdatesAreKeptWhenAskedFor) {
  NumberedRows rows({10, 10});
  const auto result =
      Fold({At(2, 0, 'u', 0, 0)}, {Open(1, 1, 1, {1, 0})}, {.keep_unchanged = true}, rows);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->versions.size(), 1u);
}

Event Bag(Lsn lsn, int64_t ordinal, char op, int32_t before, int32_t row, int32_t epoch = 0) {
  Event event = At(lsn, ordinal, op, -1, row);
  event.before = before;
  event.epoch = epoch;
  return event;
}

TEST(MultisetFoldTest, EqualRowsAreInterchangeableAndTheOldestGoes) {
  const Contents contents{.of_row = {0, 0, 0}, .count = 1};
  const auto result = FoldMultiset(
      {Bag(5, 0, 'd', 0, -1)},
      {{.row = 1, .version = 1, .valid_from = 1}, {.row = 2, .version = 1, .valid_from = 2}},
      {contents}, {0, -2});
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->closings.size(), 1u);
  EXPECT_EQ(result->closings[0].instance, 0u);
  EXPECT_TRUE(result->closings[0].deleted);
}

TEST(MultisetFoldTest, ATransactionIsTakenAsAWhole) {
  // Rows 0 and 2 are alike: a -> b -> a changes nothing; insert and delete leave nothing.
  const Contents contents{.of_row = {0, 1, 0, 2}, .count = 3};
  const auto result = FoldMultiset(
      {Bag(5, 0, 'u', 0, 1), Bag(5, 1, 'u', 1, 2), Bag(5, 2, 'c', -1, 3), Bag(5, 3, 'd', 3, -1)},
      {{.row = 0, .version = 1, .valid_from = 1}}, {contents}, {0, -2});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->closings.empty());
  EXPECT_TRUE(result->versions.empty());
}

TEST(MultisetFoldTest, CommitTimesThatRunBackwardsMakeEmptyIntervals) {
  // Row 0 is the table's, from 100 on; it becomes 1 at 50, 2 at 60 and goes at 40.
  const Contents contents{.of_row = {0, 1, 2}, .count = 3};
  Event last = Bag(7, 0, 'd', 2, -1);
  last.time = 40;
  const auto result =
      FoldMultiset({Bag(5, 0, 'u', 0, 1), Bag(6, 0, 'u', 1, 2), last},
                   {{.row = 0, .version = 1, .valid_from = 100}}, {contents}, {0, -2});
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  ASSERT_EQ(result->closings.size(), 1u);
  EXPECT_EQ(result->closings[0].valid_to, 100);
  ASSERT_EQ(result->versions.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(result->versions[i].version, static_cast<int32_t>(i) + 2);
    EXPECT_EQ(result->versions[i].valid_from, 100);
    EXPECT_EQ(result->versions[i].valid_to, 100);
  }
}

TEST(MultisetFoldTest, RowsAreFoundAfterAColumnIsDropped) {
  // Rows 0 and 1 differ in the first epoch and are alike in the second.
  const Contents first{.of_row = {0, 1, 2}, .count = 3}, second{.of_row = {0, 0, 0}, .count = 1};
  const auto result =
      FoldMultiset({Bag(5, 0, 'u', 0, 1), Bag(6, 0, 'd', 2, -1, 1)},
                   {{.row = 0, .version = 1, .valid_from = 1}}, {first, second}, {0, -2});
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  ASSERT_EQ(result->versions.size(), 1u);
  EXPECT_EQ(result->versions[0].version, 2);
  EXPECT_TRUE(result->versions[0].closed);
  EXPECT_TRUE(result->versions[0].deleted);
}

TEST(MultisetFoldTest, ARowThatIsNotThereIsAnErrorAndAReplayIsNot) {
  const Contents contents{.of_row = {0}, .count = 1};
  EXPECT_EQ(FoldMultiset({Bag(5, 0, 'd', 0, -1)}, {}, {contents}, {0, -2}).error().kind(),
            ErrorKind::kCorrupt);
  const auto replayed = FoldMultiset({Bag(5, 0, 'd', 0, -1)}, {}, {contents}, {5, 0});
  ASSERT_TRUE(replayed.ok());
  EXPECT_EQ(replayed->replays, 1);
}

}  // namespace
}  // namespace millrace::silver
