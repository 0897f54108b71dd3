#include "iceberg/type.h"

#include "base/format.h"

namespace millrace::iceberg {
namespace {

Type MakeType(TypeId id) {
  Type type;
  type.id = id;
  return type;
}

Field MakeField(int32_t id, std::string name, bool required, TypePtr type) {
  Field field;
  field.id = id;
  field.name = std::move(name);
  field.required = required;
  field.type = std::move(type);
  return field;
}

}  // namespace

TypePtr Primitive(TypeId id) { return std::make_shared<const Type>(MakeType(id)); }

TypePtr Decimal(int precision, int scale) {
  Type type = MakeType(TypeId::kDecimal);
  type.precision = precision;
  type.scale = scale;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr Fixed(int length) {
  Type type = MakeType(TypeId::kFixed);
  type.length = length;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr List(int32_t element_id, TypePtr element, bool element_required) {
  Type type = MakeType(TypeId::kList);
  type.fields.push_back(MakeField(element_id, "element", element_required, std::move(element)));
  return std::make_shared<const Type>(std::move(type));
}

TypePtr Struct(std::vector<Field> fields) {
  Type type = MakeType(TypeId::kStruct);
  type.fields = std::move(fields);
  return std::make_shared<const Type>(std::move(type));
}

TypePtr Map(int32_t key_id, TypePtr key, int32_t value_id, TypePtr value, bool value_required) {
  Type type = MakeType(TypeId::kMap);
  type.fields.push_back(MakeField(key_id, "key", true, std::move(key)));
  type.fields.push_back(MakeField(value_id, "value", value_required, std::move(value)));
  return std::make_shared<const Type>(std::move(type));
}

bool Equal(const Type& a, const Type& b) {
  if (a.id != b.id || a.precision != b.precision || a.scale != b.scale || a.length != b.length ||
      a.fields.size() != b.fields.size()) {
    return false;
  }
  for (size_t i = 0; i < a.fields.size(); ++i) {
    const Field& x = a.fields[i];
    const Field& y = b.fields[i];
    if (x.id != y.id || x.name != y.name || x.required != y.required || !Equal(*x.type, *y.type))
      return false;
  }
  return true;
}

std::string ToString(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return "boolean";
    case TypeId::kInt:
      return "int";
    case TypeId::kLong:
      return "long";
    case TypeId::kFloat:
      return "float";
    case TypeId::kDouble:
      return "double";
    case TypeId::kDecimal:
      return Format("decimal({}, {})", type.precision, type.scale);
    case TypeId::kDate:
      return "date";
    case TypeId::kTime:
      return "time";
    case TypeId::kTimestamp:
      return "timestamp";
    case TypeId::kTimestampTz:
      return "timestamptz";
    case TypeId::kString:
      return "string";
    case TypeId::kUuid:
      return "uuid";
    case TypeId::kFixed:
      return Format("fixed[{}]", type.length);
    case TypeId::kBinary:
      return "binary";
    case TypeId::kStruct: {
      std::string text = "struct<";
      for (size_t i = 0; i < type.fields.size(); ++i) {
        text += Format("{}{}: {}", i == 0 ? "" : ", ", type.fields[i].name,
                       ToString(*type.fields[i].type));
      }
      return text + ">";
    }
    case TypeId::kList:
      return Format("list<{}>", ToString(*type.fields[0].type));
    case TypeId::kMap:
      return Format("map<{}, {}>", ToString(*type.fields[0].type), ToString(*type.fields[1].type));
  }
  return "unknown";
}

bool CanPromote(const Type& from, const Type& to) {
  if (from.id == TypeId::kInt && to.id == TypeId::kLong) return true;
  if (from.id == TypeId::kFloat && to.id == TypeId::kDouble) return true;
  if (from.id == TypeId::kDecimal && to.id == TypeId::kDecimal) {
    return from.scale == to.scale && from.precision <= to.precision;
  }
  return Equal(from, to);
}

}  // namespace millrace::iceberg
