#include "codec/json.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "base/format.h"

namespace millrace::json {

int64_t Value::AsInt() const {
  if (const auto* i = std::get_if<int64_t>(&data_)) return *i;
  return static_cast<int64_t>(std::get<uint64_t>(data_));
}

uint64_t Value::AsUint() const {
  if (const auto* i = std::get_if<int64_t>(&data_)) return static_cast<uint64_t>(*i);
  return std::get<uint64_t>(data_);
}

double Value::AsDouble() const {
  if (const auto* i = std::get_if<int64_t>(&data_)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(&data_)) return static_cast<double>(*u);
  return std::get<double>(data_);
}

const Value* Value::Find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : AsObject()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

Value* Value::Find(std::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->Find(key));
}

Value& Value::Set(std::string_view key, Value value) {
  if (is_null()) data_ = Object{};
  if (Value* existing = Find(key)) {
    *existing = std::move(value);
    return *existing;
  }
  AsObject().emplace_back(std::string(key), std::move(value));
  return AsObject().back().second;
}

namespace {

Error Mismatch(std::string_view key, std::string_view wanted, bool present) {
  if (!present)
    return Fail(ErrorKind::kCorrupt, "member '{}' is missing ({} expected)", key, wanted);
  return Fail(ErrorKind::kCorrupt, "member '{}' is not of type {}", key, wanted);
}

bool Absent(const Value* v) { return v == nullptr || v->is_null(); }

}  // namespace

Result<std::string> Value::String(std::string_view key) const {
  const Value* v = Find(key);
  if (v == nullptr || !v->is_string()) return Mismatch(key, "string", v != nullptr);
  return v->AsString();
}

Result<int64_t> Value::Int(std::string_view key) const {
  const Value* v = Find(key);
  if (v == nullptr || !v->is_integer()) return Mismatch(key, "integer", v != nullptr);
  return v->AsInt();
}

Result<uint64_t> Value::Uint(std::string_view key) const {
  const Value* v = Find(key);
  if (v == nullptr || !v->is_integer()) return Mismatch(key, "integer", v != nullptr);
  return v->AsUint();
}

Result<bool> Value::Bool(std::string_view key) const {
  const Value* v = Find(key);
  if (v == nullptr || !v->is_bool()) return Mismatch(key, "boolean", v != nullptr);
  return v->AsBool();
}

Result<std::string> Value::StringOr(std::string_view key, std::string fallback) const {
  if (Absent(Find(key))) return fallback;
  return String(key);
}

Result<int64_t> Value::IntOr(std::string_view key, int64_t fallback) const {
  if (Absent(Find(key))) return fallback;
  return Int(key);
}

Result<bool> Value::BoolOr(std::string_view key, bool fallback) const {
  if (Absent(Find(key))) return fallback;
  return Bool(key);
}

namespace {

Value FromElement(simdjson::dom::element element) {
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY: {
      Value::Array items;
      const simdjson::dom::array array = element.get_array().value_unsafe();
      items.reserve(array.size());
      for (simdjson::dom::element item : array) items.push_back(FromElement(item));
      return Value(std::move(items));
    }
    case simdjson::dom::element_type::OBJECT: {
      Value::Object members;
      const simdjson::dom::object object = element.get_object().value_unsafe();
      members.reserve(object.size());
      for (const auto& member : object)
        members.emplace_back(std::string(member.key), FromElement(member.value));
      return Value(std::move(members));
    }
    case simdjson::dom::element_type::INT64:
      return Value(element.get_int64().value_unsafe());
    case simdjson::dom::element_type::UINT64:
      return Value(element.get_uint64().value_unsafe());
    case simdjson::dom::element_type::DOUBLE:
      return Value(element.get_double().value_unsafe());
    case simdjson::dom::element_type::STRING:
      return Value(element.get_string().value_unsafe());
    case simdjson::dom::element_type::BOOL:
      return Value(element.get_bool().value_unsafe());
    case simdjson::dom::element_type::NULL_VALUE:
      return Value();
  }
  return Value();
}

void AppendDouble(ByteBuffer& out, double v) {
  if (!std::isfinite(v)) {  // JSON has no such number
    out.Append(std::isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return;
  }
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, v);
  std::string_view written(text, static_cast<size_t>(end - text));
  out.Append(written);
  if (written.find_first_of(".e") == std::string_view::npos) out.Append(".0");
}

void Append(ByteBuffer& out, const Value& value, bool pretty, int depth) {
  const auto new_line = [&](int level) {
    if (!pretty) return;
    out.Append('\n');
    for (int i = 0; i < level; ++i) out.Append("  ");
  };
  if (value.is_null()) {
    out.Append("null");
  } else if (value.is_bool()) {
    out.Append(value.AsBool() ? "true" : "false");
  } else if (value.is_integer()) {
    if (value.AsInt() < 0 && value != Value(value.AsUint())) {
      AppendInt(out, value.AsInt());
    } else {
      AppendUint(out, value.AsUint());
    }
  } else if (value.is_number()) {
    AppendDouble(out, value.AsDouble());
  } else if (value.is_string()) {
    AppendQuoted(out, value.AsString());
  } else if (value.is_array()) {
    out.Append('[');
    bool first = true;
    for (const Value& item : value.AsArray()) {
      if (!first) out.Append(',');
      first = false;
      new_line(depth + 1);
      Append(out, item, pretty, depth + 1);
    }
    if (!first) new_line(depth);
    out.Append(']');
  } else {
    out.Append('{');
    bool first = true;
    for (const auto& [key, member] : value.AsObject()) {
      if (!first) out.Append(',');
      first = false;
      new_line(depth + 1);
      AppendQuoted(out, key);
      out.Append(pretty ? ": " : ":");
      Append(out, member, pretty, depth + 1);
    }
    if (!first) new_line(depth);
    out.Append('}');
  }
}

}  // namespace

Result<Value> Parse(std::string_view text, std::string_view what) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root)) {
    return Fail(ErrorKind::kCorrupt, "{}: not valid JSON: {}", what,
                simdjson::error_message(error));
  }
  return FromElement(root);
}

std::string Write(const Value& value, bool pretty) {
  ByteBuffer out;
  Append(out, value, pretty, 0);
  return std::string(out.view());
}

void AppendInt(ByteBuffer& out, int64_t value) {
  char* to = out.Space(20);
  out.Advance(static_cast<size_t>(std::to_chars(to, to + 20, value).ptr - to));
}

void AppendUint(ByteBuffer& out, uint64_t value) {
  char* to = out.Space(20);
  out.Advance(static_cast<size_t>(std::to_chars(to, to + 20, value).ptr - to));
}

}  // namespace millrace::json
