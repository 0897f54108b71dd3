#include "codec/hash.h"

#include <openssl/evp.h>

#include <bit>
#include <cstring>

#include "base/text.h"

namespace millrace {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
}
Sha256::~Sha256() = default;

void Sha256::Add(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Sha256::FinishHex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->context, digest, &size);
  return ToHex({reinterpret_cast<const char*>(digest), size});
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.FinishHex();
}

uint32_t Murmur3(std::string_view bytes) {
  constexpr uint32_t kC1 = 0xcc9e2d51, kC2 = 0x1b873593;
  uint32_t h = 0;
  const size_t blocks = bytes.size() / 4;
  for (size_t i = 0; i < blocks; ++i) {
    uint32_t k;
    std::memcpy(&k, bytes.data() + i * 4, 4);
    h ^= std::rotl(k * kC1, 15) * kC2;
    h = std::rotl(h, 13) * 5 + 0xe6546b64;
  }
  uint32_t k = 0;
  for (size_t i = bytes.size(); i > blocks * 4; --i)
    k = k << 8 | static_cast<unsigned char>(bytes[i - 1]);
  h ^= std::rotl(k * kC1, 15) * kC2;
  h ^= static_cast<uint32_t>(bytes.size());
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  h *= 0xc2b2ae35;
  return h ^ h >> 16;
}

uint64_t HashBytes(std::string_view bytes) {
  // Multiply-fold over 8-byte words (the idea of wyhash): quick on the short keys of our tables.
  constexpr uint64_t kA = 0x9E3779B97F4A7C15, kB = 0xD6E8FEB86659FD93;
  const auto mix = [](uint64_t a, uint64_t b) {
    __extension__ const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t h = bytes.size() * kA ^ kB;
  const char* p = bytes.data();
  size_t n = bytes.size();
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    h = mix(h ^ word, kA);
  }
  uint64_t tail = 0;
  if (n != 0) std::memcpy(&tail, p, n);
  return mix(h ^ tail, kB) ^ h >> 32;
}

}  // namespace millrace
