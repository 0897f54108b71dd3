#include "adapter/source_postgres/events/value_encoder.h"

#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include "base/time.h"
#include "codec/json.h"

namespace millrace::postgres {
namespace {

void AppendRaw(std::string_view text, ByteBuffer& out) { out.Append(text.data(), text.size()); }

// Between quotes, for text that needs no escaping.
void AppendPlainQuoted(std::string_view text, ByteBuffer& out) {
  char* to = out.Space(text.size() + 2);
  *to = '"';
  std::memcpy(to + 1, text.data(), text.size());
  to[text.size() + 1] = '"';
  out.Advance(text.size() + 2);
}

void AppendInteger(int64_t value, ByteBuffer& out) {
  char* to = out.Space(20);
  out.Advance(static_cast<size_t>(std::to_chars(to, to + 20, value).ptr - to));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Two digits at p, or a number >= 100 when they are none.
unsigned Two(const char* p) {
  const auto high = static_cast<unsigned>(static_cast<unsigned char>(p[0])) - '0';
  const auto low = static_cast<unsigned>(static_cast<unsigned char>(p[1])) - '0';
  return high <= 9 && low <= 9 ? high * 10 + low : 100;
}

// What text starts with, or nothing; consumed from `text` on success.
struct Date {
  int64_t year = 0;  // as written: 1 and more; the era comes at the end of the text
  unsigned month = 0, day = 0;
};
std::optional<Date> TakeDate(std::string_view& text) {
  size_t digits = 0;
  int64_t year = 0;
  while (digits < text.size() && digits < 9 && IsDigit(text[digits]))
    year = year * 10 + (text[digits++] - '0');
  if (digits < 4 || text.size() < digits + 6 || text[digits] != '-' || text[digits + 3] != '-')
    return std::nullopt;
  const Date date{year, Two(&text[digits + 1]), Two(&text[digits + 4])};
  if (year == 0 || date.month - 1 > 11 || date.day - 1 > 30) return std::nullopt;
  text.remove_prefix(digits + 6);
  return date;
}

// "hh:mm:ss[.ffffff]" in microseconds; hours up to 24.
std::optional<int64_t> TakeTime(std::string_view& text) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const unsigned hour = Two(&text[0]), minute = Two(&text[3]), second = Two(&text[6]);
  if (hour > 24 || minute > 59 || second > 59) return std::nullopt;
  int64_t micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond;
  size_t end = 8;
  if (end < text.size() && text[end] == '.') {
    ++end;
    int64_t unit = kMicrosPerSecond / 10;
    while (end < text.size() && IsDigit(text[end]) && unit > 0) {
      micros += (text[end++] - '0') * unit;
      unit /= 10;
    }
    if (end == 9 || (end < text.size() && IsDigit(text[end]))) return std::nullopt;
  }
  text.remove_prefix(end);
  return micros;
}

// Days since 1970-01-01 of a date whose era is what is left of the text: "" or " BC".
std::optional<int64_t> DaysWithEra(const Date& date, std::string_view rest) {
  const bool bc = rest == " BC";
  if (!bc && !rest.empty()) return std::nullopt;
  return DaysFromCivil(
      {bc ? 1 - date.year : date.year, static_cast<int>(date.month), static_cast<int>(date.day)});
}

// --- encoders, in the order of LogicalKind ---

bool EncodeText(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  json::AppendQuoted(out, text);
  return true;
}

bool EncodeBool(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  if (text == "t") {
    AppendRaw("true", out);
  } else if (text == "f") {
    AppendRaw("false", out);
  } else {
    json::AppendQuoted(out, text);
    return false;
  }
  return true;
}

bool EncodeInteger(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  const size_t sign = !text.empty() && text[0] == '-' ? 1 : 0;
  bool number = text.size() > sign && (text[sign] != '0' || text.size() == sign + 1);
  for (size_t i = sign; i < text.size(); ++i) number &= IsDigit(text[i]);
  if (number) {
    AppendRaw(text, out);
  } else {
    json::AppendQuoted(out, text);
  }
  return number;
}

// Whether text is a number of JSON's grammar (RFC 8259 section 6).
bool IsJsonNumber(std::string_view text) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t start = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return i > start;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const size_t whole = i;
  if (!digits() || (text[whole] == '0' && i - whole > 1)) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

// NaN and the infinities are values of the type: strings, and still of its kind.
bool EncodeFloat(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  if (IsJsonNumber(text)) {
    AppendRaw(text, out);
  } else {
    json::AppendQuoted(out, text);
  }
  return true;
}

bool EncodeNumeric(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  bool plain = !text.empty();
  for (const char c : text) plain &= IsDigit(c) || c == '.' || c == '-';
  if (plain) {
    AppendPlainQuoted(text, out);
  } else {
    json::AppendQuoted(out, text);
  }
  return plain;
}

// "\xdeadbeef" to base64, straight.
bool EncodeBytes(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static constexpr auto kHex = [] {
    std::array<uint8_t, 256> table{};
    table.fill(0xFF);  // no hex digit
    for (int i = 0; i < 10; ++i) table[static_cast<size_t>('0' + i)] = static_cast<uint8_t>(i);
    for (int i = 0; i < 6; ++i)
      table[static_cast<size_t>('a' + i)] = table[static_cast<size_t>('A' + i)] =
          static_cast<uint8_t>(10 + i);
    return table;
  }();
  if (text.size() < 2 || text[0] != '\\' || text[1] != 'x' || text.size() % 2 != 0) {
    json::AppendQuoted(out, text);
    return false;
  }
  const auto* hex = reinterpret_cast<const unsigned char*>(text.data()) + 2;
  const size_t n = (text.size() - 2) / 2;
  char* const start = out.Space((n + 2) / 3 * 4 + 2);
  char* to = start;
  uint8_t damage = 0;
  const auto byte = [&](size_t i) {
    const uint8_t high = kHex[hex[2 * i]], low = kHex[hex[2 * i + 1]];
    damage |= high | low;
    return static_cast<uint32_t>(high << 4 | low);
  };
  *to++ = '"';
  size_t i = 0;
  for (; i + 3 <= n; i += 3) {
    const uint32_t v = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = kAlphabet[v >> 18 & 63];
    *to++ = kAlphabet[v >> 12 & 63];
    *to++ = kAlphabet[v >> 6 & 63];
    *to++ = kAlphabet[v & 63];
  }
  if (const size_t rest = n - i; rest != 0) {
    const uint32_t v = byte(i) << 16 | (rest == 2 ? byte(i + 1) << 8 : 0);
    *to++ = kAlphabet[v >> 18 & 63];
    *to++ = kAlphabet[v >> 12 & 63];
    *to++ = rest == 2 ? kAlphabet[v >> 6 & 63] : '=';
    *to++ = '=';
  }
  *to++ = '"';
  if (damage > 15) {
    json::AppendQuoted(out, text);
    return false;
  }
  out.Advance(static_cast<size_t>(to - start));
  return true;
}

bool EncodeDate(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  std::string_view rest = text;
  if (const auto date = TakeDate(rest)) {
    if (const auto days = DaysWithEra(*date, rest)) {
      AppendInteger(*days, out);
      return true;
    }
  }
  json::AppendQuoted(out, text);
  return false;
}

bool EncodeTime(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  std::string_view rest = text;
  const auto micros = TakeTime(rest);
  if (!micros || !rest.empty()) {
    json::AppendQuoted(out, text);
    return false;
  }
  AppendInteger(*micros, out);
  return *micros < kMicrosPerDay;
}

bool EncodeTimestamp(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  std::string_view rest = text;
  if (const auto date = TakeDate(rest); date && !rest.empty() && rest[0] == ' ') {
    rest.remove_prefix(1);
    if (const auto time = TakeTime(rest)) {
      const auto days = DaysWithEra(*date, rest);
      int64_t micros = 0;
      if (days && !__builtin_mul_overflow(*days, kMicrosPerDay, &micros) &&
          !__builtin_add_overflow(micros, *time, &micros)) {
        AppendInteger(micros, out);
        return true;
      }
    }
  }
  json::AppendQuoted(out, text);
  return false;
}

// "2025-06-30 10:00:00[.f...]+00" to "2025-06-30T10:00:00.ffffffZ".
bool EncodeTimestampTz(const ValueEncoder&, std::string_view text, ByteBuffer& out) {
  const size_t n = text.size();
  const bool shape = n >= 22 && n <= 29 && n != 23 && text[4] == '-' && text[7] == '-' &&
                     text[10] == ' ' && text[13] == ':' && text[16] == ':' &&
                     (n == 22 || text[19] == '.') && text[n - 3] == '+' && text[n - 2] == '0' &&
                     text[n - 1] == '0';
  if (!shape) {
    json::AppendQuoted(out, text);
    return false;
  }
  char* to = out.Space(32);
  to[0] = '"';
  std::memcpy(to + 1, text.data(), 19);
  to[11] = 'T';
  std::memcpy(to + 20, ".000000Z\"", 9);
  if (n > 22) std::memcpy(to + 20, text.data() + 19, n - 22);
  out.Advance(29);
  return true;
}

ValueEncoder::Function ScalarFunction(LogicalKind kind) {
  switch (kind) {
    case LogicalKind::kBool:
      return EncodeBool;
    case LogicalKind::kInt16:
    case LogicalKind::kInt32:
    case LogicalKind::kInt64:
    case LogicalKind::kOid:
      return EncodeInteger;
    case LogicalKind::kFloat32:
    case LogicalKind::kFloat64:
      return EncodeFloat;
    case LogicalKind::kNumeric:
      return EncodeNumeric;
    case LogicalKind::kBytes:
      return EncodeBytes;
    case LogicalKind::kDate:
      return EncodeDate;
    case LogicalKind::kTime:
      return EncodeTime;
    case LogicalKind::kTimestamp:
      return EncodeTimestamp;
    case LogicalKind::kTimestampTz:
      return EncodeTimestampTz;
    case LogicalKind::kArray:
      return EncodeArray;
    case LogicalKind::kText:
    case LogicalKind::kUuid:
    case LogicalKind::kJson:
    case LogicalKind::kOpaque:
      return EncodeText;
  }
  return EncodeText;  // unreachable: the switch is exhaustive
}

}  // namespace

ValueEncoder EncoderFor(const LogicalType& type, char delimiter) {
  ValueEncoder encoder{.encode = ScalarFunction(type.kind)};
  if (type.kind == LogicalKind::kArray) {
    encoder.element = ScalarFunction(type.element.front().kind);
    encoder.delimiter = delimiter;
  }
  return encoder;
}

}  // namespace millrace::postgres
