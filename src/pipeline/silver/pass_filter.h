#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/event_decoder.h"
#include "pipeline/silver/layout.h"

namespace millrace::silver {

// Which pass of a merge takes which key, so that a batch larger than its memory is merged in parts:
// a part of the keys at a time, all of their events. Keys that hand on unsent values through a
// change of key go together.
class PassFilter {
 public:
  explicit PassFilter(int passes) : passes_(passes) {}

  int passes() const { return passes_; }
  // Takes notice of the key changes in a file. Call for every file before the first PassOf.
  Status Learn(const DecodedFile& file, const Layout& layout);
  int PassOf(std::string_view key) const;
  // Leaves in a file what `pass` needs: events of its keys, their rows, and every truncate.
  Status Reduce(DecodedFile& file, const Layout& layout, int pass) const;

 private:
  uint64_t Root(uint64_t hash) const;

  const int passes_;
  std::unordered_map<uint64_t, uint64_t> parent_;  // of linked keys, by hash
};

}  // namespace millrace::silver
