#include "codec/avro_schema.h"

#include <optional>

#include "base/format.h"
#include "codec/avro.h"

namespace millrace::avro {
namespace {

constexpr int kMaxDepth =
    64;  // deeper is an attack or a recursive type, neither of which Iceberg's files have

std::optional<Node::Kind> PrimitiveKind(std::string_view name) {
  using Kind = Node::Kind;
  static constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"null", Kind::kNull},   {"boolean", Kind::kBoolean}, {"int", Kind::kInt},
      {"long", Kind::kLong},   {"float", Kind::kFloat},     {"double", Kind::kDouble},
      {"bytes", Kind::kBytes}, {"string", Kind::kString}};
  for (const auto& [text, kind] : kKinds) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

}  // namespace

Result<CompiledSchema> CompiledSchema::Compile(const json::Value& schema, std::string_view what) {
  CompiledSchema compiled;
  MR_ASSIGN(compiled.root_, compiled.Add(schema, what, 0));
  return compiled;
}

Result<const Node*> CompiledSchema::Add(const json::Value& schema, std::string_view what,
                                        int depth) {
  if (depth > kMaxDepth)
    return Fail(ErrorKind::kCorrupt, "{}: Avro schema nests deeper than {}", what, kMaxDepth);
  if (schema.is_string()) {
    if (const auto kind = PrimitiveKind(schema.AsString()))
      return &nodes_.emplace_back(Node{*kind, 0, {}, {}});
    const auto named = named_.find(schema.AsString());
    if (named != named_.end()) return named->second;
    return Fail(ErrorKind::kCorrupt, "{}: unknown Avro type '{}'", what, schema.AsString());
  }
  if (schema.is_array()) {
    Node& node = nodes_.emplace_back();
    node.kind = Node::Kind::kUnion;
    for (const json::Value& branch : schema.AsArray()) {
      MR_ASSIGN(const Node* child, Add(branch, what, depth + 1));
      node.children.push_back(child);
    }
    return &node;
  }
  return AddComplex(schema, what, depth);
}

Result<const Node*> CompiledSchema::AddComplex(const json::Value& schema, std::string_view what,
                                               int depth) {
  const json::Value* type = schema.Find("type");
  if (type == nullptr) return Fail(ErrorKind::kCorrupt, "{}: an Avro schema has no 'type'", what);
  if (!type->is_string()) return Add(*type, what, depth + 1);
  const std::string& name = type->AsString();
  Node& node = nodes_.emplace_back();
  if (name == "record") {
    node.kind = Node::Kind::kRecord;
    MR_TRY(AddFields(schema, node, what, depth));
    return &node;
  }
  if (name == "fixed") {
    MR_ASSIGN(const int64_t size, schema.Int("size"));
    if (size < 0)
      return Fail(ErrorKind::kCorrupt, "{}: an Avro fixed type has a negative size", what);
    node.kind = Node::Kind::kFixed;
    node.size = static_cast<size_t>(size);
    Register(schema, &node);
    return &node;
  }
  if (name == "enum") {
    const json::Value* symbols = schema.Find("symbols");
    if (symbols == nullptr || !symbols->is_array())
      return Fail(ErrorKind::kCorrupt, "{}: an Avro enum lacks symbols", what);
    node.kind = Node::Kind::kEnum;
    node.size = symbols->AsArray().size();
    Register(schema, &node);
    return &node;
  }
  if (name == "array" || name == "map") {
    const json::Value* items = schema.Find(name == "array" ? "items" : "values");
    if (items == nullptr)
      return Fail(ErrorKind::kCorrupt, "{}: an Avro {} lacks its item type", what, name);
    node.kind = name == "array" ? Node::Kind::kArray : Node::Kind::kMap;
    MR_ASSIGN(const Node* child, Add(*items, what, depth + 1));
    node.children.push_back(child);
    return &node;
  }
  return Add(*type, what,
             depth + 1);  // a wrapped primitive, {"type": "int", "logicalType": "date"}
}

Status CompiledSchema::AddFields(const json::Value& schema, Node& record, std::string_view what,
                                 int depth) {
  const json::Value* fields = schema.Find("fields");
  if (fields == nullptr || !fields->is_array())
    return Fail(ErrorKind::kCorrupt, "{}: an Avro record lacks fields", what);
  for (const json::Value& field : fields->AsArray()) {
    const json::Value* type = field.Find("type");
    if (type == nullptr) return Fail(ErrorKind::kCorrupt, "{}: an Avro field lacks its type", what);
    MR_ASSIGN(std::string name, field.String("name"));
    MR_ASSIGN(const Node* child, Add(*type, what, depth + 1));
    record.children.push_back(child);
    record.names.push_back(std::move(name));
  }
  return {};
}

void CompiledSchema::Register(const json::Value& schema, const Node* node) {
  const json::Value* name = schema.Find("name");
  if (name == nullptr || !name->is_string()) return;
  named_[name->AsString()] = node;
  const json::Value* space = schema.Find("namespace");
  if (space != nullptr && space->is_string())
    named_[space->AsString() + "." + name->AsString()] = node;
}

const json::Value& NonNull(const json::Value& schema) {
  if (schema.is_array()) {
    for (const json::Value& branch : schema.AsArray()) {
      if (!branch.is_string() || branch.AsString() != "null") return NonNull(branch);
    }
    return schema;
  }
  const json::Value* type = schema.Find("type");
  return type == nullptr || type->is_string() ? schema : NonNull(*type);
}

int FieldIndex(const json::Value& record_schema, int field_id) {
  const json::Value* fields = NonNull(record_schema).Find("fields");
  if (fields == nullptr || !fields->is_array()) return -1;
  for (size_t i = 0; i < fields->AsArray().size(); ++i) {
    const json::Value* id = fields->AsArray()[i].Find("field-id");
    if (id != nullptr && id->is_integer() && id->AsInt() == field_id) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace millrace::avro
