#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/byte_buffer.h"

namespace millrace::silver {

// Canonical keys to dense numbers 0, 1, 2, ... in the order of their first insertion. Find is
// thread-safe while nothing is inserted.
class KeyIndex {
 public:
  KeyIndex() { Rehash(1024); }
  int32_t Insert(std::string_view key);      // the number, new or not
  int32_t Find(std::string_view key) const;  // -1: not there
  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  std::string_view operator[](int32_t i) const {
    const Entry& entry = entries_[static_cast<size_t>(i)];
    return bytes_.view(entry.offset, entry.size);
  }

 private:
  struct Entry {
    uint64_t offset;
    uint32_t size;
  };
  struct Slot {
    uint32_t tag;   // high half of the hash
    int32_t index;  // -1: free
  };
  void Rehash(size_t slots);
  // The slot that has the key, or the free one where it belongs.
  size_t Probe(std::string_view key, uint64_t hash) const;

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  ByteBuffer bytes_;
};

}  // namespace millrace::silver
