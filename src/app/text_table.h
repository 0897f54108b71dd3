#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace millrace::app {

// Rows of text with a header, laid out in columns for a terminal.
class TextTable {
 public:
  struct Column {
    std::string name;
    bool right = false;  // numbers
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: as many cells as columns. Control characters are shown escaped, so that a row stays a
  // line.
  void Add(const std::vector<std::string>& cells);
  size_t rows() const { return rows_.size(); }
  std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Characters, not bytes, of UTF-8 text.
size_t TextWidth(std::string_view text);
// "1,234,567"
std::string GroupDigits(int64_t number);
// "12.3 MiB", "640 B"
std::string HumanBytes(int64_t bytes);
// "3.2 s", "5 min", "2 h", "4 d"; "-" for negative.
std::string HumanAge(Micros age);

}  // namespace millrace::app
