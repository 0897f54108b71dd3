#include "pipeline/silver/key_passes.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>

#include <algorithm>

#include "codec/hash.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/batch.h"

namespace millrace::silver {
namespace {

constexpr size_t kSample = 1 << 15;  // keys; above it every second one is dropped

// What decides about an event's pass: rows of the key columns, or contents of the images.
Result<EncodedKeys> PassKeys(const DecodedFile& file, const Layout& layout) {
  if (layout.keyed()) return EncodeKeys(file.keys, KeyRules(layout), false);
  return EncodeValues(file.values, PresentColumns(file, layout));
}

int32_t PassKey(const Event& event, bool keyed) {
  return keyed ? event.key : event.row >= 0 ? event.row : event.before;
}

Status TakeRows(arrow::ArrayVector& columns, const std::vector<int64_t>& rows) {
  const arrow::Int64Array indices(static_cast<int64_t>(rows.size()), arrow::Buffer::Wrap(rows));
  for (auto& column : columns) {
    if (!column) continue;
    MR_ASSIGN(column, FromArrow(arrow::compute::Take(*column, indices,
                                                     arrow::compute::TakeOptions::NoBoundsCheck()),
                                "taking the rows of a pass"));
  }
  return {};
}

// One pass's part of a file in the making.
struct Part {
  DecodedFile file;
  std::vector<int64_t> rows, key_rows;  // of the whole file

  // Old row number to new one. An event has its rows to itself.
  static void Move(int32_t& row, std::vector<int64_t>& kept) {
    if (row < 0) return;
    kept.push_back(row);
    row = static_cast<int32_t>(kept.size()) - 1;
  }
  void Add(Event event, const DecodedFile& whole) {
    // Without an unsent value the old key is of no use, and may belong to another pass.
    if (event.missing < 0) event.old_key = -1;
    Move(event.before, rows);
    Move(event.row, rows);
    Move(event.key, key_rows);
    Move(event.old_key, key_rows);
    if (event.missing >= 0) {
      const auto words = static_cast<std::ptrdiff_t>(whole.missing_words);
      const auto bitmap = whole.missing.begin() + event.missing * words;
      event.missing = static_cast<int32_t>(file.missing.size() / whole.missing_words);
      file.missing.insert(file.missing.end(), bitmap, bitmap + words);
    }
    file.events.push_back(event);
  }
  Status Finish(const DecodedFile& whole) {
    file.values = whole.values;
    file.texts = whole.texts;
    file.keys = whole.keys;
    file.missing_words = whole.missing_words;
    file.absent = whole.absent;
    MR_TRY(TakeRows(file.values, rows));
    MR_TRY(TakeRows(file.texts, rows));
    MR_TRY(TakeRows(file.keys, key_rows));
    file.rows = static_cast<int64_t>(rows.size());
    file.key_rows = static_cast<int64_t>(key_rows.size());
    return {};
  }
};

}  // namespace

Result<EncodedKeys> EncodeValues(const arrow::ArrayVector& values,
                                 const std::vector<size_t>& columns) {
  arrow::ArrayVector parts;
  for (const size_t i : columns) parts.push_back(values[i]);
  return EncodeKeys(parts, std::vector<TextRule>(parts.size(), TextRule::kAsIs), true);
}

void KeyPasses::Sample(std::string_view key) {
  if (seen_++ % stride_ != 0) return;
  sample_.emplace_back(key);
  if (sample_.size() < kSample) return;
  for (size_t i = 0; i < sample_.size() / 2; ++i) sample_[i] = std::move(sample_[2 * i]);
  sample_.resize(sample_.size() / 2);
  stride_ *= 2;
}

Status KeyPasses::Learn(const DecodedFile& file, const Layout& layout) {
  const bool keyed = layout.keyed();
  MR_ASSIGN(const EncodedKeys keys, PassKeys(file, layout));
  for (const Event& event : file.events) {
    if (event.op == 't') continue;
    Sample(keys[PassKey(event, keyed)]);
    if (keyed && event.old_key >= 0 && event.missing >= 0)
      links_.Link(HashBytes(keys[event.old_key]), HashBytes(keys[event.key]));
    if (!keyed && event.op == 'u')
      links_.Link(HashBytes(keys[event.before]), HashBytes(keys[event.row]));
  }
  return {};
}

void KeyPasses::Settle() {
  std::sort(sample_.begin(), sample_.end());
  std::vector<std::string> firsts;
  for (int pass = 1; pass < passes_ && !sample_.empty(); ++pass) {
    const size_t at = sample_.size() * static_cast<size_t>(pass) / static_cast<size_t>(passes_);
    firsts.push_back(sample_[at]);
  }
  sample_ = std::move(firsts);
}

int KeyPasses::PassOf(std::string_view key) const {
  if (passes_ == 1) return 0;
  if (const auto set = links_.SetOf(HashBytes(key)))
    return static_cast<int>((*set ^ (*set >> 32)) % static_cast<uint64_t>(passes_));
  return static_cast<int>(std::upper_bound(sample_.begin(), sample_.end(), key) - sample_.begin());
}

Result<std::vector<DecodedFile>> KeyPasses::Split(const DecodedFile& file,
                                                  const Layout& layout) const {
  const bool keyed = layout.keyed();
  MR_ASSIGN(const EncodedKeys keys, PassKeys(file, layout));
  std::vector<Part> parts(static_cast<size_t>(passes_));
  for (const Event& event : file.events) {
    if (event.op == 't') {
      for (Part& part : parts) part.Add(event, file);
    } else {
      parts[static_cast<size_t>(PassOf(keys[PassKey(event, keyed)]))].Add(event, file);
    }
  }
  std::vector<DecodedFile> out;
  for (Part& part : parts) {
    MR_TRY(part.Finish(file));
    out.push_back(std::move(part.file));
  }
  return out;
}

}  // namespace millrace::silver
