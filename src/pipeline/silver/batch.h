#pragma once

#include <vector>

#include "base/result.h"
#include "pipeline/silver/event_decoder.h"
#include "pipeline/silver/key_bounds.h"
#include "pipeline/silver/key_codec.h"
#include "pipeline/silver/key_index.h"
#include "pipeline/silver/row_space.h"

namespace millrace::silver {

// All decoded files of one table in one cut, joined: events in stream order with keys and rows
// numbered throughout.
struct Batch {
  explicit Batch(size_t columns) : images(columns) {}
  std::vector<Event> events;
  KeyIndex keys;            // of a table without a key: contents of rows, while there is one epoch
  RowSpace::Joiner images;  // of the events; open versions of the table are added behind them
  size_t missing_words = 0;
  std::vector<uint64_t> missing;
  // Key columns and the number of each of their rows: for bounds.
  std::vector<arrow::ArrayVector> key_columns;
  std::vector<std::vector<int32_t>> key_numbers;
  bool has_truncate = false;
  // Tables without a key: the columns by which rows are told apart, per epoch. They change where a
  // column comes or goes.
  std::vector<std::vector<size_t>> epochs;
};

// How each key column's texts are compared, in key order.
std::vector<TextRule> KeyRules(const Layout& layout);

// The layout's columns that the table has in the file's schema version.
std::vector<size_t> PresentColumns(const DecodedFile& file, const Layout& layout);

// `layout` has the text columns that the files need.
Result<Batch> JoinFiles(std::vector<DecodedFile> files, const Layout& layout, int threads);

// Bounds of the keys for which `wanted` is set.
KeyBounds BoundsOf(const Batch& batch, const Layout& layout, const iceberg::Schema& schema,
                   const std::vector<bool>& wanted);

}  // namespace millrace::silver
