#include "base/uuid.h"

#include <sys/random.h>

#include <cstdlib>

#include "base/format.h"

namespace millrace {

uint64_t RandomBits() {
  uint64_t bits = 0;
  // A read of at most 256 bytes is never interrupted nor short once the pool is ready
  // (getrandom(2)).
  if (getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) std::abort();
  return bits;
}

std::string NewUuid() {
  const uint64_t high = (RandomBits() & ~0xF000ull) | 0x4000ull;
  const uint64_t low = (RandomBits() & ~(3ull << 62)) | (1ull << 63);
  return Format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF,
                high & 0xFFFF, low >> 48, low & 0xFFFFFFFFFFFFull);
}

}  // namespace millrace
