#include "app/stage_loop.h"

#include <gtest/gtest.h>

#include <thread>

#include "app/lake_lock.h"
#include "base/format.h"
#include "testing/temporary_folder.h"

namespace millrace::app {
namespace {

TEST(StageLoop, RetryDelayDoublesUpToAMinute) {
  EXPECT_EQ(RetryDelay(1), kMicrosPerSecond);
  EXPECT_EQ(RetryDelay(2), 2 * kMicrosPerSecond);
  EXPECT_EQ(RetryDelay(6), 32 * kMicrosPerSecond);
  EXPECT_EQ(RetryDelay(7), 60 * kMicrosPerSecond);
  EXPECT_EQ(RetryDelay(1000), 60 * kMicrosPerSecond);
}

TEST(StageLoop, AFatalErrorEndsItAtOnce) {
  int passes = 0;
  const Status status = RunStageLoop("test", 0, OnFailure::kStopWhenFinal,
                                     [&](std::stop_token) -> Result<bool> {
                                       if (++passes < 3) return true;
                                       return Fail(ErrorKind::kFenced, "another writer");
                                     },
                                     {});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kFenced);
  EXPECT_EQ(passes, 3);
}

TEST(StageLoop, WhatMaySucceedLaterIsTriedAgain) {
  std::stop_source stop;
  int passes = 0;
  const Status status = RunStageLoop(
      "test", 0, OnFailure::kStopWhenFinal,
      [&](std::stop_token) -> Result<bool> {
        if (++passes == 1) return Fail(ErrorKind::kUnavailable, "gone for a moment");
        stop.request_stop();
        return true;
      },
      stop.get_token());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(passes, 2);
}

TEST(StageLoop, AStageThatGoesOnTriesAgainWhateverHappened) {
  std::stop_source stop;
  int passes = 0;
  const Status status = RunStageLoop(
      "test", 0, OnFailure::kGoOn,
      [&](std::stop_token) -> Result<bool> {
        if (++passes == 1) return Fail(ErrorKind::kInvalidInput, "somebody's SQL");
        stop.request_stop();
        return true;
      },
      stop.get_token());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(passes, 2);
}

TEST(StageLoop, StopInterruptsTheWait) {
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(SleepFor(3600 * kMicrosPerSecond, stop.get_token()));
}

TEST(LakeLock, RefusesASecondWriterOfAStageAndNamesTheFirst) {
  testing::TemporaryFolder folder;
  auto up = LakeLock::Take(folder / "lake", {"bronze", "silver"}, "up");
  ASSERT_TRUE(up.ok()) << up.error().message();
  const auto silver = LakeLock::Take(folder / "lake", {"silver"}, "silver");
  ASSERT_FALSE(silver.ok());
  EXPECT_EQ(silver.error().kind(), ErrorKind::kFenced);
  EXPECT_NE(silver.error().message().find(Format("`millrace up` (process {})", getpid())),
            std::string::npos)
      << silver.error().message();
  EXPECT_TRUE(LakeLock::Take(folder / "lake", {"gold"}, "gold").ok());
  { const LakeLock gone = *std::move(up); }
  EXPECT_TRUE(LakeLock::Take(folder / "lake", {"silver"}, "silver").ok());
}

}  // namespace
}  // namespace millrace::app
