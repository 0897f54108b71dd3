#include "pipeline/gold/gold_sql.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "codec/hash.h"

namespace millrace::gold {
namespace {

constexpr std::string_view kKeys = "gold, grain, partition, inputs, touched, check";

bool IsName(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed) &&
         !(text[0] >= '0' && text[0] <= '9');
}

// The last " AS " outside nothing: a check's name has no spaces, so the last one is it.
size_t LastAs(std::string_view text) { return ToLower(text).rfind(" as "); }

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {
    table_.file = std::string(file);
    table_.name = std::filesystem::path(file).stem();
  }

  Result<GoldTable> Parse() {
    size_t at = 0;
    while (at < text_.size()) {
      const size_t end = std::min(text_.find('\n', at), text_.size());
      const std::string_view line = Trim(text_.substr(at, end - at));
      if (!line.empty() && !line.starts_with("--")) break;
      ++line_;
      if (!line.empty()) MR_TRY(HeaderLine(Trim(line.substr(2))));
      at = std::min(end + 1, text_.size());
    }
    std::string_view body = Trim(text_.substr(at));
    while (body.ends_with(';')) body = Trim(body.substr(0, body.size() - 1));
    ++line_;
    if (body.empty())
      return Wrong("there is no SELECT after the header; write one SELECT statement");
    table_.select = std::string(body);
    table_.fingerprint = Sha256Hex(text_);
    MR_TRY(Finish());
    return std::move(table_);
  }

 private:
  template <typename... Args>
  Error Wrong(fmt::format_string<Args...> pattern, Args&&... args) const {
    return Fail(ErrorKind::kInvalidInput, "{}:{}: {}", file_, line_,
                Format(pattern, std::forward<Args>(args)...));
  }

  Status HeaderLine(std::string_view line) {
    const size_t colon = line.find(':');
    // A comment for people: no "word:" at its start.
    if (colon == std::string_view::npos || !IsName(line.substr(0, colon))) return {};
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = Trim(line.substr(colon + 1));
    if (value.empty()) return Wrong("'{}:' has no value", key);
    if (key != "touched" && key != "check" && !seen_.insert(std::string(key)).second) {
      return Wrong("'{}:' stands twice; keep one", key);
    }
    if (key == "gold") return Name(value);
    if (key == "grain") {
      table_.grain = std::string(value);
      return {};
    }
    if (key == "partition") {
      if (!IsName(value)) return Wrong("partition: '{}' must be one column of the result", value);
      table_.partition_column = std::string(value);
      return {};
    }
    if (key == "inputs") return Inputs(value);
    if (key == "touched") return Touched(value);
    if (key == "check") return Check(value);
    return Wrong(
        "'{}' is not a key of the header (keys: {}); a comment must not begin with a word and a "
        "colon",
        key, kKeys);
  }

  Status Name(std::string_view value) {
    // The file's name decides; the line is for readers.
    if (value != table_.name)
      return Wrong("gold: the file of table '{}' must be called {}.sql", value, value);
    return {};
  }

  Status Inputs(std::string_view value) {
    for (const std::string_view part : Split(value, ',')) {
      const std::string_view input = Trim(part);
      if (!input.starts_with("silver.") || !IsName(input.substr(7))) {
        return Wrong("inputs: '{}' must be a Silver table, written silver.<table>", input);
      }
      if (Find(input) != nullptr) return Wrong("inputs: '{}' stands twice; keep one", input);
      table_.inputs.push_back({std::string(input), std::nullopt});
    }
    return {};
  }

  Status Touched(std::string_view value) {
    const size_t arrow = value.find("=>");
    if (arrow == std::string_view::npos)
      return Wrong("touched: write '<input> => <SQL over a row of it>'");
    const std::string_view input = Trim(value.substr(0, arrow));
    const std::string_view expression = Trim(value.substr(arrow + 2));
    if (expression.empty()) return Wrong("touched: there is no SQL after '=>'");
    GoldInput* found = Find(input);
    if (found == nullptr)
      return Wrong("touched: '{}' is not among the inputs; name it in an 'inputs:' line above",
                   input);
    if (found->touched.has_value()) return Wrong("touched: '{}' stands twice; keep one", input);
    found->touched = std::string(expression);
    return {};
  }

  Status Check(std::string_view value) {
    const size_t as = LastAs(value);
    const std::string_view name = as == std::string_view::npos ? "" : Trim(value.substr(as + 4));
    if (!IsName(name)) return Wrong("check: write '<SQL condition> AS <name>'");
    for (const GoldCheck& other : table_.checks) {
      if (other.name == name)
        return Wrong("check: '{}' stands twice; give each check its own name", name);
    }
    table_.checks.push_back({std::string(name), std::string(Trim(value.substr(0, as))), line_});
    return {};
  }

  Status Finish() const {
    if (!IsName(table_.name)) {
      return Fail(ErrorKind::kInvalidInput,
                  "{}: the file's name is the table's: use a-z, 0-9 and _ before .sql", file_);
    }
    if (table_.grain.empty()) return Missing("grain", "-- grain: <what one row is>");
    if (table_.inputs.empty()) return Missing("inputs", "-- inputs: silver.<table>, ...");
    for (const GoldInput& input : table_.inputs) {
      if (input.touched.has_value() && table_.partition_column.empty()) {
        return Fail(ErrorKind::kInvalidInput,
                    "{}: touched: '{}' needs a 'partition:' line: without one the whole table is "
                    "recomputed",
                    file_, input.table);
      }
    }
    return {};
  }

  Error Missing(std::string_view key, std::string_view example) const {
    return Fail(ErrorKind::kInvalidInput, "{}: the header lacks '{}:'; add a line like '{}'", file_,
                key, example);
  }

  GoldInput* Find(std::string_view table) {
    const auto it = std::find_if(table_.inputs.begin(), table_.inputs.end(),
                                 [&](const GoldInput& i) { return i.table == table; });
    return it == table_.inputs.end() ? nullptr : &*it;
  }

  std::string_view text_;
  std::string_view file_;
  int line_ = 0;
  std::set<std::string> seen_;
  GoldTable table_;
};

}  // namespace

Result<GoldTable> ParseGoldSql(std::string_view text, std::string_view file) {
  return Parser(text, file).Parse();
}

Result<std::vector<GoldTable>> ReadGoldDirectory(const std::string& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".sql") files.push_back(it->path());
  }
  if (error) {
    return Fail(ErrorKind::kNotFound,
                "gold.sql: the directory '{}' cannot be read: {}; create it or change gold.sql",
                directory, error.message());
  }
  std::sort(files.begin(), files.end());
  std::vector<GoldTable> tables;
  for (const std::filesystem::path& path : files) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    if (!in)
      return Fail(ErrorKind::kInvalidInput, "{}: cannot be read; check its permissions",
                  path.string());
    MR_ASSIGN(GoldTable table, ParseGoldSql(text.str(), path.string()));
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace millrace::gold
