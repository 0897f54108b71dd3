#include "pipeline/silver/key_index.h"

#include <cstring>

#include "codec/hash.h"

namespace millrace::silver {
namespace {

uint64_t HashOf(std::string_view key) {
  if (key.size() != 8) return HashBytes(key);
  // One integer, by far the most common key: a multiplicative mix is enough.
  uint64_t x;
  std::memcpy(&x, key.data(), 8);
  x ^= x >> 32;
  x *= 0x9E3779B97F4A7C15ULL;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9ULL;
  return x ^ (x >> 32);
}

}  // namespace

size_t KeyIndex::Probe(std::string_view key, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.index < 0) return i;
    if (slot.tag == tag && (*this)[slot.index] == key) return i;
  }
}

int32_t KeyIndex::Find(std::string_view key) const { return slots_[Probe(key, HashOf(key))].index; }

int32_t KeyIndex::Insert(std::string_view key) {
  const uint64_t hash = HashOf(key);
  const size_t at = Probe(key, hash);
  if (slots_[at].index >= 0) return slots_[at].index;
  const int32_t index = size();
  entries_.push_back({bytes_.size(), static_cast<uint32_t>(key.size())});
  bytes_.Append(key);
  slots_[at] = {static_cast<uint32_t>(hash >> 32), index};
  if (entries_.size() * 2 > slots_.size()) Rehash(slots_.size() * 2);
  return index;
}

void KeyIndex::Rehash(size_t slots) {
  slots_.assign(slots, {0, -1});
  for (int32_t i = 0; i < size(); ++i) {
    const uint64_t hash = HashOf((*this)[i]);
    slots_[Probe((*this)[i], hash)] = {static_cast<uint32_t>(hash >> 32), i};
  }
}

}  // namespace millrace::silver
