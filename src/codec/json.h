#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/byte_buffer.h"
#include "base/result.h"

namespace millrace::json {

// A JSON document as a value: for metadata, configuration and answers, not for the hot paths.
// Objects keep the order of their members, so that what we do not understand can be written back as
// it was read. 64-bit integers stay exact.
class Value {
 public:
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  Value() = default;                                     // null
  Value(std::nullptr_t) {}                               // NOLINT: implicit by design, also below
  Value(bool v) : data_(v) {}                            // NOLINT
  Value(int v) : data_(static_cast<int64_t>(v)) {}       // NOLINT
  Value(int64_t v) : data_(v) {}                         // NOLINT
  Value(uint64_t v) : data_(v) {}                        // NOLINT
  Value(uint32_t v) : data_(static_cast<int64_t>(v)) {}  // NOLINT
  Value(double v) : data_(v) {}                          // NOLINT
  Value(std::string v) : data_(std::move(v)) {}          // NOLINT
  Value(std::string_view v) : data_(std::string(v)) {}   // NOLINT
  Value(const char* v) : data_(std::string(v)) {}        // NOLINT
  Value(Array v) : data_(std::move(v)) {}                // NOLINT
  Value(Object v) : data_(std::move(v)) {}               // NOLINT

  bool is_null() const { return data_.index() == 0; }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const {
    return std::holds_alternative<int64_t>(data_) || std::holds_alternative<uint64_t>(data_);
  }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(data_); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  // Unchecked access. REQUIRES: the matching is_...().
  bool AsBool() const { return std::get<bool>(data_); }
  int64_t AsInt() const;  // integers only; a uint64 beyond int64 wraps
  uint64_t AsUint() const;
  double AsDouble() const;
  const std::string& AsString() const { return std::get<std::string>(data_); }
  const Array& AsArray() const { return std::get<Array>(data_); }
  Array& AsArray() { return std::get<Array>(data_); }
  const Object& AsObject() const { return std::get<Object>(data_); }
  Object& AsObject() { return std::get<Object>(data_); }

  // The member, or nullptr when this is no object or lacks it.
  const Value* Find(std::string_view key) const;
  Value* Find(std::string_view key);
  // Adds or replaces a member; turns null into an object first.
  Value& Set(std::string_view key, Value value);

  // Checked access: kCorrupt "<what>: member 'key' ..." when absent or of another type.
  Result<std::string> String(std::string_view key) const;
  Result<int64_t> Int(std::string_view key) const;
  Result<uint64_t> Uint(std::string_view key) const;
  Result<bool> Bool(std::string_view key) const;
  // As above, but absent or null gives the fallback.
  Result<std::string> StringOr(std::string_view key, std::string fallback) const;
  Result<int64_t> IntOr(std::string_view key, int64_t fallback) const;
  Result<bool> BoolOr(std::string_view key, bool fallback) const;

  bool operator==(const Value& other) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> data_;
};

// kCorrupt with the place of the first error. `what` names the document in messages ("metadata of
// silver.orders").
Result<Value> Parse(std::string_view text, std::string_view what);

// Compact, or indented by two spaces.
std::string Write(const Value& value, bool pretty = false);

// Appends `text` as a quoted JSON string (escapes as Debezium's Jackson does: \b \t \n \f \r \"
// \\ and \u00XX upper case). The bytes must be UTF-8; they are not checked. Vector instructions
// where the machine has them.
void AppendQuoted(ByteBuffer& out, std::string_view text);
void AppendInt(ByteBuffer& out, int64_t value);
void AppendUint(ByteBuffer& out, uint64_t value);

}  // namespace millrace::json
