#include "base/time.h"

#include <chrono>

#include "base/format.h"

namespace millrace {

Micros WallClockNow() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Howard Hinnant's algorithms (chrono-compatible low-level date algorithms).
int64_t DaysFromCivil(const CivilDate& date) {
  const int64_t y = date.year - (date.month <= 2);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

CivilDate CivilFromDays(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (month <= 2), month, day};
}

std::string FormatTimestamp(Micros t) {
  int64_t days = t / kMicrosPerDay;
  int64_t rest = t % kMicrosPerDay;
  if (rest < 0) {
    rest += kMicrosPerDay;
    --days;
  }
  const CivilDate d = CivilFromDays(days);
  const int64_t seconds = rest / kMicrosPerSecond;
  return Format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", d.year, d.month, d.day,
                seconds / 3600, seconds / 60 % 60, seconds % 60, rest % kMicrosPerSecond);
}

std::optional<Micros> ParseTimestamp(std::string_view text) {
  size_t i = 0;
  auto digits = [&](int n, int64_t* out) {
    *out = 0;
    for (int k = 0; k < n; ++k, ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return false;
      *out = *out * 10 + (text[i] - '0');
    }
    return true;
  };
  auto take = [&](char c) { return i < text.size() && text[i] == c ? (++i, true) : false; };
  int64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0, offset = 0;
  if (!digits(4, &year) || !take('-') || !digits(2, &month) || !take('-') || !digits(2, &day))
    return {};
  if (month < 1 || month > 12 || day < 1 || day > 31) return {};
  if (take('T') || take(' ')) {
    if (!digits(2, &hour) || !take(':') || !digits(2, &minute)) return {};
    if (take(':') && !digits(2, &second)) return {};
    if (take('.')) {
      int n = 0;
      for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
        if (n < 6) fraction = fraction * 10 + (text[i] - '0'), ++n;
      }
      for (; n < 6; ++n) fraction *= 10;
    }
    if (hour > 23 || minute > 59 || second > 59) return {};
    if (!take('Z') && i < text.size()) {
      const bool negative = text[i] == '-';
      if (!take('+') && !take('-')) return {};
      int64_t oh, om = 0;
      if (!digits(2, &oh)) return {};
      if (i < text.size()) {
        take(':');
        if (!digits(2, &om)) return {};
      }
      offset = (oh * 60 + om) * (negative ? -60 : 60);
    }
  }
  if (i != text.size()) return {};
  const int64_t days = DaysFromCivil({year, static_cast<int>(month), static_cast<int>(day)});
  return days * kMicrosPerDay + (hour * 3600 + minute * 60 + second - offset) * kMicrosPerSecond +
         fraction;
}

}  // namespace millrace
