#include "pipeline/silver/pass_filter.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>

#include "codec/hash.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/batch.h"

namespace millrace::silver {
namespace {

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

// Old row numbers to new ones, in the order of first use.
class Renumbering {
 public:
  explicit Renumbering(int64_t rows) : number_(static_cast<size_t>(rows), -1) {}
  void Apply(int32_t& row) {
    if (row < 0) return;
    int32_t& number = number_[static_cast<size_t>(row)];
    if (number < 0) {
      number = static_cast<int32_t>(kept.size());
      kept.push_back(row);
    }
    row = number;
  }
  std::vector<int64_t> kept;

 private:
  std::vector<int32_t> number_;
};

}  // namespace

uint64_t PassFilter::Root(uint64_t hash) const {
  for (auto found = parent_.find(hash); found != parent_.end() && found->second != hash;
       found = parent_.find(hash)) {
    hash = found->second;
  }
  return hash;
}

Status PassFilter::Learn(const DecodedFile& file, const Layout& layout) {
  MR_ASSIGN(const EncodedKeys keys, EncodeKeys(file.keys, KeyRules(layout), false));
  for (const Event& event : file.events) {
    if (event.old_key < 0 || event.missing < 0) continue;
    const uint64_t to = Root(HashBytes(keys[event.key])),
                   from = Root(HashBytes(keys[event.old_key]));
    parent_[to] = from;
    parent_.emplace(from, from);
  }
  return {};
}

int PassFilter::PassOf(std::string_view key) const {
  if (passes_ == 1) return 0;
  const uint64_t root = Root(HashBytes(key));
  return static_cast<int>((root ^ (root >> 32)) % static_cast<uint64_t>(passes_));
}

Status PassFilter::Reduce(DecodedFile& file, const Layout& layout, int pass) const {
  if (passes_ == 1) return {};
  MR_ASSIGN(const EncodedKeys keys, EncodeKeys(file.keys, KeyRules(layout), false));
  Renumbering rows(file.rows), key_rows(file.key_rows);
  std::vector<Event> events;
  for (Event event : file.events) {
    if (event.op != 't' && PassOf(keys[event.key]) != pass) continue;
    // Without an unsent value the old key is of no use, and may belong to another pass.
    if (event.missing < 0) event.old_key = -1;
    rows.Apply(event.row);
    key_rows.Apply(event.key);
    key_rows.Apply(event.old_key);
    events.push_back(event);
  }
  file.events = std::move(events);
  MR_TRY(TakeRows(file.values, rows.kept));
  MR_TRY(TakeRows(file.texts, rows.kept));
  MR_TRY(TakeRows(file.keys, key_rows.kept));
  file.rows = static_cast<int64_t>(rows.kept.size());
  file.key_rows = static_cast<int64_t>(key_rows.kept.size());
  return {};
}

}  // namespace millrace::silver
