#include "table/column_metrics.h"

#include <arrow/api.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "base/format.h"
#include "table/arrow_schema.h"

namespace millrace::table {
namespace {

using iceberg::Int128;
using iceberg::Literal;
using iceberg::TypeId;

void Widen(const Literal& lower, const Literal& upper, Literal& low, Literal& high) {
  if (iceberg::IsNull(low) || iceberg::Compare(lower, low) < 0) low = lower;
  if (iceberg::IsNull(high) || iceberg::Compare(upper, high) > 0) high = upper;
}

// Calls `visit(i)` for each valid slot; without nulls a plain loop that the compiler can vectorise.
template <typename Visit>
void VisitValid(const arrow::Array& array, Visit visit) {
  const int64_t n = array.length();
  if (array.null_count() == 0) {
    for (int64_t i = 0; i < n; ++i) visit(i);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      if (array.IsValid(i)) visit(i);
    }
  }
}

template <typename Value, typename Get>
void AddOrdered(const arrow::Array& array, Get get, Literal& low, Literal& high) {
  bool any = false;
  Value min{}, max{};
  VisitValid(array, [&](int64_t i) {
    const Value v = get(i);
    if (!any) {
      min = max = v;
      any = true;
    } else {
      if (v < min) min = v;
      if (max < v) max = v;
    }
  });
  if (!any) return;
  if constexpr (std::is_same_v<Value, std::string_view>) {
    // Bounds move seldom: build strings only when they do.
    if (iceberg::IsNull(low) || min < std::get<std::string>(low)) low = std::string(min);
    if (iceberg::IsNull(high) || max > std::get<std::string>(high)) high = std::string(max);
  } else {
    Widen(min, max, low, high);
  }
}

template <typename Value, typename ArrayType>
void AddNumbers(const arrow::Array& array, Literal& low, Literal& high) {
  const auto* values = static_cast<const ArrayType&>(array).raw_values();
  AddOrdered<Value>(
      array, [values](int64_t i) { return static_cast<Value>(values[i]); }, low, high);
}

// NaN has no place in bounds. A zero bound takes the sign that includes both zeros.
template <typename Value, typename ArrayType>
void AddFloats(const arrow::Array& array, int64_t& nans, Literal& low, Literal& high) {
  const auto* values = static_cast<const ArrayType&>(array).raw_values();
  bool any = false;
  Value min{}, max{};
  VisitValid(array, [&](int64_t i) {
    const Value v = values[i];
    if (std::isnan(v)) {
      ++nans;
      return;
    }
    if (!any || v < min) min = v;
    if (!any || v > max) max = v;
    any = true;
  });
  if (!any) return;
  if (min == 0) min = -Value{0};
  if (max == 0) max = Value{0};
  Widen(min, max, low, high);
}

template <typename ArrayType>
void AddBytes(const arrow::Array& array, Literal& low, Literal& high) {
  const auto& typed = static_cast<const ArrayType&>(array);
  AddOrdered<std::string_view>(
      array, [&typed](int64_t i) { return typed.GetView(i); }, low, high);
}

void AddDecimals(const arrow::Array& array, Literal& low, Literal& high) {
  const auto& typed = static_cast<const arrow::Decimal128Array&>(array);
  const uint8_t* raw = typed.raw_values();
  AddOrdered<Int128>(
      array,
      [raw](int64_t i) {
        Int128 value;
        std::memcpy(&value, raw + i * 16, 16);
        return value;
      },
      low, high);
}

}  // namespace

ColumnMetrics::ColumnMetrics(const iceberg::Schema& schema, size_t max_columns) {
  std::vector<Leaf> all;
  std::vector<int> path;
  Collect(schema.fields, path, all);
  const auto& keys = schema.identifier_field_ids;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool key = std::find(keys.begin(), keys.end(), all[i].id) != keys.end();
    if (i < max_columns || key) leaves_.push_back(std::move(all[i]));
  }
}

void ColumnMetrics::Collect(const std::vector<iceberg::Field>& fields, std::vector<int>& path,
                            std::vector<Leaf>& out) const {
  for (size_t i = 0; i < fields.size(); ++i) {
    path.push_back(static_cast<int>(i));
    if (fields[i].type->id == TypeId::kStruct) {
      Collect(fields[i].type->fields, path, out);
    } else if (!fields[i].type->is_nested()) {
      Leaf leaf;
      leaf.path = path;
      leaf.id = fields[i].id;
      leaf.type = fields[i].type;
      out.push_back(std::move(leaf));
    }
    path.pop_back();
  }
}

Status ColumnMetrics::Add(const arrow::RecordBatch& batch) {
  for (Leaf& leaf : leaves_) {
    std::shared_ptr<arrow::Array> array = batch.column(leaf.path[0]);
    for (size_t depth = 1; depth < leaf.path.size(); ++depth) {
      // Flatten merges the struct's nulls into the child's.
      auto children = static_cast<const arrow::StructArray&>(*array).Flatten();
      MR_TRY(FromArrowStatus(children.status(), "flattening a struct"));
      array = (*children)[static_cast<size_t>(leaf.path[depth])];
    }
    MR_TRY(AddArray(*array, leaf));
  }
  return {};
}

Status ColumnMetrics::AddArray(const arrow::Array& array, Leaf& leaf) {
  if (!array.type()->Equals(*ToArrow(*leaf.type))) {
    return Fail(ErrorKind::kInternal, "column {} comes as {} where {} is written", leaf.id,
                array.type()->ToString(), iceberg::ToString(*leaf.type));
  }
  leaf.values += array.length();
  leaf.nulls += array.null_count();
  switch (leaf.type->id) {
    case TypeId::kBoolean: {
      const auto& typed = static_cast<const arrow::BooleanArray&>(array);
      AddOrdered<bool>(
          array, [&typed](int64_t i) { return typed.Value(i); }, leaf.lower, leaf.upper);
      break;
    }
    case TypeId::kInt:
      AddNumbers<int32_t, arrow::Int32Array>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kDate:
      AddNumbers<int32_t, arrow::Date32Array>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kLong:
      AddNumbers<int64_t, arrow::Int64Array>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kTime:
      AddNumbers<int64_t, arrow::Time64Array>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      AddNumbers<int64_t, arrow::TimestampArray>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kFloat:
      AddFloats<float, arrow::FloatArray>(array, leaf.nans, leaf.lower, leaf.upper);
      break;
    case TypeId::kDouble:
      AddFloats<double, arrow::DoubleArray>(array, leaf.nans, leaf.lower, leaf.upper);
      break;
    case TypeId::kDecimal:
      AddDecimals(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kString:
      AddBytes<arrow::StringArray>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kBinary:
      AddBytes<arrow::BinaryArray>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kUuid:
    case TypeId::kFixed:
      AddBytes<arrow::FixedSizeBinaryArray>(array, leaf.lower, leaf.upper);
      break;
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      break;
  }
  return {};
}

void ColumnMetrics::Fill(iceberg::DataFile& file) const {
  for (const Leaf& leaf : leaves_) {
    file.value_counts[leaf.id] = leaf.values;
    file.null_value_counts[leaf.id] = leaf.nulls;
    if (leaf.type->id == TypeId::kFloat || leaf.type->id == TypeId::kDouble) {
      file.nan_value_counts[leaf.id] = leaf.nans;
    }
    if (iceberg::IsNull(leaf.lower)) continue;
    if (leaf.type->id == TypeId::kString || leaf.type->id == TypeId::kBinary) {
      file.lower_bounds[leaf.id] =
          iceberg::TruncateLower(std::get<std::string>(leaf.lower), *leaf.type);
      const auto upper = iceberg::TruncateUpper(std::get<std::string>(leaf.upper), *leaf.type);
      if (upper.has_value()) file.upper_bounds[leaf.id] = *upper;
    } else {
      file.lower_bounds[leaf.id] = iceberg::ToBytes(leaf.lower, *leaf.type);
      file.upper_bounds[leaf.id] = iceberg::ToBytes(leaf.upper, *leaf.type);
    }
  }
}

}  // namespace millrace::table
