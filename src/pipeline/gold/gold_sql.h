#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::gold {

struct GoldInput {
  std::string table;                   // "silver.orders"
  std::optional<std::string> touched;  // SQL over one of its rows: the partition column's value
                                       // that a change of the row touches
};

struct GoldCheck {
  std::string name;
  std::string condition;  // SQL, a row's or an aggregate's; anything but true holds the table back
  int line = 0;
};

// One Gold table as its SQL file defines it (docs/formats/gold.md).
struct GoldTable {
  std::string name;              // the file's, without .sql
  std::string grain;             // what one row is, for readers
  std::string partition_column;  // a column of the result; empty: the table is replaced as a whole
  std::vector<GoldInput> inputs;
  std::vector<GoldCheck> checks;
  std::string select;       // the SELECT, without a semicolon at its end
  std::string file;         // where it was read from, for messages
  std::string fingerprint;  // SHA-256 of the text: another one recomputes everything
};

// kInvalidInput "<file>:<line>: ..." names the key and the cure. `file` ends in "<name>.sql".
Result<GoldTable> ParseGoldSql(std::string_view text, std::string_view file);

// All *.sql files of a directory, by name. kNotFound when there is no such directory.
Result<std::vector<GoldTable>> ReadGoldDirectory(const std::string& directory);

}  // namespace millrace::gold
