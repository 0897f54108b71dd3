#include "app/row_key.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "base/text.h"

namespace millrace::app {
namespace {

struct Part {
  std::string name;  // before the first bare '='; empty: none
  bool named = false;
  std::string value;
};

// Splits at commas that no backslash protects. A single column's key is one part, whatever is in
// it.
std::vector<Part> SplitParts(std::string_view text, bool single) {
  std::vector<Part> parts(1);
  for (size_t i = 0; i < text.size(); ++i) {
    Part& part = parts.back();
    if (text[i] == '\\' && i + 1 < text.size()) {
      part.value += text[++i];
    } else if (text[i] == ',' && !single) {
      parts.emplace_back();
    } else if (text[i] == '=' && !part.named) {
      part.named = true;
      part.name = std::move(part.value);
      part.value.clear();
    } else {
      part.value += text[i];
    }
  }
  return parts;
}

}  // namespace

Result<std::vector<std::string>> ParseRowKey(std::string_view text,
                                             const std::vector<std::string>& columns) {
  const auto wrong = [&] {
    std::vector<std::string> named;
    for (const std::string& column : columns) named.push_back(column + "=...");
    return Fail(ErrorKind::kInvalidInput, "the key of this table is {}: write {}",
                Join(columns, ", "), Join(named, ","));
  };
  std::vector<Part> parts = SplitParts(text, columns.size() == 1);
  // "a=b" is a value with an equals sign unless a key column has that name.
  if (columns.size() == 1 && parts[0].named && parts[0].name != columns[0])
    parts = {{"", false, std::string(text)}};
  if (parts.size() != columns.size()) return wrong();
  std::vector<std::optional<std::string>> values(columns.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    size_t at = i;
    if (parts[i].named) {
      at = static_cast<size_t>(std::find(columns.begin(), columns.end(), parts[i].name) -
                               columns.begin());
      if (at == columns.size()) return wrong();
    }
    if (values[at]) return wrong();
    values[at] = std::move(parts[i].value);
  }
  std::vector<std::string> key;
  for (auto& value : values) {
    if (!value) return wrong();
    key.push_back(std::move(*value));
  }
  return key;
}

std::string SqlIdentifier(std::string_view name) {
  std::string quoted = "\"";
  for (char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string SqlLiteral(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + '\'';
}

}  // namespace millrace::app
