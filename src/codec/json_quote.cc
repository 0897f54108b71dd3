#include <algorithm>
#include <array>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "codec/json.h"

namespace millrace::json {
namespace {

constexpr size_t kPiece = 16 << 10;   // bounds what is reserved for a long text without escapes
constexpr size_t kLongestEscape = 6;  // \u00XX
constexpr size_t kOverrun = 16;       // blind copies may write this much beyond what they keep

// What follows the backslash: 0 = written as it is, 'u' = \u00XX.
constexpr std::array<char, 256> kEscape = [] {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\t'] = 't';
  table['\n'] = 'n';
  table['\f'] = 'f';
  table['\r'] = 'r';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

char* EscapeOne(unsigned char c, char* to) {
  const char escape = kEscape[c];
  if (escape == 0) {
    *to++ = static_cast<char>(c);
    return to;
  }
  *to++ = '\\';
  *to++ = escape;
  if (escape == 'u') {
    static constexpr char kHex[] = "0123456789ABCDEF";
    *to++ = '0';
    *to++ = '0';
    *to++ = kHex[c >> 4];
    *to++ = kHex[c & 15];
  }
  return to;
}

// Copies n bytes escaped to `to`, which has room for kLongestEscape * n + kOverrun. Returns the
// end.
char* EscapeInto(const char* from, size_t n, char* to) {
  const char* const end = from + n;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                control = _mm_set1_epi8(0x1F);
  while (end - from >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
    const __m128i special =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)),
                     _mm_cmpeq_epi8(_mm_max_epu8(block, control), control));
    const int mask = _mm_movemask_epi8(special);
    if (mask == 0) {
      from += 16;
      to += 16;
      continue;
    }
    const int clean = __builtin_ctz(static_cast<unsigned>(mask));
    from += clean;
    to = EscapeOne(static_cast<unsigned char>(*from++), to + clean);
  }
#endif
  // Eight bytes in a word: the classic "has a byte less than / equal to" tests.
  while (end - from >= 8) {
    constexpr uint64_t kOnes = 0x0101010101010101u, kHigh = 0x8080808080808080u;
    uint64_t word;
    std::memcpy(&word, from, 8);
    const uint64_t q = word ^ kOnes * '"', b = word ^ kOnes * '\\';
    const uint64_t special =
        ((word - kOnes * 0x20) & ~word) | ((q - kOnes) & ~q) | ((b - kOnes) & ~b);
    if ((special & kHigh) != 0) break;
    std::memcpy(to, from, 8);
    from += 8;
    to += 8;
  }
  while (from != end) to = EscapeOne(static_cast<unsigned char>(*from++), to);
  return to;
}

}  // namespace

void AppendQuoted(ByteBuffer& out, std::string_view text) {
  const auto room = [&](size_t n) { return out.Space(n * kLongestEscape + kOverrun + 2); };
  size_t piece = std::min(text.size(), kPiece);
  char* start = room(piece);
  char* to = start;
  *to++ = '"';
  to = EscapeInto(text.data(), piece, to);
  for (text.remove_prefix(piece); !text.empty(); text.remove_prefix(piece)) {
    out.Advance(static_cast<size_t>(to - start));
    piece = std::min(text.size(), kPiece);
    to = start = room(piece);
    to = EscapeInto(text.data(), piece, to);
  }
  *to++ = '"';
  out.Advance(static_cast<size_t>(to - start));
}

}  // namespace millrace::json
