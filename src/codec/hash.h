#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace {

// SHA-256 as 64 lower-case hex digits.
std::string Sha256Hex(std::string_view bytes);

// SHA-256 of what is added piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Add(std::string_view bytes);
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// murmur3_x86_32, seed 0: Iceberg's bucket hash (spec Appendix B).
uint32_t Murmur3(std::string_view bytes);

// A fast 64-bit hash for our own tables in memory. Not stable between versions: never store it.
uint64_t HashBytes(std::string_view bytes);

}  // namespace millrace
