#include <bit>
#include <cstring>

#include "base/format.h"
#include "base/text.h"
#include "base/time.h"
#include "codec/hash.h"
#include "iceberg/partition.h"

// Partition transforms. Spec: "Partition Transforms" and "Appendix B: 32-bit Hash Requirements".
namespace millrace::iceberg {
namespace {

constexpr int64_t kMicrosPerHour = 3600 * kMicrosPerSecond;

template <typename Int>
Int FloorDiv(Int value, Int by) {
  return static_cast<Int>(value / by - (value % by < 0 ? 1 : 0));
}

bool IsTimestamp(const Type& type) {
  return type.id == TypeId::kTimestamp || type.id == TypeId::kTimestampTz;
}

bool Takes(TransformKind kind, const Type& source) {
  switch (kind) {
    case TransformKind::kIdentity:
      return !source.is_nested();
    case TransformKind::kVoid:
      return true;
    case TransformKind::kBucket:
      return !source.is_nested() && source.id != TypeId::kBoolean && source.id != TypeId::kFloat &&
             source.id != TypeId::kDouble;
    case TransformKind::kTruncate:
      return source.id == TypeId::kInt || source.id == TypeId::kLong ||
             source.id == TypeId::kDecimal || source.id == TypeId::kString ||
             source.id == TypeId::kBinary;
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kDay:
      return source.id == TypeId::kDate || IsTimestamp(source);
    case TransformKind::kHour:
      return IsTimestamp(source);
  }
  return false;
}

uint32_t HashLong(int64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  return Murmur3({bytes, sizeof bytes});
}

uint32_t HashLiteral(const Literal& value) {
  if (const auto* i = std::get_if<int32_t>(&value)) return HashLong(*i);
  if (const auto* l = std::get_if<int64_t>(&value)) return HashLong(*l);
  if (const auto* d = std::get_if<Int128>(&value)) return Murmur3(DecimalBytes(*d));
  if (const auto* s = std::get_if<std::string>(&value)) return Murmur3(*s);
  return 0;
}

// value - (value mod width), wrapping at the ends of the type as Java does.
template <typename Signed, typename Unsigned>
Signed TruncateInt(Signed value, int32_t width) {
  const auto w = static_cast<Signed>(width);
  const Signed remainder = ((value % w) + w) % w;
  return static_cast<Signed>(static_cast<Unsigned>(value) - static_cast<Unsigned>(remainder));
}

Literal TruncateLiteral(const Literal& value, int32_t width, const Type& source) {
  if (const auto* i = std::get_if<int32_t>(&value)) {
    return static_cast<int32_t>(TruncateInt<int64_t, uint64_t>(*i, width));
  }
  if (const auto* l = std::get_if<int64_t>(&value))
    return TruncateInt<int64_t, uint64_t>(*l, width);
  if (const auto* d = std::get_if<Int128>(&value))
    return TruncateInt<Int128, unsigned __int128>(*d, width);
  const auto* s = std::get_if<std::string>(&value);
  if (s == nullptr) return {};
  const auto count = static_cast<size_t>(width);
  return std::string(source.id == TypeId::kString ? FirstCodePoints(*s, count)
                                                  : std::string_view(*s).substr(0, count));
}

Literal TimeUnit(TransformKind kind, const Literal& value) {
  int64_t days = 0;
  if (const auto* micros = std::get_if<int64_t>(&value)) {
    if (kind == TransformKind::kHour)
      return static_cast<int32_t>(FloorDiv(*micros, kMicrosPerHour));
    days = FloorDiv(*micros, kMicrosPerDay);
  } else {
    days = std::get<int32_t>(value);
  }
  if (kind == TransformKind::kDay) return static_cast<int32_t>(days);
  const CivilDate date = CivilFromDays(days);
  const int64_t years = date.year - 1970;
  return static_cast<int32_t>(kind == TransformKind::kYear ? years : years * 12 + date.month - 1);
}

// Whether the literal is held as values of `type` are; the transforms rely on it.
bool Holds(const Literal& value, const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return std::holds_alternative<bool>(value);
    case TypeId::kInt:
    case TypeId::kDate:
      return std::holds_alternative<int32_t>(value);
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return std::holds_alternative<int64_t>(value);
    case TypeId::kFloat:
      return std::holds_alternative<float>(value);
    case TypeId::kDouble:
      return std::holds_alternative<double>(value);
    case TypeId::kDecimal:
      return std::holds_alternative<Int128>(value);
    case TypeId::kString:
    case TypeId::kUuid:
    case TypeId::kFixed:
    case TypeId::kBinary:
      return std::holds_alternative<std::string>(value);
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      return false;
  }
  return false;
}

constexpr std::pair<std::string_view, TransformKind> kPlainNames[] = {
    {"identity", TransformKind::kIdentity}, {"year", TransformKind::kYear},
    {"month", TransformKind::kMonth},       {"day", TransformKind::kDay},
    {"hour", TransformKind::kHour},         {"void", TransformKind::kVoid}};

}  // namespace

std::string ToString(const Transform& t) {
  if (t.kind == TransformKind::kBucket) return Format("bucket[{}]", t.parameter);
  if (t.kind == TransformKind::kTruncate) return Format("truncate[{}]", t.parameter);
  for (const auto& [name, kind] : kPlainNames) {
    if (kind == t.kind) return std::string(name);
  }
  return "unknown";
}

Result<Transform> ParseTransform(std::string_view text) {
  for (const auto& [name, kind] : kPlainNames) {
    if (name == text) return Transform{kind, 0};
  }
  for (const auto& [name, kind] :
       {std::pair<std::string_view, TransformKind>{"bucket[", TransformKind::kBucket},
        {"truncate[", TransformKind::kTruncate}}) {
    if (!text.starts_with(name) || !text.ends_with("]")) continue;
    const auto parameter =
        ParseInt<int32_t>(text.substr(name.size(), text.size() - name.size() - 1));
    if (parameter && *parameter > 0) return Transform{kind, *parameter};
  }
  return Fail(ErrorKind::kUnsupported, "partition transform '{}' is not known", text);
}

TypePtr ResultType(const Transform& t, const TypePtr& source) {
  switch (t.kind) {
    case TransformKind::kIdentity:
    case TransformKind::kTruncate:
    case TransformKind::kVoid:
      return source;
    case TransformKind::kDay:
      return Primitive(TypeId::kDate);
    case TransformKind::kBucket:
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kHour:
      return Primitive(TypeId::kInt);
  }
  return source;
}

Result<Literal> Apply(const Transform& t, const Literal& value, const Type& source) {
  if (!Takes(t.kind, source)) {
    return Fail(ErrorKind::kUnsupported, "transform {} does not take values of type {}",
                ToString(t), ToString(source));
  }
  if (IsNull(value) || t.kind == TransformKind::kVoid) return Literal();
  if (!Holds(value, source)) {
    return Fail(ErrorKind::kInternal, "transform {}: the value is not held as {} is", ToString(t),
                ToString(source));
  }
  switch (t.kind) {
    case TransformKind::kIdentity:
    case TransformKind::kVoid:
      return value;
    case TransformKind::kBucket:
      return Literal(static_cast<int32_t>(HashLiteral(value) & 0x7fffffffu) % t.parameter);
    case TransformKind::kTruncate:
      return TruncateLiteral(value, t.parameter, source);
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kDay:
    case TransformKind::kHour:
      return TimeUnit(t.kind, value);
  }
  return value;
}

}  // namespace millrace::iceberg
