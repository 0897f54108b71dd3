#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/bounded_queue.h"
#include "base/byte_buffer.h"
#include "base/failpoint.h"
#include "base/result.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"

namespace millrace {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(ErrorKind::kInvalidInput, "odd");
  return n / 2;
}
Result<int> Quarter(int n) {
  MR_ASSIGN(const int half, Half(n));
  MR_ASSIGN(const int quarter, Half(half));
  return quarter;
}

TEST(Result, PropagatesTheFirstError) {
  EXPECT_EQ(*Quarter(12), 3);
  ASSERT_FALSE(Quarter(6).ok());
  EXPECT_EQ(Quarter(6).error().kind(), ErrorKind::kInvalidInput);
  EXPECT_EQ(Quarter(6).error().Wrap("table x").message(), "table x: odd");
}

TEST(Time, CivilDatesGoBackOverTheWholeRangeOfPostgres) {
  for (int64_t day = -2'451'545; day < 2'145'031'949; day += 999'983) {  // 4713 BC to 5874897 AD
    ASSERT_EQ(DaysFromCivil(CivilFromDays(day)), day);
  }
  EXPECT_EQ(DaysFromCivil({1970, 1, 1}), 0);
  EXPECT_EQ(DaysFromCivil({2000, 3, 1}), 11017);
  EXPECT_EQ(DaysFromCivil({1969, 12, 31}), -1);
}

TEST(Time, TextForms) {
  EXPECT_EQ(FormatTimestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(ParseTimestamp("1969-12-31T23:59:59.999999Z"), -1);
  EXPECT_EQ(ParseTimestamp("1970-01-01 02:00+02"), 0);
  EXPECT_EQ(ParseTimestamp("1970-01-02"), kMicrosPerDay);
  EXPECT_EQ(ParseTimestamp("2024-13-01"), std::nullopt);
  EXPECT_EQ(ParseTimestamp("2024-01-01x"), std::nullopt);
  EXPECT_EQ(ParseTimestamp("2000-01-01T00:00:00Z"), kPostgresEpoch);
}

TEST(ByteBuffer, GrowsAndMoves) {
  ByteBuffer a;
  for (int i = 0; i < 100000; ++i) a.Append("0123456789");
  ByteBuffer b = std::move(a);
  EXPECT_EQ(b.size(), 1'000'000u);
  EXPECT_EQ(b.view(999'990, 10), "0123456789");
  b.Clear();
  EXPECT_GE(b.capacity(), 1'000'000u);
}

TEST(BoundedQueue, BlocksTheProducerUntilThereIsRoom) {
  BoundedQueue<int> queue(10);
  std::stop_source stop;
  ASSERT_TRUE(queue.Push(1, 8, stop.get_token()));
  std::jthread producer([&] { queue.Push(2, 8, stop.get_token()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(queue.weight(), 8u);  // the second one waits
  EXPECT_EQ(queue.Pop(std::chrono::seconds(5), stop.get_token()), 1);
  EXPECT_EQ(queue.Pop(std::chrono::seconds(5), stop.get_token()), 2);
  EXPECT_EQ(queue.Pop(std::chrono::milliseconds(1), stop.get_token()), std::nullopt);
}

TEST(BoundedQueue, StopWakesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  std::stop_source stop;
  ASSERT_TRUE(queue.Push(1, 1, stop.get_token()));
  bool taken = true;
  std::jthread producer([&] { taken = queue.Push(2, 1, stop.get_token()); });
  stop.request_stop();
  producer.join();
  EXPECT_FALSE(taken);
  queue.Close();
  EXPECT_FALSE(queue.closed_and_empty());
  EXPECT_EQ(queue.Pop(std::chrono::milliseconds(1), std::stop_token()), 1);
  EXPECT_TRUE(queue.closed_and_empty());
}

TEST(Text, SplitsAndParses) {
  EXPECT_TRUE(Split("", ',').empty());
  EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(ParseInt<int>("12"), 12);
  EXPECT_EQ(ParseInt<int>("12x"), std::nullopt);
  EXPECT_EQ(ParseInt<int>(""), std::nullopt);
  EXPECT_EQ(Trim(" \ta b\n"), "a b");
}

TEST(Uuid, HasVersionAndVariant) {
  const std::string uuid = NewUuid();
  ASSERT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  EXPECT_NE(NewUuid(), uuid);
}

TEST(Failpoint, CostsNothingWhenNoneIsSet) {
  EXPECT_FALSE(FailpointsActive());
  EXPECT_TRUE(PassFailpoint("any.name").ok());
  EXPECT_FALSE(Sabotaged("any bug"));
}

}  // namespace
}  // namespace millrace
