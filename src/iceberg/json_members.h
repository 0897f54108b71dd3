#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/format.h"
#include "codec/json.h"

// Members of the spec's JSON documents, read with their checks. Errors are kCorrupt and name the
// member.
namespace millrace::iceberg {

inline Result<int32_t> Int32Of(const json::Value& value, std::string_view what) {
  if (!value.is_integer() || value.AsInt() != static_cast<int32_t>(value.AsInt())) {
    return Fail(ErrorKind::kCorrupt, "'{}' is not a 32-bit integer", what);
  }
  return static_cast<int32_t>(value.AsInt());
}

inline Result<int32_t> Int32Member(const json::Value& value, std::string_view key) {
  const json::Value* member = value.Find(key);
  if (member == nullptr) return Fail(ErrorKind::kCorrupt, "'{}' is missing", key);
  return Int32Of(*member, key);
}

// nullopt when absent or null.
inline Result<std::optional<int64_t>> OptionalInt(const json::Value& value, std::string_view key) {
  const json::Value* member = value.Find(key);
  if (member == nullptr || member->is_null()) return std::optional<int64_t>();
  if (!member->is_integer()) return Fail(ErrorKind::kCorrupt, "'{}' is not an integer", key);
  return std::optional<int64_t>(member->AsInt());
}

// The array member; empty when absent or null and not `required`.
inline Result<json::Value::Array> ArrayMember(const json::Value& value, std::string_view key,
                                              bool required) {
  const json::Value* member = value.Find(key);
  if (member == nullptr || member->is_null()) {
    if (required) return Fail(ErrorKind::kCorrupt, "'{}' is missing", key);
    return json::Value::Array();
  }
  if (!member->is_array()) return Fail(ErrorKind::kCorrupt, "'{}' is not an array", key);
  return member->AsArray();
}

// An object of strings; empty when absent or null. Numbers and booleans, which some writers leave
// bare, become their JSON text.
inline Result<std::map<std::string, std::string>> StringsMember(const json::Value& value,
                                                                std::string_view key) {
  std::map<std::string, std::string> strings;
  const json::Value* member = value.Find(key);
  if (member == nullptr || member->is_null()) return strings;
  if (!member->is_object()) return Fail(ErrorKind::kCorrupt, "'{}' is not an object", key);
  for (const auto& [name, text] : member->AsObject()) {
    if (text.is_null()) continue;
    if (text.is_array() || text.is_object())
      return Fail(ErrorKind::kCorrupt, "'{}.{}' is not a string", key, name);
    strings[name] = text.is_string() ? text.AsString() : json::Write(text);
  }
  return strings;
}

inline json::Value ToJson(const std::map<std::string, std::string>& strings) {
  json::Value::Object object;
  for (const auto& [key, value] : strings) object.emplace_back(key, value);
  return object;
}

}  // namespace millrace::iceberg
