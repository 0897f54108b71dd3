#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Types of the Iceberg table spec (v2). https://iceberg.apache.org/spec/#schemas-and-data-types
namespace millrace::iceberg {

enum class TypeId {
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kString,
  kUuid,
  kFixed,
  kBinary,
  kStruct,
  kList,
  kMap,
};

struct Type;
using TypePtr = std::shared_ptr<const Type>;

struct Field {
  int32_t id = 0;
  std::string name;
  bool required = false;
  TypePtr type;
  std::string doc;
};

// A type is a value, compared by content. Members are used as the id says; the rest is empty.
struct Type {
  TypeId id;
  int precision = 0;  // decimal
  int scale = 0;      // decimal
  int length = 0;     // fixed
  // kStruct: its fields. kList: one field named "element". kMap: "key" and "value".
  std::vector<Field> fields;

  bool is_nested() const { return id >= TypeId::kStruct; }
};

TypePtr Primitive(TypeId id);  // REQUIRES: not decimal, fixed or nested
TypePtr Decimal(int precision, int scale);
TypePtr Fixed(int length);
TypePtr List(int32_t element_id, TypePtr element, bool element_required);
TypePtr Struct(std::vector<Field> fields);
TypePtr Map(int32_t key_id, TypePtr key, int32_t value_id, TypePtr value, bool value_required);

bool Equal(const Type& a, const Type& b);  // ids of nested fields included, docs not
std::string ToString(const Type& type);    // "decimal(12, 2)", "list<string>"

// Whether the spec lets a column of type `from` become `to` with its field id kept: int->long,
// float->double, wider decimal of the same scale, and equal types.
bool CanPromote(const Type& from, const Type& to);

}  // namespace millrace::iceberg
