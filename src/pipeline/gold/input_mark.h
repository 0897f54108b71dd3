#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/position.h"

namespace millrace::gold {

// The state of one Silver table that a Gold table was made from.
struct InputMark {
  std::string table_uuid;  // another one: the table was made anew
  int64_t snapshot_id = 0;
  EventPosition position;  // all Silver changes up to here are in
  bool operator==(const InputMark&) const = default;
};

// What the newest published state of a Gold table was made from. Stored as JSON in the table
// property and the snapshot summary `millrace.inputs`:
//   {"cut":7,"sql":"<SHA-256>","tables":{"silver.orders":{"uuid":"...","snapshot_id":1,"commit_lsn":5,"ordinal":0}}}
struct InputMarks {
  int64_t cut = 0;
  std::string sql_fingerprint;
  std::map<std::string, InputMark> tables;
  // Equal but for the cut, which also moves when nothing happened.
  bool SameState(const InputMarks& other) const {
    return sql_fingerprint == other.sql_fingerprint && tables == other.tables;
  }
};

inline constexpr std::string_view kInputsProperty = "millrace.inputs";

std::string WriteInputMarks(const InputMarks& marks);
Result<InputMarks> ParseInputMarks(std::string_view text, std::string_view what);

}  // namespace millrace::gold
