#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "codec/avro.h"
#include "iceberg/literal.h"

// Between Avro data and the values of this folder.
namespace millrace::iceberg {

// A partition value as Avro stores it; kInternal when the literal is not one of the type. Null
// gives null.
Result<avro::Datum> PartitionDatum(const Literal& value, const Type& type);
// kCorrupt when the datum is no value of the type. Integers of any width are taken (day partitions
// come as int or date).
Result<Literal> PartitionLiteral(const avro::Datum& datum, const Type& type);

// Fields of one record schema, found by id. Borrows the schema.
class RecordReader {
 public:
  RecordReader(const json::Value& record_schema, std::string_view what);

  // The field's place in the record, or -1.
  int Index(int field_id) const;
  // kCorrupt when the file has no such field.
  Result<int> RequiredIndex(int field_id) const;
  // The schema of a field. REQUIRES: index >= 0.
  const json::Value& FieldSchema(int index) const;

 private:
  const json::Value::Array* fields_ = nullptr;  // nullptr: not a record, has no fields
  std::vector<int> ids_;  // in the order of the record; -1 where a field has no id
  std::string_view what_;
};

// The field, or nullptr when the file does not have it (index -1) or it is null.
inline const avro::Datum* At(const avro::Datum& record, int index) {
  if (index < 0 || static_cast<size_t>(index) >= record.items.size()) return nullptr;
  const avro::Datum& field = record.items[static_cast<size_t>(index)];
  return field.is_null() ? nullptr : &field;
}

// The field as T (int64_t, bool, std::string ...); nullopt when absent, null or of another type.
template <typename T>
std::optional<T> ScalarAt(const avro::Datum& record, int index) {
  const avro::Datum* field = At(record, index);
  const T* value = field == nullptr ? nullptr : std::get_if<T>(&field->scalar);
  return value == nullptr ? std::nullopt : std::optional<T>(*value);
}

template <typename T>
avro::Datum OptionalDatum(const std::optional<T>& value) {
  return value ? avro::Datum(*value) : avro::Datum();
}

}  // namespace millrace::iceberg
