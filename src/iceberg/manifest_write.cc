#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "codec/avro.h"
#include "iceberg/manifest.h"
#include "iceberg/manifest_datum.h"
#include "iceberg/manifest_schema.h"

namespace millrace::iceberg {
namespace {

using avro::Datum;

template <typename V>
Datum MapDatum(const std::map<int32_t, V>& map) {
  if (map.empty()) return Datum();
  std::vector<Datum> items;
  items.reserve(map.size());
  for (const auto& [key, value] : map) {
    items.push_back(Datum::Of({Datum(int64_t{key}), Datum(value)}));
  }
  return Datum::Of(std::move(items));
}

template <typename V>
Datum ListDatum(const std::vector<V>& values) {
  std::vector<Datum> items;
  items.reserve(values.size());
  for (const V value : values) items.push_back(Datum(int64_t{value}));
  return Datum::Of(std::move(items));
}

Result<Datum> FileDatum(const DataFile& file, const std::vector<TypePtr>& partition_types) {
  std::vector<Datum> partition;
  for (size_t i = 0; i < partition_types.size(); ++i) {
    MR_ASSIGN(Datum value, PartitionDatum(file.partition[i], *partition_types[i]));
    partition.push_back(std::move(value));
  }
  std::optional<int64_t> sort_order;
  if (file.sort_order_id) sort_order = *file.sort_order_id;
  std::vector<Datum> record;
  record.reserve(17);
  record.push_back(Datum(static_cast<int64_t>(file.content)));
  record.push_back(Datum(file.path));
  record.push_back(Datum(file.format));
  record.push_back(Datum::Of(std::move(partition)));
  record.push_back(Datum(file.record_count));
  record.push_back(Datum(file.file_size));
  record.push_back(MapDatum(file.column_sizes));
  record.push_back(MapDatum(file.value_counts));
  record.push_back(MapDatum(file.null_value_counts));
  record.push_back(MapDatum(file.nan_value_counts));
  record.push_back(MapDatum(file.lower_bounds));
  record.push_back(MapDatum(file.upper_bounds));
  record.push_back(Datum());  // key_metadata: encrypted files are refused on reading
  record.push_back(ListDatum(file.split_offsets));
  record.push_back(ListDatum(file.equality_ids));
  record.push_back(OptionalDatum(sort_order));
  record.push_back(OptionalDatum(file.referenced_data_file));
  return Datum::Of(std::move(record));
}

// What may be written: the shape, and that nothing is left to be inherited but by an added entry.
Status CheckEntry(const ManifestEntry& entry, ManifestContent content, const PartitionSpec& spec) {
  const std::string& path = entry.file.path;
  if (entry.file.partition.size() != spec.fields.size()) {
    return Fail(ErrorKind::kInternal,
                "manifest entry {} has {} partition values, spec {} has {} fields", path,
                entry.file.partition.size(), spec.spec_id, spec.fields.size());
  }
  if ((entry.file.content == FileContent::kData) != (content == ManifestContent::kData)) {
    return Fail(ErrorKind::kInternal,
                "manifest entry {} is of the other content class than its manifest", path);
  }
  if (entry.status != EntryStatus::kAdded && (!entry.snapshot_id || !entry.sequence_number)) {
    return Fail(ErrorKind::kInternal,
                "manifest entry {} was not added here and lacks its snapshot or sequence number",
                path);
  }
  return {};
}

void Count(const ManifestEntry& entry, ManifestFile& row) {
  const int64_t rows = entry.file.record_count;
  switch (entry.status) {
    case EntryStatus::kAdded:
      ++row.added_files;
      row.added_rows += rows;
      break;
    case EntryStatus::kExisting:
      ++row.existing_files;
      row.existing_rows += rows;
      break;
    case EntryStatus::kDeleted:
      ++row.deleted_files;
      row.deleted_rows += rows;
      return;  // only live entries count for the lowest sequence number
  }
  if (!entry.sequence_number) return;
  if (row.min_sequence_number == kUnassignedSequenceNumber ||
      *entry.sequence_number < row.min_sequence_number) {
    row.min_sequence_number = *entry.sequence_number;
  }
}

bool IsNan(const Literal& value) {
  if (const auto* f = std::get_if<float>(&value)) return std::isnan(*f);
  if (const auto* d = std::get_if<double>(&value)) return std::isnan(*d);
  return false;
}

// Over all entries, deleted ones included, as Java does: wider than needed is safe, narrower is
// not.
FieldSummary Summarize(const std::vector<ManifestEntry>& entries, size_t index, const Type& type) {
  FieldSummary summary;
  summary.contains_nan = false;
  const Literal* lower = nullptr;
  const Literal* upper = nullptr;
  for (const ManifestEntry& entry : entries) {
    const Literal& value = entry.file.partition[index];
    if (IsNull(value)) {
      summary.contains_null = true;
    } else if (IsNan(value)) {
      summary.contains_nan = true;
    } else {
      if (lower == nullptr || Compare(value, *lower) < 0) lower = &value;
      if (upper == nullptr || Compare(value, *upper) > 0) upper = &value;
    }
  }
  if (lower != nullptr) summary.lower_bound = ToBytes(*lower, type);
  if (upper != nullptr) summary.upper_bound = ToBytes(*upper, type);
  return summary;
}

}  // namespace

Result<WrittenManifest> WriteManifest(const std::vector<ManifestEntry>& entries,
                                      ManifestContent content, const Schema& table_schema,
                                      const PartitionSpec& spec, int64_t snapshot_id) {
  MR_ASSIGN(const std::vector<TypePtr> types, PartitionTypes(spec, table_schema));
  const std::map<std::string, std::string> metadata = {
      {"schema", json::Write(ToJson(table_schema))},
      {"schema-id", Format("{}", table_schema.schema_id)},
      {"partition-spec", json::Write(FieldsToJson(spec))},
      {"partition-spec-id", Format("{}", spec.spec_id)},
      {"format-version", "2"},
      {"content", content == ManifestContent::kData ? "data" : "deletes"}};
  MR_ASSIGN(const auto writer, avro::Writer::New(ManifestSchema(spec, types), metadata));

  WrittenManifest written;
  written.row.spec_id = spec.spec_id;
  written.row.content = content;
  written.row.sequence_number = kUnassignedSequenceNumber;
  written.row.min_sequence_number = kUnassignedSequenceNumber;
  written.row.added_snapshot_id = snapshot_id;
  for (const ManifestEntry& entry : entries) {
    MR_TRY(CheckEntry(entry, content, spec));
    MR_ASSIGN(Datum file, FileDatum(entry.file, types));
    std::vector<Datum> record;
    record.reserve(5);
    record.push_back(Datum(static_cast<int64_t>(entry.status)));
    record.push_back(Datum(entry.snapshot_id.value_or(snapshot_id)));
    record.push_back(OptionalDatum(entry.sequence_number));
    record.push_back(OptionalDatum(entry.file_sequence_number));
    record.push_back(std::move(file));
    MR_TRY(writer->Append(Datum::Of(std::move(record))));
    Count(entry, written.row);
  }
  for (size_t i = 0; i < types.size(); ++i)
    written.row.partitions.push_back(Summarize(entries, i, *types[i]));
  MR_ASSIGN(written.bytes, writer->Finish());
  written.row.length = static_cast<int64_t>(written.bytes.size());
  return written;
}

}  // namespace millrace::iceberg
