#include "table/arrow_schema.h"

#include <arrow/api.h>
#include <arrow/extension/uuid.h>

#include <string>

#include "base/format.h"
#include "base/text.h"
#include "table/arrow_file.h"

namespace millrace::table {
namespace {

using iceberg::TypeId;
using iceberg::TypePtr;

std::shared_ptr<arrow::Field> ArrowField(const iceberg::Field& field) {
  return arrow::field(field.name, ToArrow(*field.type), !field.required,
                      arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(field.id)}));
}

std::string Named(const std::string& column, const arrow::DataType& type) {
  return Format("column '{}' has type {}", column, type.ToString());
}

// Ids as Java gives them: all fields of a level first, then what is nested in each.
class TypeReader {
 public:
  Result<std::vector<iceberg::Field>> Fields(const arrow::FieldVector& fields) {
    std::vector<iceberg::Field> result;
    for (const auto& field : fields)
      result.push_back({next_id_++, field->name(), !field->nullable(), nullptr, ""});
    for (size_t i = 0; i < fields.size(); ++i) {
      MR_ASSIGN(result[i].type, Read(fields[i]->name(), *fields[i]->type()));
    }
    return result;
  }

 private:
  Result<TypePtr> ReadList(const std::string& column, const arrow::Field& value) {
    const int32_t id = next_id_++;
    MR_ASSIGN(TypePtr element, Read(column, *value.type()));
    return iceberg::List(id, std::move(element), !value.nullable());
  }

  Result<TypePtr> Read(const std::string& column, const arrow::DataType& type);

  int32_t next_id_ = 1;
};

Result<TypePtr> TypeReader::Read(const std::string& column, const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return iceberg::Primitive(TypeId::kBoolean);
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
      return iceberg::Primitive(TypeId::kInt);
    case arrow::Type::INT64:
    case arrow::Type::UINT32:
      return iceberg::Primitive(TypeId::kLong);
    case arrow::Type::UINT64:
      return iceberg::Decimal(20, 0);
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
      return iceberg::Primitive(TypeId::kFloat);
    case arrow::Type::DOUBLE:
      return iceberg::Primitive(TypeId::kDouble);
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(type);
      if (decimal.precision() > 38 || decimal.scale() < 0 ||
          decimal.scale() > decimal.precision()) {
        return Fail(ErrorKind::kUnsupported, "{}; cast it to a decimal of at most 38 digits",
                    Named(column, type));
      }
      return iceberg::Decimal(decimal.precision(), decimal.scale());
    }
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return iceberg::Primitive(TypeId::kDate);
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return iceberg::Primitive(TypeId::kTime);
    case arrow::Type::TIMESTAMP:
      return iceberg::Primitive(static_cast<const arrow::TimestampType&>(type).timezone().empty()
                                    ? TypeId::kTimestamp
                                    : TypeId::kTimestampTz);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return iceberg::Primitive(TypeId::kString);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
      return iceberg::Primitive(TypeId::kBinary);
    case arrow::Type::FIXED_SIZE_BINARY:
      return iceberg::Fixed(static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width());
    case arrow::Type::DICTIONARY:
      return Read(column, *static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::EXTENSION: {
      const auto& extension = static_cast<const arrow::ExtensionType&>(type);
      if (extension.extension_name() == "arrow.uuid") return iceberg::Primitive(TypeId::kUuid);
      return Read(column, *extension.storage_type());
    }
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
      return ReadList(column, *type.field(0));
    case arrow::Type::STRUCT: {
      MR_ASSIGN(auto fields, Fields(type.fields()));
      return iceberg::Struct(std::move(fields));
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      const int32_t key_id = next_id_++;
      const int32_t value_id = next_id_++;
      MR_ASSIGN(TypePtr key, Read(column, *map.key_type()));
      MR_ASSIGN(TypePtr value, Read(column, *map.item_type()));
      return iceberg::Map(key_id, std::move(key), value_id, std::move(value),
                          !map.item_field()->nullable());
    }
    default:
      return Fail(ErrorKind::kUnsupported, "{}, which Iceberg lacks; cast it in the query",
                  Named(column, type));
  }
}

}  // namespace

std::shared_ptr<arrow::DataType> ToArrow(const iceberg::Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return arrow::boolean();
    case TypeId::kInt:
      return arrow::int32();
    case TypeId::kLong:
      return arrow::int64();
    case TypeId::kFloat:
      return arrow::float32();
    case TypeId::kDouble:
      return arrow::float64();
    case TypeId::kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case TypeId::kDate:
      return arrow::date32();
    case TypeId::kTime:
      return arrow::time64(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeId::kTimestampTz:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeId::kString:
      return arrow::utf8();
    case TypeId::kUuid:
      return arrow::fixed_size_binary(16);
    case TypeId::kFixed:
      return arrow::fixed_size_binary(type.length);
    case TypeId::kBinary:
      return arrow::binary();
    case TypeId::kStruct: {
      arrow::FieldVector fields;
      for (const iceberg::Field& field : type.fields) fields.push_back(ArrowField(field));
      return arrow::struct_(std::move(fields));
    }
    case TypeId::kList:
      return arrow::list(ArrowField(type.fields[0]));
    case TypeId::kMap:
      return std::make_shared<arrow::MapType>(ArrowField(type.fields[0]),
                                              ArrowField(type.fields[1]));
  }
  return nullptr;
}

std::shared_ptr<arrow::Schema> ToArrow(const iceberg::Schema& schema) {
  arrow::FieldVector fields;
  for (const iceberg::Field& field : schema.fields) fields.push_back(ArrowField(field));
  return arrow::schema(std::move(fields));
}

Result<iceberg::Schema> FromArrow(const arrow::Schema& schema) {
  TypeReader reader;
  iceberg::Schema result;
  MR_ASSIGN(result.fields, reader.Fields(schema.fields()));
  return result;
}

Status FromArrowStatus(const arrow::Status& status, const char* what) {
  if (status.ok()) return {};
  if (const Error* ours = ErrorIn(status)) return ours->Wrap(what);
  ErrorKind kind = ErrorKind::kInternal;
  if (status.IsIOError()) {
    // Failures of the store are told apart above: this is Parquet's word for bytes that make no
    // sense.
    return Fail(ErrorKind::kCorrupt, "{}: {}; restore it from a backup", what,
                Trim(status.message()));
  } else if (status.IsOutOfMemory() || status.IsCapacityError()) {
    kind = ErrorKind::kOutOfSpace;
  } else if (status.IsInvalid() || status.IsSerializationError()) {
    kind = ErrorKind::kCorrupt;
  } else if (status.IsNotImplemented() || status.IsTypeError()) {
    kind = ErrorKind::kUnsupported;
  } else if (status.IsCancelled()) {
    kind = ErrorKind::kCancelled;
  }
  return Fail(kind, "{}: {}", what, status.message());
}

}  // namespace millrace::table
