#include "iceberg/literal.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace millrace::iceberg {

static_assert(std::endian::native == std::endian::little,
              "bounds are stored little-endian and copied as they are");

namespace {

template <typename T>
std::string RawBytes(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <typename T>
T FromRaw(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <typename T>
std::strong_ordering OrderOf(T a, T b) {
  return a < b   ? std::strong_ordering::less
         : a > b ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

template <typename T>
std::strong_ordering CompareFloating(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return OrderOf(std::isnan(a), std::isnan(b));
  if (a == b) return OrderOf(std::signbit(b), std::signbit(a));  // tells -0.0 from +0.0
  return OrderOf(a, b);
}

// Any integer literal as a long: an int may stand for a value of a long column (promotion).
std::optional<int64_t> AsLong(const Literal& v) {
  if (const auto* i = std::get_if<int32_t>(&v)) return *i;
  if (const auto* l = std::get_if<int64_t>(&v)) return *l;
  return std::nullopt;
}

std::optional<double> AsDouble(const Literal& v) {
  if (const auto* f = std::get_if<float>(&v)) return static_cast<double>(*f);
  if (const auto* d = std::get_if<double>(&v)) return *d;
  return std::nullopt;
}

}  // namespace

std::strong_ordering Compare(const Literal& a, const Literal& b) {
  if (const auto x = AsLong(a), y = AsLong(b); x && y) return OrderOf(*x, *y);
  if (const auto x = AsDouble(a), y = AsDouble(b); x && y) return CompareFloating(*x, *y);
  if (a.index() != b.index()) return OrderOf(a.index(), b.index());
  if (const auto* x = std::get_if<bool>(&a)) return OrderOf(*x, std::get<bool>(b));
  if (const auto* x = std::get_if<Int128>(&a)) return OrderOf(*x, std::get<Int128>(b));
  if (const auto* x = std::get_if<std::string>(&a)) {
    return OrderOf(x->compare(std::get<std::string>(b)),
                   0);  // char_traits<char> compares as unsigned bytes
  }
  return std::strong_ordering::equal;
}

std::string DecimalBytes(Int128 unscaled) {
  std::string bytes;
  Int128 rest = unscaled;
  while (true) {
    bytes.insert(bytes.begin(), static_cast<char>(static_cast<unsigned char>(rest & 0xff)));
    const bool negative = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0;
    rest >>= 8;
    if ((rest == 0 && !negative) || (rest == -1 && negative)) return bytes;
  }
}

std::optional<Int128> DecimalFromBytes(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const bool negative = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0;
  // More than 16 bytes hold an Int128 only when those before the last 16 repeat its sign.
  while (bytes.size() > 16) {
    if (static_cast<unsigned char>(bytes.front()) != (negative ? 0xff : 0)) return std::nullopt;
    bytes.remove_prefix(1);
    if (((static_cast<unsigned char>(bytes.front()) & 0x80) != 0) != negative) return std::nullopt;
  }
  auto value = static_cast<unsigned __int128>(negative ? -1 : 0);
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<Int128>(value);
}

size_t DecimalRequiredBytes(int precision) {
  for (size_t bytes = 1; bytes < 16; ++bytes) {
    Int128 limit = (Int128{1} << (bytes * 8 - 1)) - 1;
    int digits = 0;
    for (; limit >= 10; limit /= 10) ++digits;
    if (digits >= precision) return bytes;
  }
  return 16;
}

std::string ToBytes(const Literal& value, const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      if (const auto* b = std::get_if<bool>(&value)) return std::string(1, *b ? '\1' : '\0');
      return {};
    case TypeId::kInt:
    case TypeId::kDate:
      if (const auto v = AsLong(value)) return RawBytes(static_cast<int32_t>(*v));
      return {};
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      if (const auto v = AsLong(value)) return RawBytes(*v);
      return {};
    case TypeId::kFloat:
      if (const auto v = AsDouble(value)) return RawBytes(static_cast<float>(*v));
      return {};
    case TypeId::kDouble:
      if (const auto v = AsDouble(value)) return RawBytes(*v);
      return {};
    case TypeId::kDecimal:
      if (const auto* v = std::get_if<Int128>(&value)) return DecimalBytes(*v);
      return {};
    case TypeId::kString:
    case TypeId::kUuid:
    case TypeId::kFixed:
    case TypeId::kBinary:
      if (const auto* v = std::get_if<std::string>(&value)) return *v;
      return {};
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      return {};
  }
  return {};
}

std::optional<Literal> FromBytes(std::string_view bytes, const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      if (bytes.size() == 1) return Literal(bytes[0] != '\0');
      return std::nullopt;
    case TypeId::kInt:
    case TypeId::kDate:
      if (bytes.size() == 4) return Literal(FromRaw<int32_t>(bytes));
      return std::nullopt;
    case TypeId::kLong:
      if (bytes.size() == 4) return Literal(static_cast<int64_t>(FromRaw<int32_t>(bytes)));
      [[fallthrough]];
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      if (bytes.size() == 8) return Literal(FromRaw<int64_t>(bytes));
      return std::nullopt;
    case TypeId::kFloat:
      if (bytes.size() == 4) return Literal(FromRaw<float>(bytes));
      return std::nullopt;
    case TypeId::kDouble:
      if (bytes.size() == 4) return Literal(static_cast<double>(FromRaw<float>(bytes)));
      if (bytes.size() == 8) return Literal(FromRaw<double>(bytes));
      return std::nullopt;
    case TypeId::kDecimal:
      if (const auto v = DecimalFromBytes(bytes)) return Literal(*v);
      return std::nullopt;
    case TypeId::kUuid:
      if (bytes.size() == 16) return Literal(std::string(bytes));
      return std::nullopt;
    case TypeId::kFixed:  // others truncate its bounds as they do binary's
      if (bytes.size() <= static_cast<size_t>(type.length)) return Literal(std::string(bytes));
      return std::nullopt;
    case TypeId::kString:
    case TypeId::kBinary:
      return Literal(std::string(bytes));
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace millrace::iceberg
