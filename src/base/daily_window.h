#pragma once

#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace {

// Part of each day, in minutes since midnight UTC: from `from` until before `to`, over midnight
// when `to` is less. Equal: the whole day.
struct DailyWindow {
  int from = 0;
  int to = 0;
  bool operator==(const DailyWindow&) const = default;
};

// "22:00-06:00"; "" is the whole day. kInvalidInput says how to write it.
Result<DailyWindow> ParseDailyWindow(std::string_view text);

// How long until the window is open; 0 while it is. Pure.
Micros UntilOpen(const DailyWindow& window, Micros now);

}  // namespace millrace
