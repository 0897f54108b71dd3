#include "pipeline/silver/value_parse.h"

namespace millrace::silver {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// n digits at `p` as a number, or -1.
int Digits(const char* p, int n) {
  int value = 0;
  for (int i = 0; i < n; ++i) {
    if (!IsDigit(p[i])) return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

}  // namespace

std::optional<iceberg::Int128> ParseDecimal(std::string_view text, int precision, int scale) {
  size_t i = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) ++i;
  __extension__ typedef unsigned __int128 Unsigned128;
  Unsigned128 value = 0;
  int digits = 0;     // significant ones so far
  int fraction = -1;  // digits after the point; -1: no point yet
  bool any = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      if (fraction >= 0) return std::nullopt;
      fraction = 0;
      continue;
    }
    if (!IsDigit(c)) return std::nullopt;
    any = true;
    if (fraction >= 0) {
      if (fraction == scale) {
        if (c != '0') return std::nullopt;  // would be rounded
        continue;
      }
      ++fraction;
    }
    if (digits != 0 || c != '0') ++digits;
    if (digits > 38) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (!any) return std::nullopt;
  for (int have = fraction < 0 ? 0 : fraction; have < scale; ++have) {
    if (digits != 0 && ++digits > 38) return std::nullopt;
    value *= 10;
  }
  if (digits > precision) return std::nullopt;
  const auto result = static_cast<iceberg::Int128>(value);
  return negative ? -result : result;
}

bool IsNumericText(std::string_view text) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return true;
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  bool digit = false, point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (IsDigit(c)) {
      digit = true;
    } else {
      return false;
    }
  }
  return digit;
}

std::optional<Micros> ParseTimestampTz(std::string_view text) {
  if (text.size() != 27) return std::nullopt;
  const char* p = text.data();
  if (p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':' || p[19] != '.' ||
      p[26] != 'Z')
    return std::nullopt;
  const int year = Digits(p, 4), month = Digits(p + 5, 2), day = Digits(p + 8, 2);
  const int hour = Digits(p + 11, 2), minute = Digits(p + 14, 2), second = Digits(p + 17, 2),
            micros = Digits(p + 20, 6);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || minute < 0 ||
      second < 0 || micros < 0) {
    return std::nullopt;
  }
  const int64_t days = DaysFromCivil({year, month, day});
  return days * kMicrosPerDay + ((hour * 60LL + minute) * 60 + second) * kMicrosPerSecond + micros;
}

}  // namespace millrace::silver
