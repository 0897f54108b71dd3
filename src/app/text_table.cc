#include "app/text_table.h"

#include <algorithm>

#include "base/format.h"

namespace millrace::app {

size_t TextWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void TextTable::Add(const std::vector<std::string>& cells) {
  std::vector<std::string> row;
  row.reserve(cells.size());
  for (const std::string& cell : cells) {
    std::string shown;
    for (char c : cell) {
      if (c == '\n') {
        shown += "\\n";
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        shown += Format("\\x{:02X}", static_cast<unsigned char>(c));
      } else {
        shown += c;
      }
    }
    row.push_back(std::move(shown));
  }
  rows_.push_back(std::move(row));
}

std::string TextTable::Render() const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(TextWidth(column.name));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], TextWidth(row[i]));
  }
  const auto pad = [&](std::string text, size_t i, bool right) {
    text.insert(right ? 0 : text.size(), widths[i] - TextWidth(text), ' ');
    return text;
  };
  std::string out;
  const auto finish_line = [&] {
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  };
  for (size_t i = 0; i < columns_.size(); ++i) {
    out += i == 0 ? " " : " | ";
    out += pad(columns_[i].name, i, columns_[i].right);
  }
  finish_line();
  for (size_t i = 0; i < columns_.size(); ++i) {
    out += i == 0 ? "-" : "-+-";
    out.append(widths[i], '-');
  }
  out += "-\n";
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += i == 0 ? " " : " | ";
      out += pad(row[i], i, columns_[i].right);
    }
    finish_line();
  }
  return out;
}

std::string GroupDigits(int64_t number) {
  std::string digits = Format("{}", number);
  const size_t start = number < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > start + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string HumanBytes(int64_t bytes) {
  if (bytes < 1024) return Format("{} B", bytes);
  double value = static_cast<double>(bytes);
  for (const char* unit : {"KiB", "MiB", "GiB", "TiB"}) {
    value /= 1024;
    if (value < 1024) return Format("{:.1f} {}", value, unit);
  }
  return Format("{:.1f} PiB", value / 1024);
}

std::string HumanAge(Micros age) {
  if (age < 0) return "-";
  const double seconds = static_cast<double>(age) / kMicrosPerSecond;
  if (seconds < 100) return Format("{:.1f} s", seconds);
  if (seconds < 100 * 60) return Format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return Format("{:.0f} h", seconds / 3600);
  return Format("{:.0f} d", seconds / 86400);
}

}  // namespace millrace::app
