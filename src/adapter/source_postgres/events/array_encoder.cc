#include "adapter/source_postgres/events/value_encoder.h"
#include "codec/json.h"

// PostgreSQL's array text (documentation section 8.15.6): {1,NULL,"a \"quoted\" one"}, nested
// braces for more dimensions, and [2:3]={...} before a lower bound that is not 1.
namespace millrace::postgres {
namespace {

bool TextInstead(std::string_view text, size_t start, ByteBuffer& out) {
  out.Truncate(start);
  json::AppendQuoted(out, text);
  return false;
}

}  // namespace

bool EncodeArray(const ValueEncoder& self, std::string_view text, ByteBuffer& out) {
  // Elements whose text has escapes are undone here; kept between calls so that a value costs no
  // allocation.
  thread_local ByteBuffer scratch;
  const ValueEncoder element{.encode = self.element};
  const size_t start = out.size();
  if (text.size() < 2 || text.front() != '{' || text.back() != '}')
    return TextInstead(text, start, out);
  const char* p = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  out.Append('[');
  bool first = true;
  while (p != end) {
    if (!first) {
      if (*p != self.delimiter || ++p == end) return TextInstead(text, start, out);
      out.Append(',');
    }
    first = false;
    if (*p == '{') return TextInstead(text, start, out);
    if (*p == '"') {
      const char* from = ++p;
      bool escaped = false;
      while (p != end && *p != '"') {
        if (*p == '\\') {
          escaped = true;
          if (++p == end) break;
        }
        ++p;
      }
      if (p == end) return TextInstead(text, start, out);
      std::string_view value(from, static_cast<size_t>(p - from));
      ++p;
      if (escaped) {
        scratch.Clear();
        char* to = scratch.Space(value.size());
        size_t n = 0;
        for (size_t i = 0; i < value.size(); ++i) {
          if (value[i] == '\\') ++i;
          to[n++] = value[i];
        }
        value = {to, n};
      }
      if (!element.Encode(value, out)) return TextInstead(text, start, out);
    } else {
      const char* from = p;
      while (p != end && *p != self.delimiter && *p != '{' && *p != '}' && *p != '"' && *p != '\\')
        ++p;
      const std::string_view value(from, static_cast<size_t>(p - from));
      if (value.empty()) return TextInstead(text, start, out);
      if (value == "NULL") {
        out.Append("null", 4);
      } else if (!element.Encode(value, out)) {
        return TextInstead(text, start, out);
      }
    }
  }
  out.Append(']');
  return true;
}

}  // namespace millrace::postgres
