#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/byte_buffer.h"
#include "base/result.h"

namespace millrace::silver {

// The canonical bytes of many rows: equal exactly when the rows are, and in the order of the rows
// for integers, times, texts and bytes.
struct EncodedKeys {
  ByteBuffer bytes;
  size_t width = 0;               // each row's size when all have the same; else 0
  std::vector<uint64_t> offsets;  // rows + 1, when width is 0
  int64_t rows = 0;

  std::string_view operator[](int64_t row) const {
    const auto i = static_cast<size_t>(row);
    if (width != 0) return bytes.view(i * width, width);
    return bytes.view(offsets[i], offsets[i + 1] - offsets[i]);
  }
};

// What is done to a text before it is compared.
enum class TextRule : uint8_t { kAsIs, kCutTrailingBlanks /* char(n) */ };

// Encodes rows of `columns`, all of one length. Without `nulls` they are keys: a null is kCorrupt,
// and in floating point -0 is 0. With `nulls` they are whole rows, told apart by what PostgreSQL
// prints: null is a value of its own, and so is -0. All NaN are one. `rules` has one entry per
// column.
Result<EncodedKeys> EncodeKeys(const arrow::ArrayVector& columns,
                               const std::vector<TextRule>& rules, bool nulls);

}  // namespace millrace::silver
