#include "iceberg/partition.h"

#include <algorithm>

#include "base/format.h"
#include "iceberg/json_members.h"

namespace millrace::iceberg {

bool SameFields(const PartitionSpec& a, const PartitionSpec& b) {
  return std::ranges::equal(a.fields, b.fields,
                            [](const PartitionField& x, const PartitionField& y) {
                              return x.source_id == y.source_id && x.field_id == y.field_id &&
                                     x.name == y.name && x.transform.kind == y.transform.kind &&
                                     x.transform.parameter == y.transform.parameter;
                            });
}

int32_t LastFieldId(const PartitionSpec& spec) {
  int32_t last = 999;
  for (const PartitionField& field : spec.fields) last = std::max(last, field.field_id);
  return last;
}

json::Value FieldsToJson(const PartitionSpec& spec) {
  json::Value::Array fields;
  for (const PartitionField& field : spec.fields) {
    fields.emplace_back(json::Value::Object{{"name", field.name},
                                            {"transform", ToString(field.transform)},
                                            {"source-id", field.source_id},
                                            {"field-id", field.field_id}});
  }
  return fields;
}

json::Value ToJson(const PartitionSpec& spec) {
  return json::Value::Object{{"spec-id", spec.spec_id}, {"fields", FieldsToJson(spec)}};
}

Result<PartitionSpec> PartitionSpecFromJson(const json::Value& value) {
  PartitionSpec spec;
  if (value.Find("spec-id") != nullptr && !value.Find("spec-id")->is_null()) {
    MR_ASSIGN(spec.spec_id, Int32Member(value, "spec-id"));
  }
  MR_ASSIGN(const json::Value::Array fields, ArrayMember(value, "fields", true));
  for (const json::Value& item : fields) {
    PartitionField field;
    MR_ASSIGN(field.name, item.String("name"));
    if (item.Find("source-id") == nullptr && item.Find("source-ids") != nullptr) {
      return Fail(ErrorKind::kUnsupported,
                  "partition field '{}' has several sources, which needs table format v3",
                  field.name);
    }
    MR_ASSIGN(field.source_id, Int32Member(item, "source-id"));
    const json::Value* id = item.Find("field-id");
    if (id != nullptr && !id->is_null()) {
      MR_ASSIGN(field.field_id, Int32Of(*id, "field-id"));
    }
    MR_ASSIGN(const std::string transform, item.String("transform"));
    MR_ASSIGN(field.transform, ParseTransform(transform));
    spec.fields.push_back(std::move(field));
  }
  return spec;
}

}  // namespace millrace::iceberg
