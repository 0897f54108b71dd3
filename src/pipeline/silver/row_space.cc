#include "pipeline/silver/row_space.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>

#include <cstring>
#include <numeric>

#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/parallel.h"

namespace millrace::silver {
namespace {

Result<std::shared_ptr<arrow::Array>> JoinChunks(const arrow::ArrayVector& chunks) {
  if (chunks.size() == 1) return chunks.front();
  return FromArrow(arrow::Concatenate(chunks), "joining decoded columns");
}

template <typename ArrayT>
bool SameValue(const arrow::Array& array, int64_t a, int64_t b) {
  const auto& typed = static_cast<const ArrayT&>(array);
  const auto x = typed.Value(a), y = typed.Value(b);
  return std::memcmp(&x, &y, sizeof x) == 0;  // floats by their bits: NaN equals NaN
}

bool SameCell(const arrow::Array& array, int64_t a, int64_t b) {
  const bool null = array.IsNull(a);
  if (null != array.IsNull(b)) return false;
  if (null) return true;
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return SameValue<arrow::BooleanArray>(array, a, b);
    case arrow::Type::INT32:
      return SameValue<arrow::Int32Array>(array, a, b);
    case arrow::Type::DATE32:
      return SameValue<arrow::Date32Array>(array, a, b);
    case arrow::Type::INT64:
      return SameValue<arrow::Int64Array>(array, a, b);
    case arrow::Type::TIME64:
      return SameValue<arrow::Time64Array>(array, a, b);
    case arrow::Type::TIMESTAMP:
      return SameValue<arrow::TimestampArray>(array, a, b);
    case arrow::Type::FLOAT:
      return SameValue<arrow::FloatArray>(array, a, b);
    case arrow::Type::DOUBLE:
      return SameValue<arrow::DoubleArray>(array, a, b);
    case arrow::Type::DECIMAL128: {
      const auto& typed = static_cast<const arrow::Decimal128Array&>(array);
      return std::memcmp(typed.GetValue(a), typed.GetValue(b), 16) == 0;
    }
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const auto& typed = static_cast<const arrow::BinaryArray&>(array);
      return typed.GetView(a) == typed.GetView(b);
    }
    default:
      return array.RangeEquals(array, a, a + 1, b, arrow::EqualOptions().nans_equal(true));
  }
}

}  // namespace

void RowSpace::Joiner::Add(const arrow::ArrayVector& values, const arrow::ArrayVector& texts,
                           int64_t rows) {
  if (rows == 0) return;
  for (size_t i = 0; i < values_.size(); ++i) {
    values_[i].push_back(values[i]);
    texts_[i].push_back(texts[i]);
  }
  chunk_rows_.push_back(rows);
  rows_ += rows;
}

bool RowSpace::Joiner::HasText(size_t column) const {
  for (const auto& chunk : texts_[column]) {
    if (chunk) return true;
  }
  return false;
}

Result<std::unique_ptr<RowSpace>> RowSpace::Joiner::Join(size_t missing_words,
                                                         std::vector<uint64_t> missing,
                                                         int threads) {
  std::unique_ptr<RowSpace> made(new RowSpace);
  made->values_.resize(values_.size());
  made->texts_.resize(values_.size());
  made->source_.resize(values_.size());
  made->missing_words_ = missing_words;
  made->missing_ = std::move(missing);
  made->rows_ = rows_;
  if (rows_ == 0) return made;
  MR_TRY(ParallelFor(values_.size(), threads, [&](size_t i) -> Status {
    MR_ASSIGN(made->values_[i], JoinChunks(values_[i]));
    values_[i].clear();
    if (!HasText(i)) return {};
    for (size_t c = 0; c < texts_[i].size(); ++c) {
      if (texts_[i][c]) continue;
      MR_ASSIGN(texts_[i][c], FromArrow(arrow::MakeArrayOfNull(arrow::utf8(), chunk_rows_[c]),
                                        "column of nulls"));
    }
    MR_ASSIGN(made->texts_[i], JoinChunks(texts_[i]));
    texts_[i].clear();
    return {};
  }));
  return made;
}

bool RowSpace::Equal(int64_t a, int64_t b) const {
  for (size_t i = 0; i < values_.size(); ++i) {
    const int64_t x = SourceOf(i, a), y = SourceOf(i, b);
    if (x == y) continue;
    if (!SameCell(*values_[i], x, y)) return false;
    if (texts_[i] && !SameCell(*texts_[i], x, y)) return false;
  }
  return true;
}

Result<EncodedKeys> RowSpace::Encode(const std::vector<size_t>& columns) const {
  if (rows_ == 0) return EncodedKeys();  // no chunk, so no arrays either
  arrow::ArrayVector parts;
  for (const size_t i : columns) parts.push_back(values_[i]);
  for (const size_t i : columns) {
    if (texts_[i]) parts.push_back(texts_[i]);
  }
  return EncodeKeys(parts, std::vector<TextRule>(parts.size(), TextRule::kAsIs), true);
}

void RowSpace::Inherit(int64_t row, int32_t missing, int64_t from) {
  const uint64_t* bitmap = missing_.data() + static_cast<size_t>(missing) * missing_words_;
  for (size_t i = 0; i < values_.size(); ++i) {
    if ((bitmap[i / 64] >> (i % 64) & 1) == 0) continue;
    if (source_[i].empty()) {
      source_[i].resize(static_cast<size_t>(rows_));
      std::iota(source_[i].begin(), source_[i].end(), 0);
    }
    source_[i][static_cast<size_t>(row)] = SourceOf(i, from);
  }
}

Result<std::shared_ptr<arrow::Array>> RowSpace::Take(const std::shared_ptr<arrow::Array>& array,
                                                     size_t column,
                                                     const std::vector<int64_t>& rows) const {
  std::vector<int64_t> resolved;
  const std::vector<int64_t>* from = &rows;
  if (!source_[column].empty()) {
    resolved.reserve(rows.size());
    for (const int64_t row : rows) resolved.push_back(SourceOf(column, row));
    from = &resolved;
  }
  const arrow::Int64Array indices(static_cast<int64_t>(from->size()), arrow::Buffer::Wrap(*from));
  return FromArrow(
      arrow::compute::Take(*array, indices, arrow::compute::TakeOptions::NoBoundsCheck()),
      "taking rows");
}

Result<std::shared_ptr<arrow::Array>> RowSpace::TakeValues(size_t column,
                                                           const std::vector<int64_t>& rows) const {
  return Take(values_[column], column, rows);
}

Result<std::shared_ptr<arrow::Array>> RowSpace::TakeTexts(size_t column,
                                                          const std::vector<int64_t>& rows) const {
  return Take(texts_[column], column, rows);
}

}  // namespace millrace::silver
