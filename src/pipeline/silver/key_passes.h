#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/event_decoder.h"
#include "pipeline/silver/key_codec.h"
#include "pipeline/silver/key_links.h"
#include "pipeline/silver/layout.h"

namespace millrace::silver {

// Which pass of a merge takes which key, so that a batch larger than its memory is merged in parts:
// a range of the keys at a time, all of their events. So a pass reads few of the table's files, and
// new rows come in key order throughout. Without a key, the contents of rows take its place.
//
// Together go, whatever their range: keys that hand on unsent values through a change of key, and
// contents that an update turns into each other.
class KeyPasses {
 public:
  explicit KeyPasses(int passes) : passes_(passes) {}

  int passes() const { return passes_; }
  // Takes notice of a file's keys. Once for every file; then Settle; then the others.
  Status Learn(const DecodedFile& file, const Layout& layout);
  void Settle();
  int PassOf(std::string_view key) const;
  // A file's events by pass, each with its rows; a truncate is in all of them.
  Result<std::vector<DecodedFile>> Split(const DecodedFile& file, const Layout& layout) const;

 private:
  void Sample(std::string_view key);

  const int passes_;
  KeyLinks links_;
  std::vector<std::string> sample_;  // every stride_-th key; after Settle the first key of each
                                     // pass but the first
  uint64_t seen_ = 0, stride_ = 1;
};

// The contents of a row of a table without a key, as KeyPasses takes them: the values of `columns`,
// which are all that the table has.
Result<EncodedKeys> EncodeValues(const arrow::ArrayVector& values,
                                 const std::vector<size_t>& columns);

}  // namespace millrace::silver
