#include "pipeline/silver/key_codec.h"

#include <arrow/array.h>
#include <arrow/type.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/format.h"

namespace millrace::silver {
namespace {

// Big-endian with the sign bit flipped: byte order is number order.
void StoreOrdered(int64_t value, char* out) {
  const uint64_t swapped = __builtin_bswap64(static_cast<uint64_t>(value) ^ (1ULL << 63));
  std::memcpy(out, &swapped, 8);
}

int64_t FloatBits(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  const auto bits = std::bit_cast<int64_t>(value);
  return bits < 0 ? bits ^ std::numeric_limits<int64_t>::max() : bits;
}

Error NoKey() {
  return Fail(
      ErrorKind::kCorrupt,
      "a key is null, or holds a value that its Silver type cannot hold (an infinite date, "
      "NaN in numeric, more than 38 digits): such a table needs another key, or is left out "
      "(source.exclude_tables)");
}

// A key: -0 is 0.
double Plain(double value) { return value == 0 ? 0 : value; }

// The size of a column's cell where all cells have one; 0 for texts, bytes and lists.
size_t FixedWidth(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::DATE32:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      return 8;
    case arrow::Type::DECIMAL128:
      return 16;
    default:
      return 0;
  }
}

int64_t IntegerAt(const arrow::Array& column, int64_t row, bool whole_row) {
  switch (column.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(column).Value(row) ? 1 : 0;
    case arrow::Type::INT32:
      return static_cast<const arrow::Int32Array&>(column).Value(row);
    case arrow::Type::DATE32:
      return static_cast<const arrow::Date32Array&>(column).Value(row);
    case arrow::Type::TIME64:
      return static_cast<const arrow::Time64Array&>(column).Value(row);
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampArray&>(column).Value(row);
    case arrow::Type::FLOAT: {
      const double value = static_cast<const arrow::FloatArray&>(column).Value(row);
      return FloatBits(whole_row ? value : Plain(value));
    }
    case arrow::Type::DOUBLE: {
      const double value = static_cast<const arrow::DoubleArray&>(column).Value(row);
      return FloatBits(whole_row ? value : Plain(value));
    }
    default:
      return static_cast<const arrow::Int64Array&>(column).Value(row);
  }
}

void StoreFixed(const arrow::Array& column, int64_t row, bool whole_row, char* out) {
  if (column.type_id() == arrow::Type::DECIMAL128) {
    const auto* value = reinterpret_cast<const uint64_t*>(
        static_cast<const arrow::Decimal128Array&>(column).GetValue(row));
    StoreOrdered(static_cast<int64_t>(value[1]), out);
    const uint64_t low = __builtin_bswap64(value[0]);
    std::memcpy(out + 8, &low, 8);
    return;
  }
  StoreOrdered(IntegerAt(column, row, whole_row), out);
}

// Terminated by 00 00, with 00 inside written as 00 FF: no text is the start of another, and order
// is kept.
void AppendText(std::string_view text, ByteBuffer& out) {
  size_t from = 0;
  for (size_t zero = text.find('\0'); zero != std::string_view::npos;
       zero = text.find('\0', from)) {
    out.Append(text.substr(from, zero - from));
    out.Append(std::string_view("\0\xFF", 2));
    from = zero + 1;
  }
  out.Append(text.substr(from));
  out.Append(std::string_view("\0\0", 2));
}

Status AppendCell(const arrow::Array& column, int64_t row, TextRule rule, bool nulls,
                  ByteBuffer& out) {
  if (column.IsNull(row)) {
    if (!nulls) return NoKey();
    out.Append('\0');
    return {};
  }
  if (nulls) out.Append('\1');
  if (const size_t width = FixedWidth(*column.type()); width != 0) {
    StoreFixed(column, row, nulls, out.Space(width));
    out.Advance(width);
    return {};
  }
  switch (column.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      std::string_view text = static_cast<const arrow::BinaryArray&>(column).GetView(row);
      if (rule == TextRule::kCutTrailingBlanks)
        text = text.substr(0, text.find_last_not_of(' ') + 1);
      AppendText(text, out);
      return {};
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(column);
      for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
        out.Append('\1');
        MR_TRY(AppendCell(*list.values(), i, TextRule::kAsIs, true, out));
      }
      out.Append('\0');
      return {};
    }
    default:
      return Fail(ErrorKind::kInternal, "no canonical form for {}", column.type()->ToString());
  }
}

}  // namespace

Result<EncodedKeys> EncodeKeys(const arrow::ArrayVector& columns,
                               const std::vector<TextRule>& rules, bool nulls) {
  EncodedKeys keys;
  keys.rows = columns.empty() ? 0 : columns.front()->length();
  const auto rows = static_cast<size_t>(keys.rows);
  size_t width = 0;
  bool fixed = !nulls;
  for (const auto& column : columns) {
    const size_t cell = FixedWidth(*column->type());
    fixed = fixed && cell != 0;
    width += cell;
    if (!nulls && column->null_count() != 0) return NoKey();
  }
  if (fixed) {
    keys.width = width;
    char* out = keys.bytes.Space(rows * width);
    if (columns.size() == 1 && columns[0]->type_id() == arrow::Type::INT64) {
      const int64_t* values = static_cast<const arrow::Int64Array&>(*columns[0]).raw_values();
      for (size_t i = 0; i < rows; ++i) StoreOrdered(values[i], out + i * 8);
    } else {
      size_t at = 0;
      for (const auto& column : columns) {
        for (size_t i = 0; i < rows; ++i)
          StoreFixed(*column, static_cast<int64_t>(i), nulls, out + i * width + at);
        at += FixedWidth(*column->type());
      }
    }
    keys.bytes.Advance(rows * width);
    return keys;
  }
  keys.offsets.reserve(rows + 1);
  keys.offsets.push_back(0);
  for (int64_t row = 0; row < keys.rows; ++row) {
    for (size_t c = 0; c < columns.size(); ++c)
      MR_TRY(AppendCell(*columns[c], row, rules[c], nulls, keys.bytes));
    keys.offsets.push_back(keys.bytes.size());
  }
  return keys;
}

}  // namespace millrace::silver
