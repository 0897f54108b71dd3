#include "table/projection.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/util/bitmap_ops.h>

#include "base/format.h"
#include "base/text.h"
#include "table/arrow_schema.h"

namespace millrace::table {
namespace {

using iceberg::TypeId;

// How the children of a nested type find their counterparts.
enum class Match { kById, kByPlace };

Result<std::shared_ptr<arrow::Array>> Convert(const arrow::Field& from,
                                              const std::shared_ptr<arrow::Array>& array,
                                              const iceberg::Field& to, Match match);

// The validity bits of an array, moved to offset 0.
Result<std::shared_ptr<arrow::Buffer>> Validity(const arrow::Array& array) {
  if (array.null_bitmap() == nullptr || array.null_count() == 0)
    return std::shared_ptr<arrow::Buffer>();
  if (array.offset() == 0) return array.null_bitmap();
  auto copy = arrow::internal::CopyBitmap(arrow::default_memory_pool(), array.null_bitmap_data(),
                                          array.offset(), array.length());
  MR_TRY(FromArrowStatus(copy.status(), "copying validity bits"));
  return std::move(copy).ValueUnsafe();
}

Result<std::shared_ptr<arrow::Array>> ConvertStruct(const std::shared_ptr<arrow::Array>& array,
                                                    const iceberg::Field& to, Match match) {
  const auto& from = static_cast<const arrow::StructArray&>(*array);
  const arrow::StructType& type = *from.struct_type();
  arrow::ArrayVector children;
  for (size_t i = 0; i < to.type->fields.size(); ++i) {
    const iceberg::Field& wanted = to.type->fields[i];
    int found = match == Match::kByPlace && static_cast<int>(i) < type.num_fields()
                    ? static_cast<int>(i)
                    : -1;
    for (int child = 0; match == Match::kById && child < type.num_fields(); ++child) {
      if (FieldId(*type.field(child)) == wanted.id) found = child;
    }
    if (found < 0) {
      MR_ASSIGN(auto nulls, NullColumn(wanted, array->length()));
      children.push_back(std::move(nulls));
    } else {
      MR_ASSIGN(auto child, Convert(*type.field(found), from.field(found), wanted, match));
      children.push_back(std::move(child));
    }
  }
  MR_ASSIGN(auto validity, Validity(*array));
  return std::shared_ptr<arrow::Array>(
      std::make_shared<arrow::StructArray>(ToArrow(*to.type), array->length(), std::move(children),
                                           std::move(validity), array->null_count()));
}

Result<std::shared_ptr<arrow::Array>> ConvertList(const std::shared_ptr<arrow::Array>& array,
                                                  const iceberg::Field& to, Match match) {
  if (array->type_id() != arrow::Type::LIST) {
    auto cast = arrow::compute::Cast(*array, arrow::list(array->type()->field(0)));
    MR_TRY(FromArrowStatus(cast.status(), to.name.c_str()));
    return ConvertList(std::move(cast).ValueUnsafe(), to, match);
  }
  const auto& from = static_cast<const arrow::ListArray&>(*array);
  MR_ASSIGN(auto values,
            Convert(*array->type()->field(0), from.values(), to.type->fields[0], match));
  return std::shared_ptr<arrow::Array>(std::make_shared<arrow::ListArray>(
      ToArrow(*to.type), array->length(), from.value_offsets(), std::move(values),
      array->null_bitmap(), array->null_count(), array->offset()));
}

Result<std::shared_ptr<arrow::Array>> ConvertMap(const std::shared_ptr<arrow::Array>& array,
                                                 const iceberg::Field& to, Match match) {
  const auto& from = static_cast<const arrow::MapArray&>(*array);
  const auto& type = static_cast<const arrow::MapType&>(*array->type());
  MR_ASSIGN(auto keys, Convert(*type.key_field(), from.keys(), to.type->fields[0], match));
  MR_ASSIGN(auto items, Convert(*type.item_field(), from.items(), to.type->fields[1], match));
  return std::shared_ptr<arrow::Array>(std::make_shared<arrow::MapArray>(
      ToArrow(*to.type), array->length(), from.value_offsets(), std::move(keys), std::move(items),
      array->null_bitmap(), array->null_count(), array->offset()));
}

Result<std::shared_ptr<arrow::Array>> Convert(const arrow::Field& from,
                                              const std::shared_ptr<arrow::Array>& array,
                                              const iceberg::Field& to, Match match) {
  if (array->type_id() == arrow::Type::EXTENSION) {
    return Convert(from, static_cast<const arrow::ExtensionArray&>(*array).storage(), to, match);
  }
  const arrow::Type::type have = array->type_id();
  switch (to.type->id) {
    case TypeId::kStruct:
      if (have == arrow::Type::STRUCT) return ConvertStruct(array, to, match);
      break;
    case TypeId::kList:
      if (have == arrow::Type::LIST || have == arrow::Type::LARGE_LIST ||
          have == arrow::Type::FIXED_SIZE_LIST) {
        return ConvertList(array, to, match);
      }
      break;
    case TypeId::kMap:
      if (have == arrow::Type::MAP) return ConvertMap(array, to, match);
      break;
    default: {
      const std::shared_ptr<arrow::DataType> wanted = ToArrow(*to.type);
      if (array->type()->Equals(*wanted)) return array;
      auto cast = arrow::compute::Cast(*array, wanted);
      MR_TRY(FromArrowStatus(cast.status(), to.name.c_str()));
      return std::move(cast).ValueUnsafe();
    }
  }
  return Fail(ErrorKind::kCorrupt, "column '{}' holds {} where {} is declared", to.name,
              array->type()->ToString(), iceberg::ToString(*to.type));
}

}  // namespace

int32_t FieldId(const arrow::Field& field) {
  if (!field.HasMetadata()) return -1;
  const auto id = field.metadata()->Get("PARQUET:field_id");
  return id.ok() ? ParseInt<int32_t>(*id).value_or(-1) : -1;
}

Result<std::shared_ptr<arrow::Array>> Project(const arrow::Field& from,
                                              const std::shared_ptr<arrow::Array>& array,
                                              const iceberg::Field& to) {
  return Convert(from, array, to, Match::kById);
}

Result<std::shared_ptr<arrow::Array>> NullColumn(const iceberg::Field& field, int64_t length) {
  auto nulls = arrow::MakeArrayOfNull(ToArrow(*field.type), length);
  MR_TRY(FromArrowStatus(nulls.status(), field.name.c_str()));
  return std::move(nulls).ValueUnsafe();
}

Result<std::shared_ptr<arrow::RecordBatch>> CastBatch(const arrow::RecordBatch& batch,
                                                      const iceberg::Schema& schema) {
  if (static_cast<size_t>(batch.num_columns()) != schema.fields.size()) {
    return Fail(ErrorKind::kInvalidInput, "{} columns where the table has {}", batch.num_columns(),
                schema.fields.size());
  }
  arrow::ArrayVector columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    MR_ASSIGN(auto column, Convert(*batch.schema()->field(i), batch.column(i),
                                   schema.fields[static_cast<size_t>(i)], Match::kByPlace));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(ToArrow(schema), batch.num_rows(), std::move(columns));
}

}  // namespace millrace::table
