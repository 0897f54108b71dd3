#include "pipeline/silver/batch.h"

#include <arrow/array.h>
#include <arrow/array/util.h>

#include <algorithm>
#include <limits>

#include "base/format.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/fold.h"
#include "pipeline/silver/parallel.h"

namespace millrace::silver {

namespace {

// Rows of a file as keys, in the order in which lookups read the columns: values, then the texts
// that the table has.
Result<EncodedKeys> EncodeContents(const DecodedFile& file, const Layout& layout,
                                   const std::vector<size_t>& columns) {
  arrow::ArrayVector parts;
  for (const size_t i : columns) parts.push_back(file.values[i]);
  for (const size_t i : columns) {
    if (layout.columns[i].text_field_id == 0) continue;
    parts.push_back(file.texts[i]);
    if (parts.back()) continue;
    MR_ASSIGN(parts.back(),
              FromArrow(arrow::MakeArrayOfNull(arrow::utf8(), file.rows), "column of nulls"));
  }
  return EncodeKeys(parts, std::vector<TextRule>(parts.size(), TextRule::kAsIs), true);
}

// Numbers the epochs of the files, and lists their columns.
std::vector<int32_t> FindEpochs(const std::vector<DecodedFile>& files, const Layout& layout,
                                std::vector<std::vector<size_t>>& epochs) {
  std::vector<int32_t> of_file;
  for (const DecodedFile& file : files) {
    std::vector<size_t> columns = PresentColumns(file, layout);
    if (epochs.empty() || epochs.back() != columns) epochs.push_back(std::move(columns));
    of_file.push_back(static_cast<int32_t>(epochs.size()) - 1);
  }
  return of_file;
}

}  // namespace

std::vector<TextRule> KeyRules(const Layout& layout) {
  std::vector<TextRule> rules;
  for (const SilverColumn* column : layout.KeyColumns()) {
    const bool padded =
        column->type_name.starts_with("character(") || column->type_name == "bpchar";
    rules.push_back(padded ? TextRule::kCutTrailingBlanks : TextRule::kAsIs);
  }
  return rules;
}

std::vector<size_t> PresentColumns(const DecodedFile& file, const Layout& layout) {
  std::vector<size_t> columns;
  for (size_t i = 0; i < layout.columns.size(); ++i) {
    if (!std::binary_search(file.absent.begin(), file.absent.end(), i)) columns.push_back(i);
  }
  return columns;
}

Result<Batch> JoinFiles(std::vector<DecodedFile> files, const Layout& layout, int threads) {
  Batch batch(layout.columns.size());
  const std::vector<TextRule> rules = KeyRules(layout);
  const bool keyed = layout.keyed();
  std::vector<int32_t> epoch_of_file(files.size(), 0);
  if (!keyed) epoch_of_file = FindEpochs(files, layout, batch.epochs);
  std::vector<EncodedKeys> encoded(files.size());
  MR_TRY(ParallelFor(files.size(), threads, [&](size_t i) -> Status {
    if (keyed) {
      MR_ASSIGN(encoded[i], EncodeKeys(files[i].keys, rules, false));
    } else if (batch.epochs.size() == 1) {
      MR_ASSIGN(encoded[i], EncodeContents(files[i], layout, batch.epochs.front()));
    }
    return {};
  }));
  size_t events = 0, rows = 0;
  for (const DecodedFile& file : files) {
    events += file.events.size();
    rows += static_cast<size_t>(file.rows);
  }
  if (rows > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return Fail(ErrorKind::kOutOfSpace, "{}: {} rows in one merge; lower the size of a cut",
                layout.table, rows);
  }
  batch.events.reserve(events);
  for (size_t f = 0; f < files.size(); ++f) {
    DecodedFile& file = files[f];
    std::vector<int32_t> numbers(static_cast<size_t>(encoded[f].rows));
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = batch.keys.Insert(encoded[f][static_cast<int64_t>(i)]);
    const auto row_base = static_cast<int32_t>(batch.images.rows());
    batch.missing_words = file.missing_words;
    const auto missing_base =
        static_cast<int32_t>(batch.missing.size() / std::max<size_t>(file.missing_words, 1));
    for (Event event : file.events) {
      event.epoch = epoch_of_file[f];
      if (event.key >= 0) event.key = numbers[static_cast<size_t>(event.key)];
      if (event.old_key >= 0) event.old_key = numbers[static_cast<size_t>(event.old_key)];
      if (event.row >= 0) event.row += row_base;
      if (event.before >= 0) event.before += row_base;
      if (event.missing >= 0) event.missing += missing_base;
      batch.has_truncate = batch.has_truncate || event.op == 't';
      batch.events.push_back(event);
    }
    batch.missing.insert(batch.missing.end(), file.missing.begin(), file.missing.end());
    batch.images.Add(file.values, file.texts, file.rows);
    batch.key_columns.push_back(std::move(file.keys));
    batch.key_numbers.push_back(std::move(numbers));
    file = DecodedFile();
  }
  SortEvents(batch.events);
  return batch;
}

KeyBounds BoundsOf(const Batch& batch, const Layout& layout, const iceberg::Schema& schema,
                   const std::vector<bool>& wanted) {
  const SilverColumn& first = *layout.KeyColumns().front();
  const bool padded = KeyRules(layout).front() == TextRule::kCutTrailingBlanks;
  KeyBounds bounds(first.field_id, schema.FindById(first.field_id)->type, padded);
  std::vector<bool> done(wanted.size(), false);
  for (size_t f = 0; f < batch.key_numbers.size(); ++f) {
    const std::vector<int32_t>& numbers = batch.key_numbers[f];
    for (size_t row = 0; row < numbers.size(); ++row) {
      const auto key = static_cast<size_t>(numbers[row]);
      if (!wanted[key] || done[key]) continue;
      done[key] = true;
      bounds.Add(*batch.key_columns[f].front(), static_cast<int64_t>(row));
    }
  }
  bounds.Sort();
  return bounds;
}

}  // namespace millrace::silver
