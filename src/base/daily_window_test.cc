#include "base/daily_window.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

constexpr Micros kMinute = 60 * kMicrosPerSecond;
Micros At(int hours, int minutes) {
  return 20'000 * kMicrosPerDay + (hours * 60 + minutes) * kMinute;
}

TEST(DailyWindow, IsReadAndRefused) {
  EXPECT_EQ(*ParseDailyWindow("22:00-06:30"), (DailyWindow{22 * 60, 6 * 60 + 30}));
  EXPECT_EQ(*ParseDailyWindow("00:00-24:00"), DailyWindow{});
  EXPECT_EQ(*ParseDailyWindow(""), DailyWindow{});
  for (const char* wrong : {"22-6", "22:00", "22:00-", "-22:00", "25:00-06:00", "22:60-06:00",
                            "24:01-06:00", "2:00-06:00", "aa:bb-cc:dd", "22:00-06:00 "}) {
    EXPECT_FALSE(ParseDailyWindow(wrong).ok()) << wrong;
  }
}

TEST(DailyWindow, OpensAndCloses) {
  const DailyWindow night{22 * 60, 6 * 60}, noon{12 * 60, 13 * 60};
  EXPECT_EQ(UntilOpen(night, At(23, 0)), 0);
  EXPECT_EQ(UntilOpen(night, At(5, 59)), 0);
  EXPECT_EQ(UntilOpen(night, At(6, 0)), 16 * 60 * kMinute);
  EXPECT_EQ(UntilOpen(noon, At(12, 0)), 0);
  EXPECT_EQ(UntilOpen(noon, At(11, 30)), 30 * kMinute);
  EXPECT_EQ(UntilOpen(noon, At(13, 0)), 23 * 60 * kMinute);
  EXPECT_EQ(UntilOpen(DailyWindow{}, At(3, 3)), 0);
}

}  // namespace
}  // namespace millrace
