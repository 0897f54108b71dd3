#pragma once

#include <string>
#include <vector>

#include "codec/json.h"
#include "iceberg/literal.h"
#include "iceberg/schema.h"

namespace millrace::iceberg {

enum class TransformKind { kIdentity, kBucket, kTruncate, kYear, kMonth, kDay, kHour, kVoid };

struct Transform {
  TransformKind kind = TransformKind::kIdentity;
  int32_t parameter = 0;  // bucket count or truncate width
};
std::string ToString(const Transform& t);  // "bucket[16]"
Result<Transform> ParseTransform(std::string_view text);
TypePtr ResultType(const Transform& t, const TypePtr& source);
// kUnsupported when the transform does not take the source type. Null gives null.
Result<Literal> Apply(const Transform& t, const Literal& value, const Type& source);

struct PartitionField {
  int32_t source_id = 0;
  int32_t field_id = 0;  // from 1000
  std::string name;
  Transform transform;
};

struct PartitionSpec {
  int32_t spec_id = 0;
  std::vector<PartitionField> fields;
  bool operator==(const PartitionSpec&) const = delete;
};
bool SameFields(const PartitionSpec& a, const PartitionSpec& b);
int32_t LastFieldId(const PartitionSpec& spec);  // 999 when unpartitioned

json::Value FieldsToJson(
    const PartitionSpec& spec);  // the fields array alone, as manifests hold it
json::Value ToJson(const PartitionSpec& spec);
Result<PartitionSpec> PartitionSpecFromJson(const json::Value& value);

// "is_current=true/day=2026-11-24", URL-escaped as Java does; "" when unpartitioned.
std::string PartitionPath(const PartitionSpec& spec, const Schema& schema,
                          const std::vector<Literal>& values);

}  // namespace millrace::iceberg
