#include "pipeline/silver/column_fill.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <algorithm>

#include "base/format.h"
#include "codec/json.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/column_builder.h"

namespace millrace::silver {
namespace {

using Kind = JsonScalar::Kind;

// nullopt for what no event holds: an object, or arrays in arrays.
std::optional<JsonScalar> ScalarOf(const json::Value& value, bool wants_double) {
  JsonScalar out;
  if (value.is_bool()) {
    out.kind = Kind::kBool;
    out.boolean = value.AsBool();
  } else if (value.is_string()) {
    out.kind = Kind::kString;
    out.text = value.AsString();
  } else if (value.is_number() && (wants_double || !value.is_integer())) {
    out.kind = Kind::kDouble;
    out.real = value.is_integer() ? static_cast<double>(value.AsInt()) : value.AsDouble();
  } else if (value.is_integer()) {
    out.kind = Kind::kInteger;
    out.integer = value.AsInt();
  } else if (!value.is_null()) {
    return std::nullopt;
  }
  return out;
}

}  // namespace

Result<DefaultValue> DecodeDefault(const AddedDefault& added, const Layout& layout,
                                   const iceberg::Schema& schema) {
  DefaultValue out;
  out.column = static_cast<size_t>(layout.FindAttnum(added.attnum));
  const SilverColumn& column = layout.columns[out.column];
  const std::string what = Format("{}: the default of column '{}'", layout.table, column.name);
  MR_ASSIGN(const json::Value parsed, json::Parse(added.missing, what));
  MR_ASSIGN(ColumnBuilder builder,
            ColumnBuilder::New(added.type, schema.FindById(column.field_id)->type));
  std::vector<JsonScalar> elements;
  std::optional<JsonScalar> scalar;
  if (parsed.is_array()) {
    for (const json::Value& item : parsed.AsArray()) {
      const auto element = ScalarOf(item, builder.wants_double());
      if (!element) return Fail(ErrorKind::kCorrupt, "{} is an array of no values", what);
      elements.push_back(*element);
    }
    scalar.emplace();
    scalar->kind = Kind::kArray;
    scalar->elements = &elements;
  } else {
    scalar = ScalarOf(parsed, builder.wants_double());
  }
  if (!scalar) return Fail(ErrorKind::kCorrupt, "{} is no value", what);
  const Status appended = builder.Append(*scalar);
  if (!appended.ok()) return appended.error().Wrap(what);
  MR_TRY(builder.Finish(&out.value, &out.text));
  return out;
}

ColumnFills::ColumnFills(std::vector<DefaultValue> values, const Layout& layout) {
  for (DefaultValue& value : values) {
    const SilverColumn& column = layout.columns[value.column];
    values_.push_back({column.field_id, std::move(value.value)});
    if (value.text) values_.push_back({column.text_field_id, std::move(value.text)});
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> ColumnFills::Read(
    table::DataReader& reader, int row_group, const std::vector<iceberg::Field>& fields) const {
  MR_ASSIGN(auto batch, reader.Read(row_group, fields));
  for (const Fill& fill : values_) {
    const auto at = std::find_if(fields.begin(), fields.end(),
                                 [&](const auto& field) { return field.id == fill.field_id; });
    if (at == fields.end()) continue;
    const auto i = static_cast<int>(at - fields.begin());
    MR_ASSIGN(const auto scalar, FromArrow(fill.value->GetScalar(0), "a column's default"));
    MR_ASSIGN(auto column, FromArrow(arrow::MakeArrayFromScalar(*scalar, batch->num_rows()),
                                     "a column's default"));
    MR_ASSIGN(batch, FromArrow(batch->SetColumn(i, batch->schema()->field(i), column),
                               "a column's default"));
  }
  return batch;
}

}  // namespace millrace::silver
