#include "iceberg/manifest_datum.h"

#include <algorithm>

namespace millrace::iceberg {
namespace {

using avro::Datum;

// Big-endian two's complement of exactly the width that the schema's fixed type has.
std::string SignExtended(Int128 value, size_t width) {
  std::string bytes = DecimalBytes(value);
  if (bytes.size() < width) bytes.insert(0, width - bytes.size(), value < 0 ? '\xff' : '\0');
  return bytes;
}

}  // namespace

Result<Datum> PartitionDatum(const Literal& value, const Type& type) {
  if (IsNull(value)) return Datum();
  const auto mismatch = [&type] {
    return Fail(ErrorKind::kInternal, "a partition value is not one of type {}", ToString(type));
  };
  switch (type.id) {
    case TypeId::kBoolean:
      if (const auto* v = std::get_if<bool>(&value)) return Datum(*v);
      return mismatch();
    case TypeId::kInt:
    case TypeId::kDate:
      if (const auto* v = std::get_if<int32_t>(&value)) return Datum(int64_t{*v});
      return mismatch();
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      if (const auto* v = std::get_if<int64_t>(&value)) return Datum(*v);
      if (const auto* v = std::get_if<int32_t>(&value); v && type.id == TypeId::kLong)
        return Datum(int64_t{*v});
      return mismatch();
    case TypeId::kFloat:
      if (const auto* v = std::get_if<float>(&value)) return Datum(*v);
      return mismatch();
    case TypeId::kDouble:
      if (const auto* v = std::get_if<double>(&value)) return Datum(*v);
      if (const auto* v = std::get_if<float>(&value)) return Datum(static_cast<double>(*v));
      return mismatch();
    case TypeId::kDecimal:
      if (const auto* v = std::get_if<Int128>(&value))
        return Datum(SignExtended(*v, DecimalRequiredBytes(type.precision)));
      return mismatch();
    case TypeId::kString:
    case TypeId::kUuid:
    case TypeId::kFixed:
    case TypeId::kBinary:
      if (const auto* v = std::get_if<std::string>(&value)) return Datum(*v);
      return mismatch();
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      return mismatch();
  }
  return mismatch();
}

Result<Literal> PartitionLiteral(const Datum& datum, const Type& type) {
  if (datum.is_null()) return Literal();
  const auto mismatch = [&type] {
    return Fail(ErrorKind::kCorrupt, "a partition value is not one of type {}", ToString(type));
  };
  const auto* number = std::get_if<int64_t>(&datum.scalar);
  const auto* text = std::get_if<std::string>(&datum.scalar);
  switch (type.id) {
    case TypeId::kBoolean:
      if (const auto* v = std::get_if<bool>(&datum.scalar)) return Literal(*v);
      return mismatch();
    case TypeId::kInt:
    case TypeId::kDate:
      if (number != nullptr && *number == static_cast<int32_t>(*number))
        return Literal(static_cast<int32_t>(*number));
      return mismatch();
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      if (number != nullptr) return Literal(*number);
      return mismatch();
    case TypeId::kFloat:
      if (const auto* v = std::get_if<float>(&datum.scalar)) return Literal(*v);
      return mismatch();
    case TypeId::kDouble:
      if (const auto* v = std::get_if<double>(&datum.scalar)) return Literal(*v);
      if (const auto* v = std::get_if<float>(&datum.scalar))
        return Literal(static_cast<double>(*v));
      return mismatch();
    case TypeId::kDecimal:
      if (text != nullptr) {
        if (const auto v = DecimalFromBytes(*text)) return Literal(*v);
      }
      return mismatch();
    case TypeId::kUuid:
    case TypeId::kFixed:
    case TypeId::kString:
    case TypeId::kBinary:
      if (text != nullptr) return Literal(*text);
      return mismatch();
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      return mismatch();
  }
  return mismatch();
}

RecordReader::RecordReader(const json::Value& record_schema, std::string_view what) : what_(what) {
  const json::Value* fields = avro::NonNull(record_schema).Find("fields");
  if (fields == nullptr || !fields->is_array()) return;
  fields_ = &fields->AsArray();
  for (const json::Value& field : *fields_) {
    const json::Value* id = field.Find("field-id");
    ids_.push_back(id != nullptr && id->is_integer() ? static_cast<int>(id->AsInt()) : -1);
  }
}

int RecordReader::Index(int field_id) const {
  const auto found = std::ranges::find(ids_, field_id);
  return found == ids_.end() ? -1 : static_cast<int>(found - ids_.begin());
}

Result<int> RecordReader::RequiredIndex(int field_id) const {
  const int index = Index(field_id);
  if (index < 0) return Fail(ErrorKind::kCorrupt, "{}: field {} is missing", what_, field_id);
  return index;
}

const json::Value& RecordReader::FieldSchema(int index) const {
  return *(*fields_)[static_cast<size_t>(index)].Find("type");
}

}  // namespace millrace::iceberg
