#include "iceberg/literal.h"

// Bounds of strings and binaries, cut short: S1, S2 in the interoperability notes; Java's
// UnicodeUtil and BinaryUtil.
namespace millrace::iceberg {
namespace {

constexpr size_t kBoundLength =
    16;  // code points or bytes; `truncate(16)`, what every engine writes by default

// The length of the well-formed code point at the start of `text`, or 0 when there is none there.
size_t CodePointLength(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

uint32_t DecodeCodePoint(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() == 1) return lead;
  uint32_t value = lead & (0xffu >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3fu);
  return value;
}

void AppendCodePoint(std::string& out, uint32_t value) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((value >> shift) & 0x3f));
  };
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xc0 | (value >> 6));
    tail(0);
  } else if (value < 0x10000) {
    out += static_cast<char>(0xe0 | (value >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (value >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::optional<std::string> IncrementString(std::string text) {
  while (!text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) --start;
    uint32_t last = DecodeCodePoint(std::string_view(text).substr(start));
    text.resize(start);
    if (last == 0x10ffff) continue;  // carry to the one before
    last = last == 0xd7ff ? 0xe000 : last + 1;
    AppendCodePoint(text, last);
    return text;
  }
  return std::nullopt;
}

std::optional<std::string> IncrementBytes(std::string bytes) {
  while (!bytes.empty()) {
    const auto last = static_cast<unsigned char>(bytes.back());
    if (last != 0xff) {
      bytes.back() = static_cast<char>(last + 1);
      return bytes;
    }
    bytes.pop_back();
  }
  return std::nullopt;
}

}  // namespace

std::string_view FirstCodePoints(std::string_view text, size_t count) {
  size_t end = 0;
  for (size_t i = 0; i < count && end < text.size(); ++i) {
    const size_t length = CodePointLength(text.substr(end));
    if (length == 0) break;
    end += length;
  }
  return text.substr(0, end);
}

std::string TruncateLower(std::string_view value, const Type& type) {
  if (type.id == TypeId::kString) return std::string(FirstCodePoints(value, kBoundLength));
  if (type.id == TypeId::kBinary) return std::string(value.substr(0, kBoundLength));
  return std::string(value);
}

std::optional<std::string> TruncateUpper(std::string_view value, const Type& type) {
  const std::string lower = TruncateLower(value, type);
  if (lower.size() == value.size()) return lower;
  return type.id == TypeId::kString ? IncrementString(lower) : IncrementBytes(lower);
}

}  // namespace millrace::iceberg
