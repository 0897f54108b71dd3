#include <cstdlib>

#include "base/format.h"
#include "base/text.h"
#include "base/time.h"
#include "iceberg/partition.h"

// Partition values as Java's PartitionSpec.partitionToPath writes them. Only people and orphan
// removal by prefix read these paths; the manifest's tuple is what counts.
namespace millrace::iceberg {
namespace {

// As java.net.URLEncoder does.
void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '*' || c == '_';
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += Format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

std::string DateText(int64_t days) {
  const CivilDate date = CivilFromDays(days);
  return Format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

int64_t FloorDiv(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// "10:12:55.038194", without a fraction of zero, as ISO_LOCAL_TIME.
std::string TimeText(Micros micros) {
  const int64_t seconds = micros / kMicrosPerSecond;
  std::string text = Format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (micros % kMicrosPerSecond != 0) {
    text += Format(".{:06}", micros % kMicrosPerSecond);
    while (text.back() == '0') text.pop_back();
  }
  return text;
}

std::string TimestampText(Micros micros, std::string_view zone) {
  const int64_t days = FloorDiv(micros, kMicrosPerDay);
  return Format("{}T{}{}", DateText(days), TimeText(micros - days * kMicrosPerDay), zone);
}

std::string DecimalText(Int128 unscaled, int scale) {
  const bool negative = unscaled < 0;
  auto magnitude = static_cast<unsigned __int128>(unscaled);
  if (negative) magnitude = 0 - magnitude;
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  } while (magnitude != 0 || digits.size() <= static_cast<size_t>(scale));
  if (scale > 0) digits.insert(digits.size() - static_cast<size_t>(scale), ".");
  return negative ? "-" + digits : digits;
}

std::string UuidText(std::string_view bytes) {
  std::string text = ToHex(bytes);
  for (const size_t at : {8, 13, 18, 23}) {
    if (at <= text.size()) text.insert(at, "-");
  }
  return text;
}

std::string IdentityText(const Literal& value, const Type& type) {
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* i = std::get_if<int32_t>(&value))
    return type.id == TypeId::kDate ? DateText(*i) : Format("{}", *i);
  if (const auto* l = std::get_if<int64_t>(&value)) {
    if (type.id == TypeId::kTime) return TimeText(*l);
    if (type.id == TypeId::kTimestamp) return TimestampText(*l, "");
    if (type.id == TypeId::kTimestampTz) return TimestampText(*l, "+00:00");
    return Format("{}", *l);
  }
  if (const auto* f = std::get_if<float>(&value)) return Format("{}", *f);
  if (const auto* d = std::get_if<double>(&value)) return Format("{}", *d);
  if (const auto* d = std::get_if<Int128>(&value)) return DecimalText(*d, type.scale);
  const std::string& bytes = std::get<std::string>(value);
  if (type.id == TypeId::kUuid) return UuidText(bytes);
  return type.id == TypeId::kString ? bytes : ToBase64(bytes);
}

std::string ValueText(const Transform& transform, const Literal& value, const TypePtr& source) {
  if (IsNull(value)) return "null";
  const auto* number = std::get_if<int32_t>(&value);
  switch (transform.kind) {
    case TransformKind::kYear:
      if (number != nullptr) return Format("{:04}", 1970 + int64_t{*number});
      break;
    case TransformKind::kMonth:
      if (number != nullptr) {
        const int64_t year = FloorDiv(*number, 12);
        return Format("{:04}-{:02}", 1970 + year, *number - year * 12 + 1);
      }
      break;
    case TransformKind::kHour:
      if (number != nullptr) {
        const int64_t day = FloorDiv(*number, 24);
        return Format("{}-{:02}", DateText(day), *number - day * 24);
      }
      break;
    case TransformKind::kIdentity:
    case TransformKind::kBucket:
    case TransformKind::kTruncate:
    case TransformKind::kDay:
    case TransformKind::kVoid:
      break;
  }
  return IdentityText(value, *ResultType(transform, source));
}

}  // namespace

std::string PartitionPath(const PartitionSpec& spec, const Schema& schema,
                          const std::vector<Literal>& values) {
  std::string path;
  for (size_t i = 0; i < spec.fields.size() && i < values.size(); ++i) {
    const PartitionField& field = spec.fields[i];
    const Field* source = schema.FindById(field.source_id);
    if (i != 0) path += '/';
    AppendEscaped(path, field.name);
    path += '=';
    AppendEscaped(path, ValueText(field.transform, values[i],
                                  source != nullptr ? source->type : Primitive(TypeId::kString)));
  }
  return path;
}

}  // namespace millrace::iceberg
