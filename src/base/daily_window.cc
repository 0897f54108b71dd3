#include "base/daily_window.h"

#include <optional>

#include "base/format.h"
#include "base/text.h"

namespace millrace {
namespace {

constexpr Micros kMinute = 60 * kMicrosPerSecond;

std::optional<int> Minute(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hours = ParseInt<int>(text.substr(0, 2));
  const auto minutes = ParseInt<int>(text.substr(3));
  if (!hours || !minutes || *hours < 0 || *hours > 24 || *minutes < 0 || *minutes > 59 ||
      *hours * 60 + *minutes > 24 * 60)
    return std::nullopt;
  return *hours * 60 + *minutes;
}

}  // namespace

Result<DailyWindow> ParseDailyWindow(std::string_view text) {
  if (text.empty()) return DailyWindow{};
  const size_t dash = text.find('-');
  const auto from = Minute(text.substr(0, std::min(dash, text.size())));
  const auto to = dash == std::string_view::npos ? std::nullopt : Minute(text.substr(dash + 1));
  if (from && to) return DailyWindow{*from % (24 * 60), *to % (24 * 60)};
  return Fail(ErrorKind::kInvalidInput,
              "'{}' is no part of a day: write hours and minutes in UTC, as 22:00-06:00", text);
}

Micros UntilOpen(const DailyWindow& window, Micros now) {
  const Micros in_day = ((now % kMicrosPerDay) + kMicrosPerDay) % kMicrosPerDay;
  const Micros from = window.from * kMinute, to = window.to * kMinute;
  const bool open =
      from == to || (from < to ? in_day >= from && in_day < to : in_day >= from || in_day < to);
  if (open) return 0;
  return in_day < from ? from - in_day : from + kMicrosPerDay - in_day;
}

}  // namespace millrace
