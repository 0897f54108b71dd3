#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/fold.h"
#include "pipeline/silver/key_codec.h"

namespace millrace::silver {

// All row images of one merge, column by column: those of the events first, then the open versions
// that the table had. A row is a number. A value that was not sent lives in an earlier row; each
// column knows where.
class RowSpace final : public FoldRows {
 public:
  // Chunks are joined in order. `texts` may hold nullptr chunks (all null); a column whose text
  // chunks are all nullptr has none.
  class Joiner {
   public:
    explicit Joiner(size_t columns) : values_(columns), texts_(columns) {}
    void Add(const arrow::ArrayVector& values, const arrow::ArrayVector& texts, int64_t rows);
    Result<std::unique_ptr<RowSpace>> Join(size_t missing_words, std::vector<uint64_t> missing,
                                           int threads);
    int64_t rows() const { return rows_; }
    bool HasText(size_t column) const;

   private:
    std::vector<arrow::ArrayVector> values_, texts_;
    std::vector<int64_t> chunk_rows_;
    int64_t rows_ = 0;
  };

  bool Equal(int64_t a, int64_t b) const override;
  void Inherit(int64_t row, int32_t missing, int64_t from) override;

  // The contents of every row, in the given columns, as bytes. Inherited values are not looked at.
  Result<EncodedKeys> Encode(const std::vector<size_t>& columns) const;

  int64_t rows() const { return rows_; }
  size_t columns() const { return values_.size(); }
  bool HasText(size_t column) const { return texts_[column] != nullptr; }
  // The given rows of one column, with inherited values in place.
  Result<std::shared_ptr<arrow::Array>> TakeValues(size_t column,
                                                   const std::vector<int64_t>& rows) const;
  Result<std::shared_ptr<arrow::Array>> TakeTexts(size_t column,
                                                  const std::vector<int64_t>& rows) const;

 private:
  RowSpace() = default;
  int64_t SourceOf(size_t column, int64_t row) const {
    const std::vector<int64_t>& source = source_[column];
    return source.empty() ? row : source[static_cast<size_t>(row)];
  }
  Result<std::shared_ptr<arrow::Array>> Take(const std::shared_ptr<arrow::Array>& array,
                                             size_t column, const std::vector<int64_t>& rows) const;

  arrow::ArrayVector values_, texts_;         // texts_: nullptr where a column has none
  std::vector<std::vector<int64_t>> source_;  // per column; empty: every row has its own value
  size_t missing_words_ = 0;
  std::vector<uint64_t> missing_;
  int64_t rows_ = 0;
};

}  // namespace millrace::silver
