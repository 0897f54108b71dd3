#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json.h"

namespace millrace::silver {

// A table that is held back: its events stay in Bronze, everybody else goes on. Kept as a property
// of the cuts table, written with each cut, so that a restart knows of it.
struct HeldTable {
  std::string topic;
  std::string table;   // "public.orders"
  std::string reason;  // the error that put it here, with its cure
  int64_t mark = 0;    // Bronze commits up to this one are in the table
};
json::Value ToJson(const std::vector<HeldTable>& held);
Result<std::vector<HeldTable>> HeldFromJson(const json::Value& value);

// Whether an error is about one table's data, so that the table is held back and the others go on.
// Everything else stops the run.
bool HoldsBackTable(ErrorKind kind);

}  // namespace millrace::silver
