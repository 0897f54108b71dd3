#include "adapter/source_postgres/protocol/copy_text.h"

#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/format.h"

namespace millrace::postgres {
namespace {

// The first tab or backslash, or end.
char* FindSpecial(char* p, char* end) {
#ifdef __SSE2__
  const __m128i tab = _mm_set1_epi8('\t'), backslash = _mm_set1_epi8('\\');
  while (end - p >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int mask = _mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(block, tab), _mm_cmpeq_epi8(block, backslash)));
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  while (p != end && *p != '\t' && *p != '\\') ++p;
  return p;
}

// PostgreSQL writes these escapes only; it reads octal and hexadecimal ones, too, but does not
// write them.
char Unescape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

}  // namespace

Status ParseCopyRow(char* data, size_t size, Tuple& row) {
  const auto damaged = [] {
    return Fail(ErrorKind::kCorrupt,
                "snapshot: a COPY row has another number of columns than asked for");
  };
  char* p = data;
  char* const end = data + size;
  if (row.empty()) return size == 0 ? Status() : Status(damaged());
  for (size_t i = 0; i < row.size(); ++i) {
    if (i > 0) {
      if (p == end) return damaged();
      ++p;  // the tab
    }
    char* const start = p;
    p = FindSpecial(p, end);
    if (p != end && *p == '\\') {
      if (p == start && end - p >= 2 && p[1] == 'N' && (end - p == 2 || p[2] == '\t')) {
        p += 2;
        row[i] = {TupleValue::Kind::kNull, {}};
        continue;
      }
      char* to = p;
      while (p != end && *p != '\t') {
        if (*p == '\\') {
          if (++p == end) return damaged();
          *to++ = Unescape(*p++);
        }
        char* const next = FindSpecial(p, end);
        std::memmove(to, p, static_cast<size_t>(next - p));
        to += next - p;
        p = next;
      }
      row[i] = {TupleValue::Kind::kText, {start, static_cast<size_t>(to - start)}};
      continue;
    }
    row[i] = {TupleValue::Kind::kText, {start, static_cast<size_t>(p - start)}};
  }
  return p == end ? Status() : Status(damaged());
}

}  // namespace millrace::postgres
