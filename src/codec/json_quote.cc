#include <array>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "codec/json.h"

namespace millrace::json {
namespace {

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

}  // namespace

void AppendQuoted(ByteBuffer& out, std::string_view text) {
  // Worst case: each byte becomes \u00XX.
  char* const start = out.Space(text.size() * 6 + 2);
  char* to = start;
  *to++ = '"';
  const char* from = text.data();
  const char* const end = from + text.size();
  while (from != end) {
#if defined(__SSE2__)
    // Sixteen bytes at a time while none of them needs an escape. The copy may run past what is kept, within the space above.
    while (end - from >= 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x1F)), _mm_set1_epi8(0x1F));
      const __m128i special =
          _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
      const int found = _mm_movemask_epi8(_mm_or_si128(control, special));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
      if (found != 0) {
        const int clean = __builtin_ctz(static_cast<unsigned>(found));
        from += clean;
        to += clean;
        break;
      }
      from += 16;
      to += 16;
    }
    if (from == end) break;
#endif
    const auto c = static_cast<unsigned char>(*from++);
    const char escape = kEscape[c];
    if (escape == 0) {
      *to++ = static_cast<char>(c);
      continue;
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
  }
  *to++ = '"';
  out.Advance(static_cast<size_t>(to - start));
}

}  // namespace millrace::json
