#include "pipeline/silver/quarantine.h"

#include "base/format.h"

namespace millrace::silver {

json::Value ToJson(const std::vector<HeldTable>& held) {
  json::Value::Array list;
  for (const HeldTable& table : held) {
    json::Value v;
    v.Set("topic", table.topic);
    v.Set("table", table.table);
    v.Set("reason", table.reason);
    v.Set("mark", table.mark);
    list.push_back(std::move(v));
  }
  return list;
}

Result<std::vector<HeldTable>> HeldFromJson(const json::Value& value) {
  if (!value.is_array()) return Fail(ErrorKind::kCorrupt, "the list of held tables is no array");
  std::vector<HeldTable> held;
  for (const json::Value& item : value.AsArray()) {
    HeldTable& table = held.emplace_back();
    MR_ASSIGN(table.topic, item.String("topic"));
    MR_ASSIGN(table.table, item.String("table"));
    MR_ASSIGN(table.reason, item.String("reason"));
    MR_ASSIGN(table.mark, item.Int("mark"));
  }
  return held;
}

bool HoldsBackTable(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidInput:
    case ErrorKind::kNotFound:
    case ErrorKind::kAlreadyExists:
    case ErrorKind::kCorrupt:
    case ErrorKind::kUnsupported:
    case ErrorKind::kInternal:
      return true;
    case ErrorKind::kConflict:
    case ErrorKind::kUnknownOutcome:
    case ErrorKind::kUnavailable:
    case ErrorKind::kPermission:
    case ErrorKind::kFenced:
    case ErrorKind::kOutOfSpace:
    case ErrorKind::kCancelled:
      return false;
  }
  return false;
}

}  // namespace millrace::silver
