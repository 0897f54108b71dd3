#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json.h"
#include "iceberg/type.h"

namespace millrace::iceberg {

// A schema with its id. Field ids are never used twice in a table's life.
struct Schema {
  int32_t schema_id = 0;
  std::vector<Field> fields;
  std::vector<int32_t> identifier_field_ids;

  const Field* FindById(int32_t id) const;               // nested fields too; nullptr if absent
  const Field* FindByName(std::string_view name) const;  // top level
  int32_t HighestFieldId() const;                        // nested fields too; 0 when empty
  // Equal but for schema_id.
  bool SameFields(const Schema& other) const;
};

json::Value ToJson(const Schema& schema);
json::Value ToJson(const Type& type);
Result<Schema> SchemaFromJson(const json::Value& value);
Result<TypePtr> TypeFromJson(const json::Value& value);

// Schema evolution as values. Each returns the new schema with `schema_id` = one above the highest
// in use (the caller adds it), or kInvalidInput / kUnsupported that names the column.
// `last_column_id` is advanced when ids are given out.
class SchemaUpdate {
 public:
  SchemaUpdate(const Schema& base, int32_t* last_column_id);
  // Optional, at the end; list element ids are given too. `type`'s own nested ids are replaced by
  // fresh ones. Names must be unique without regard to case (M14).
  Result<int32_t> AddColumn(const std::string& name, const TypePtr& type,
                            const std::string& doc = "");
  Status RenameColumn(int32_t id, const std::string& name);
  Status DropColumn(
      int32_t id);  // the caller checks that no partition spec or sort order uses it (M5)
  Status PromoteColumn(int32_t id, const TypePtr& type);
  Status MakeOptional(int32_t id);
  Schema Finish(int32_t schema_id) const;
  bool changed() const { return changed_; }

 private:
  Field* Find(int32_t id);
  Schema schema_;
  int32_t* last_column_id_;
  bool changed_ = false;
};

}  // namespace millrace::iceberg
