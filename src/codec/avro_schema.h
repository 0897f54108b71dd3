#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json.h"

// An Avro schema compiled from its JSON, so that reading and writing walk pointers instead of JSON.
namespace millrace::avro {

struct Node {
  enum class Kind {
    kNull,
    kBoolean,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kFixed,
    kEnum,
    kRecord,
    kArray,
    kMap,
    kUnion,
  };
  Kind kind = Kind::kNull;
  size_t size = 0;  // kFixed: bytes; kEnum: symbols
  std::vector<const Node*>
      children;                    // kRecord: fields; kUnion: branches; kArray, kMap: the one item
  std::vector<std::string> names;  // kRecord: of the fields, for messages
};

// Owns the nodes; moving keeps their addresses, a copy would not. Fixed types and enums may be
// referred to by name after their definition, as Java's writer does. Records may not: nobody needs
// it, and a few bytes of schema could then stand for endless data.
class CompiledSchema {
 public:
  CompiledSchema(CompiledSchema&&) = default;
  CompiledSchema& operator=(CompiledSchema&&) = default;

  // kCorrupt "<what>: ..." when the JSON is no Avro schema.
  static Result<CompiledSchema> Compile(const json::Value& schema, std::string_view what);
  const Node& root() const { return *root_; }

 private:
  CompiledSchema() = default;
  Result<const Node*> Add(const json::Value& schema, std::string_view what, int depth);
  Result<const Node*> AddComplex(const json::Value& schema, std::string_view what, int depth);
  Status AddFields(const json::Value& schema, Node& record, std::string_view what, int depth);
  void Register(const json::Value& schema, const Node* node);

  std::deque<Node> nodes_;
  std::map<std::string, const Node*, std::less<>> named_;
  const Node* root_ = nullptr;
};

}  // namespace millrace::avro
