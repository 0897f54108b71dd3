#include "app/cell_text.h"

#include <arrow/api.h>

#include <cmath>

#include "base/byte_buffer.h"
#include "base/text.h"
#include "codec/json.h"

namespace millrace::app {
namespace {

std::string Quoted(std::string_view text) {
  ByteBuffer buffer;
  json::AppendQuoted(buffer, text);
  return std::string(buffer.view());
}

// The elements [from, to) of a list's values.
std::string ListJson(const arrow::Array& values, int64_t from, int64_t to) {
  std::string out = "[";
  for (int64_t i = from; i < to; ++i) out += (i == from ? "" : ",") + CellJson(values, i);
  return out + "]";
}

// "2026-11-24 22:38:39.5" or with Z, as ISO 8601 with T; other scalars unchanged.
std::string IsoTime(std::string text) {
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  if (const size_t dot = text.find('.'); dot != std::string::npos) {
    size_t end = text.find_first_not_of("0123456789", dot + 1);
    if (end == std::string::npos) end = text.size();
    size_t keep = end;
    while (keep > dot + 1 && text[keep - 1] == '0') --keep;
    if (keep == dot + 1) keep = dot;
    text.erase(keep, end - keep);
  }
  return text;
}

}  // namespace

bool IsNumeric(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || arrow::is_floating(type.id()) ||
         arrow::is_decimal(type.id());
}

std::string CellText(const arrow::Array& column, int64_t row) {
  switch (column.type_id()) {
    case arrow::Type::STRING:
      return std::string(static_cast<const arrow::StringArray&>(column).GetView(row));
    case arrow::Type::LARGE_STRING:
      return std::string(static_cast<const arrow::LargeStringArray&>(column).GetView(row));
    case arrow::Type::STRING_VIEW:
      return std::string(static_cast<const arrow::StringViewArray&>(column).GetView(row));
    case arrow::Type::BINARY:
      return "\\x" + ToHex(static_cast<const arrow::BinaryArray&>(column).GetView(row));
    case arrow::Type::LARGE_BINARY:
      return "\\x" + ToHex(static_cast<const arrow::LargeBinaryArray&>(column).GetView(row));
    case arrow::Type::FIXED_SIZE_BINARY:
      return "\\x" + ToHex(static_cast<const arrow::FixedSizeBinaryArray&>(column).GetView(row));
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(column);
      return ListJson(*list.values(), list.value_offset(row), list.value_offset(row + 1));
    }
    case arrow::Type::LARGE_LIST: {
      const auto& list = static_cast<const arrow::LargeListArray&>(column);
      return ListJson(*list.values(), list.value_offset(row), list.value_offset(row + 1));
    }
    case arrow::Type::STRUCT: {
      const auto& object = static_cast<const arrow::StructArray&>(column);
      std::string out = "{";
      for (int i = 0; i < object.num_fields(); ++i) {
        out += (i == 0 ? "" : ",") + Quoted(object.type()->field(i)->name()) + ":" +
               CellJson(*object.field(i), row);
      }
      return out + "}";
    }
    case arrow::Type::EXTENSION:
      return CellText(*static_cast<const arrow::ExtensionArray&>(column).storage(), row);
    default: {
      const auto scalar = column.GetScalar(row);
      if (!scalar.ok()) return "?";
      const std::string text = (*scalar)->ToString();
      return column.type_id() == arrow::Type::TIMESTAMP || column.type_id() == arrow::Type::TIME64
                 ? IsoTime(text)
                 : text;
    }
  }
}

std::string CellJson(const arrow::Array& column, int64_t row) {
  if (column.IsNull(row)) return "null";
  const arrow::Type::type type = column.type_id();
  const std::string text = CellText(column, row);
  if (type == arrow::Type::LIST || type == arrow::Type::LARGE_LIST || type == arrow::Type::STRUCT ||
      type == arrow::Type::BOOL)
    return text;
  if (type == arrow::Type::DOUBLE || type == arrow::Type::FLOAT) {
    const double value =
        type == arrow::Type::DOUBLE
            ? static_cast<const arrow::DoubleArray&>(column).Value(row)
            : static_cast<double>(static_cast<const arrow::FloatArray&>(column).Value(row));
    return std::isfinite(value) ? text : Quoted(text);
  }
  return IsNumeric(*column.type()) ? text : Quoted(text);
}

}  // namespace millrace::app
