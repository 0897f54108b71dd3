#include "iceberg/manifest_schema.h"

#include <set>

#include "base/format.h"
#include "iceberg/literal.h"

namespace millrace::iceberg {
namespace {

using json::Value;
using Object = Value::Object;
using Array = Value::Array;

Value Required(std::string_view name, Value type, int id) {
  return Object{{"name", name}, {"type", std::move(type)}, {"field-id", id}};
}

Value Optional(std::string_view name, Value type, int id) {
  return Object{{"name", name},
                {"type", Array{"null", std::move(type)}},
                {"default", nullptr},
                {"field-id", id}};
}

Value Record(std::string_view name, Array fields) {
  return Object{{"type", "record"}, {"name", name}, {"fields", std::move(fields)}};
}

// A map with int keys: Avro's own maps have string keys only, so it is an array of k<key
// id>_v<value id> records.
Value IntMap(int key_id, int value_id, std::string_view value_type) {
  return Object{
      {"type", "array"},
      {"items", Record(Format("k{}_v{}", key_id, value_id),
                       {Required("key", "int", key_id), Required("value", value_type, value_id)})},
      {"logicalType", "map"}};
}

Value ListOf(std::string_view element, int element_id) {
  return Object{{"type", "array"}, {"items", element}, {"element-id", element_id}};
}

// A fixed type has a name, which Avro lets one define once. Referring to it by name from then on is
// legal and what Java does, but PyIceberg cannot resolve that; so each further use gets a name of
// its own, which no reader looks at.
Value FixedType(std::string name, int size, Object attributes, int field_id,
                std::set<std::string>& defined) {
  if (!defined.insert(name).second) {
    name += Format("_{}", field_id);
    defined.insert(name);
  }
  Object type{{"type", "fixed"}, {"name", std::move(name)}, {"size", size}};
  for (auto& attribute : attributes) type.push_back(std::move(attribute));
  return type;
}

Value PartitionValueType(const Type& type, int field_id, std::set<std::string>& defined) {
  switch (type.id) {
    case TypeId::kBoolean:
    case TypeId::kInt:
    case TypeId::kLong:
    case TypeId::kFloat:
    case TypeId::kDouble:
    case TypeId::kString:
      return ToString(type);
    case TypeId::kBinary:
      return "bytes";
    case TypeId::kDate:
      return Object{{"type", "int"}, {"logicalType", "date"}};
    case TypeId::kTime:
      return Object{{"type", "long"}, {"logicalType", "time-micros"}};
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return Object{{"type", "long"},
                    {"logicalType", "timestamp-micros"},
                    {"adjust-to-utc", type.id == TypeId::kTimestampTz}};
    case TypeId::kUuid:
      return FixedType("uuid_fixed", 16, {{"logicalType", "uuid"}}, field_id, defined);
    case TypeId::kFixed:
      return FixedType(Format("fixed_{}", type.length), type.length, {}, field_id, defined);
    case TypeId::kDecimal:
      return FixedType(
          Format("decimal_{}_{}", type.precision, type.scale),
          static_cast<int>(DecimalRequiredBytes(type.precision)),
          {{"logicalType", "decimal"}, {"precision", type.precision}, {"scale", type.scale}},
          field_id, defined);
    case TypeId::kStruct:
    case TypeId::kList:
    case TypeId::kMap:
      return "int";  // only a void field has such a source, and its values are null
  }
  return "int";
}

Value PartitionRecord(const PartitionSpec& spec, const std::vector<TypePtr>& types) {
  Array fields;
  std::set<std::string> names;
  std::set<std::string> defined;
  for (size_t i = 0; i < spec.fields.size(); ++i) {
    const PartitionField& field = spec.fields[i];
    std::string name = AvroName(field.name);
    if (!names.insert(name).second)
      name += Format("_{}", field.field_id);  // two names may look alike once escaped
    Value avro =
        Optional(name, PartitionValueType(*types[i], field.field_id, defined), field.field_id);
    if (name != field.name) avro.Set("iceberg-field-name", field.name);
    fields.push_back(std::move(avro));
  }
  return Record("r102", std::move(fields));
}

}  // namespace

Value ManifestListSchema() {
  using namespace field_id;
  Value summary = Record("r508", {Required("contains_null", "boolean", kContainsNull),
                                  Optional("contains_nan", "boolean", kContainsNan),
                                  Optional("lower_bound", "bytes", kLowerBound),
                                  Optional("upper_bound", "bytes", kUpperBound)});
  Value partitions =
      Object{{"type", "array"}, {"items", std::move(summary)}, {"element-id", kPartitionsElement}};
  return Record("manifest_file", {Required("manifest_path", "string", kManifestPath),
                                  Required("manifest_length", "long", kManifestLength),
                                  Required("partition_spec_id", "int", kPartitionSpecId),
                                  Required("content", "int", kManifestContent),
                                  Required("sequence_number", "long", kSequenceNumber),
                                  Required("min_sequence_number", "long", kMinSequenceNumber),
                                  Required("added_snapshot_id", "long", kAddedSnapshotId),
                                  Required("added_files_count", "int", kAddedFiles),
                                  Required("existing_files_count", "int", kExistingFiles),
                                  Required("deleted_files_count", "int", kDeletedFiles),
                                  Required("added_rows_count", "long", kAddedRows),
                                  Required("existing_rows_count", "long", kExistingRows),
                                  Required("deleted_rows_count", "long", kDeletedRows),
                                  Optional("partitions", std::move(partitions), kPartitions),
                                  Optional("key_metadata", "bytes", kManifestKeyMetadata)});
}

Value ManifestSchema(const PartitionSpec& spec, const std::vector<TypePtr>& partition_types) {
  using namespace field_id;
  Value data_file = Record(
      "r2", {Required("content", "int", kContent), Required("file_path", "string", kFilePath),
             Required("file_format", "string", kFileFormat),
             Required("partition", PartitionRecord(spec, partition_types), kPartition),
             Required("record_count", "long", kRecordCount),
             Required("file_size_in_bytes", "long", kFileSize),
             Optional("column_sizes", IntMap(117, 118, "long"), kColumnSizes),
             Optional("value_counts", IntMap(119, 120, "long"), kValueCounts),
             Optional("null_value_counts", IntMap(121, 122, "long"), kNullValueCounts),
             Optional("nan_value_counts", IntMap(138, 139, "long"), kNanValueCounts),
             Optional("lower_bounds", IntMap(126, 127, "bytes"), kLowerBounds),
             Optional("upper_bounds", IntMap(129, 130, "bytes"), kUpperBounds),
             Optional("key_metadata", "bytes", kKeyMetadata),
             Optional("split_offsets", ListOf("long", 133), kSplitOffsets),
             Optional("equality_ids", ListOf("int", 136), kEqualityIds),
             Optional("sort_order_id", "int", kSortOrderId),
             Optional("referenced_data_file", "string", kReferencedDataFile)});
  return Record("manifest_entry",
                {Required("status", "int", kStatus), Optional("snapshot_id", "long", kSnapshotId),
                 Optional("sequence_number", "long", kEntrySequenceNumber),
                 Optional("file_sequence_number", "long", kFileSequenceNumber),
                 Required("data_file", std::move(data_file), kDataFile)});
}

Result<std::vector<TypePtr>> PartitionTypes(const PartitionSpec& spec, const Schema& schema) {
  std::vector<TypePtr> types;
  for (const PartitionField& field : spec.fields) {
    const Field* source = schema.FindById(field.source_id);
    if (source != nullptr) {
      types.push_back(ResultType(field.transform, source->type));
    } else if (field.transform.kind == TransformKind::kVoid) {
      types.push_back(Primitive(TypeId::kInt));
    } else {
      return Fail(ErrorKind::kUnsupported,
                  "partition field '{}' of spec {} uses column {}, which schema {} does not have",
                  field.name, spec.spec_id, field.source_id, schema.schema_id);
    }
  }
  return types;
}

std::string AvroName(std::string_view name) {
  std::string legal;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (letter || (digit && !legal.empty())) {
      legal += c;
    } else if (digit) {
      legal += Format("_{}", c);
    } else {
      legal += Format("_x{:X}", static_cast<unsigned char>(c));
    }
  }
  return legal.empty() ? "_" : legal;
}

}  // namespace millrace::iceberg
