#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace millrace::silver {

// Keys that have to stay together, as disjoint sets of their 64-bit hashes. 16 to 32 bytes a key.
class KeyLinks {
 public:
  void Link(uint64_t a, uint64_t b);
  // One name for all keys of a set; nullopt when nothing links this one.
  std::optional<uint64_t> SetOf(uint64_t hash) const;

 private:
  // `hash` is never 0 in here: that marks a free slot.
  size_t SlotOf(uint64_t hash) const;  // where it is, or belongs
  uint32_t Insert(uint64_t hash);
  uint32_t Root(uint32_t slot) const;
  void Grow();

  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> parents_;  // slots; a root is its own
  size_t size_ = 0;
};

}  // namespace millrace::silver
