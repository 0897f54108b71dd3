#include "pipeline/silver/key_bounds.h"

#include <arrow/array.h>

#include <algorithm>

#include "iceberg/literal.h"

namespace millrace::silver {
namespace {

std::optional<int64_t> AsInteger(const iceberg::Literal& literal) {
  if (const auto* value = std::get_if<int32_t>(&literal)) return *value;
  if (const auto* value = std::get_if<int64_t>(&literal)) return *value;
  return std::nullopt;
}

// Whether a sorted list has a value in [low, high]; either end may be open.
template <typename T>
bool AnyWithin(const std::vector<T>& sorted, const std::optional<T>& low,
               const std::optional<T>& high) {
  const auto first = low ? std::lower_bound(sorted.begin(), sorted.end(), *low) : sorted.begin();
  return first != sorted.end() && (!high || *first <= *high);
}

std::optional<iceberg::Literal> Bound(const std::map<int32_t, std::string>& bounds, int32_t id,
                                      const iceberg::Type& type) {
  const auto found = bounds.find(id);
  if (found == bounds.end()) return std::nullopt;
  return iceberg::FromBytes(found->second, type);
}

}  // namespace

void KeyBounds::Add(const arrow::Array& column, int64_t row) {
  switch (column.type_id()) {
    case arrow::Type::INT32:
      integers_.push_back(static_cast<const arrow::Int32Array&>(column).Value(row));
      return;
    case arrow::Type::DATE32:
      integers_.push_back(static_cast<const arrow::Date32Array&>(column).Value(row));
      return;
    case arrow::Type::INT64:
      integers_.push_back(static_cast<const arrow::Int64Array&>(column).Value(row));
      return;
    case arrow::Type::TIME64:
      integers_.push_back(static_cast<const arrow::Time64Array&>(column).Value(row));
      return;
    case arrow::Type::TIMESTAMP:
      integers_.push_back(static_cast<const arrow::TimestampArray&>(column).Value(row));
      return;
    case arrow::Type::STRING:
      texts_.emplace_back(static_cast<const arrow::StringArray&>(column).GetView(row));
      return;
    default:
      unknown_ = true;
  }
}

void KeyBounds::Sort() {
  std::sort(integers_.begin(), integers_.end());
  std::sort(texts_.begin(), texts_.end());
}

bool KeyBounds::MayContain(const iceberg::DataFile& file) const {
  if (unknown_) return true;
  const auto low = Bound(file.lower_bounds, field_id_, *type_),
             high = Bound(file.upper_bounds, field_id_, *type_);
  if (!integers_.empty()) {
    return AnyWithin<int64_t>(integers_, low ? AsInteger(*low) : std::nullopt,
                              high ? AsInteger(*high) : std::nullopt);
  }
  if (!texts_.empty()) {
    std::optional<std::string> low_text, high_text;
    if (low) low_text = std::get<std::string>(*low);
    if (high) high_text = std::get<std::string>(*high);
    return AnyWithin<std::string>(texts_, low_text, high_text);
  }
  return false;
}

}  // namespace millrace::silver
