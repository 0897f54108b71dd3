#include "pipeline/silver/key_links.h"

#include <algorithm>
#include <utility>

namespace millrace::silver {
namespace {

uint64_t Marked(uint64_t hash) { return hash == 0 ? 1 : hash; }

}  // namespace

size_t KeyLinks::SlotOf(uint64_t hash) const {
  const size_t mask = hashes_.size() - 1;
  size_t slot = (hash ^ (hash >> 32)) & mask;
  while (hashes_[slot] != 0 && hashes_[slot] != hash) slot = (slot + 1) & mask;
  return slot;
}

uint32_t KeyLinks::Insert(uint64_t hash) {
  if ((size_ + 1) * 4 > hashes_.size() * 3) Grow();
  const size_t slot = SlotOf(hash);
  if (hashes_[slot] == 0) {
    hashes_[slot] = hash;
    parents_[slot] = static_cast<uint32_t>(slot);
    ++size_;
  }
  return static_cast<uint32_t>(slot);
}

// Each root is below a larger hash: hashes are random, so that paths stay logarithmic.
uint32_t KeyLinks::Root(uint32_t slot) const {
  while (parents_[slot] != slot) slot = parents_[slot];
  return slot;
}

void KeyLinks::Grow() {
  KeyLinks larger;
  const size_t slots = std::max<size_t>(1024, hashes_.size() * 2);
  larger.hashes_.assign(slots, 0);
  larger.parents_.assign(slots, 0);
  for (const uint64_t hash : hashes_) {
    if (hash != 0) larger.Insert(hash);
  }
  for (size_t slot = 0; slot < hashes_.size(); ++slot) {
    if (hashes_[slot] == 0) continue;
    larger.parents_[larger.SlotOf(hashes_[slot])] =
        static_cast<uint32_t>(larger.SlotOf(hashes_[parents_[slot]]));
  }
  *this = std::move(larger);
}

void KeyLinks::Link(uint64_t a, uint64_t b) {
  (void)Insert(Marked(a));
  uint32_t y = Root(Insert(Marked(b)));
  uint32_t x = Root(Insert(Marked(a)));  // again: the other may have moved it
  if (hashes_[x] > hashes_[y]) std::swap(x, y);
  parents_[x] = y;
}

std::optional<uint64_t> KeyLinks::SetOf(uint64_t hash) const {
  if (size_ == 0) return std::nullopt;
  const size_t slot = SlotOf(Marked(hash));
  if (hashes_[slot] == 0) return std::nullopt;
  return hashes_[Root(static_cast<uint32_t>(slot))];
}

}  // namespace millrace::silver
