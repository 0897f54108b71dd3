#include "base/format.h"
#include "codec/avro.h"
#include "iceberg/manifest.h"
#include "iceberg/manifest_datum.h"
#include "iceberg/manifest_schema.h"

namespace millrace::iceberg {
namespace {

using avro::Datum;

// A map with int keys is an array of key-value records.
struct MapLayout {
  int field = -1, key = 0, value = 1;
};

// Where the fields of a data_file record are in this file.
struct FileLayout {
  int content, path, format, partition, record_count, file_size, key_metadata, split_offsets,
      equality_ids, sort_order_id, referenced_data_file, content_offset;
  MapLayout column_sizes, value_counts, null_value_counts, nan_value_counts, lower_bounds,
      upper_bounds;
  std::vector<int>
      partition_fields;  // one per field of the spec; -1 where this file does not have it
};

MapLayout FindMap(const RecordReader& file, int field_id, int key_id, int value_id,
                  std::string_view what) {
  MapLayout at;
  at.field = file.Index(field_id);
  if (at.field < 0) return at;
  const json::Value* items = avro::NonNull(file.FieldSchema(at.field)).Find("items");
  if (items == nullptr) return at;
  const RecordReader pair(*items, what);
  if (pair.Index(key_id) >= 0 &&
      pair.Index(value_id) >= 0) {  // without ids: key, value, as every writer has them
    at.key = pair.Index(key_id);
    at.value = pair.Index(value_id);
  }
  return at;
}

Result<FileLayout> FindFields(const RecordReader& file, const PartitionSpec& spec,
                              std::string_view what) {
  using namespace field_id;
  FileLayout at;
  MR_ASSIGN(at.path, file.RequiredIndex(kFilePath));
  MR_ASSIGN(at.format, file.RequiredIndex(kFileFormat));
  MR_ASSIGN(at.partition, file.RequiredIndex(kPartition));
  MR_ASSIGN(at.record_count, file.RequiredIndex(kRecordCount));
  MR_ASSIGN(at.file_size, file.RequiredIndex(kFileSize));
  at.content = file.Index(kContent);
  at.column_sizes = FindMap(file, kColumnSizes, 117, 118, what);
  at.value_counts = FindMap(file, kValueCounts, 119, 120, what);
  at.null_value_counts = FindMap(file, kNullValueCounts, 121, 122, what);
  at.nan_value_counts = FindMap(file, kNanValueCounts, 138, 139, what);
  at.lower_bounds = FindMap(file, kLowerBounds, 126, 127, what);
  at.upper_bounds = FindMap(file, kUpperBounds, 129, 130, what);
  at.key_metadata = file.Index(kKeyMetadata);
  at.split_offsets = file.Index(kSplitOffsets);
  at.equality_ids = file.Index(kEqualityIds);
  at.sort_order_id = file.Index(kSortOrderId);
  at.referenced_data_file = file.Index(kReferencedDataFile);
  at.content_offset = file.Index(kContentOffset);
  const RecordReader partition(file.FieldSchema(at.partition), what);
  for (const PartitionField& field : spec.fields)
    at.partition_fields.push_back(partition.Index(field.field_id));
  return at;
}

template <typename V>
std::map<int32_t, V> MapAt(const Datum& record, const MapLayout& at) {
  std::map<int32_t, V> map;
  const Datum* array = At(record, at.field);
  if (array == nullptr) return map;
  for (const Datum& pair : array->items) {
    const auto key = ScalarAt<int64_t>(pair, at.key);
    auto value = ScalarAt<V>(pair, at.value);
    if (key && value) map.emplace(static_cast<int32_t>(*key), *std::move(value));
  }
  return map;
}

template <typename V>
std::vector<V> ListAt(const Datum& record, int index) {
  std::vector<V> list;
  const Datum* array = At(record, index);
  if (array == nullptr) return list;
  for (const Datum& item : array->items) {
    if (const auto* value = std::get_if<int64_t>(&item.scalar))
      list.push_back(static_cast<V>(*value));
  }
  return list;
}

Result<DataFile> ReadFile(const Datum& record, const FileLayout& at,
                          const std::vector<TypePtr>& partition_types, std::string_view what) {
  DataFile file;
  auto path = ScalarAt<std::string>(record, at.path);
  auto format = ScalarAt<std::string>(record, at.format);
  const auto record_count = ScalarAt<int64_t>(record, at.record_count);
  const auto file_size = ScalarAt<int64_t>(record, at.file_size);
  const int64_t content = ScalarAt<int64_t>(record, at.content).value_or(0);
  if (!path || !format || !record_count || !file_size || content < 0 || content > 2) {
    return Fail(ErrorKind::kCorrupt,
                "{}: a data file lacks its path, format or size, or its content is unknown", what);
  }
  if (At(record, at.key_metadata) != nullptr) {
    return Fail(ErrorKind::kUnsupported, "{}: {} is encrypted, which Millrace cannot read", what,
                *path);
  }
  if (At(record, at.content_offset) != nullptr) {
    return Fail(ErrorKind::kUnsupported,
                "{}: {} holds deletion vectors, which need table format v3", what, *path);
  }
  file.content = static_cast<FileContent>(content);
  file.path = *std::move(path);
  file.format = *std::move(format);
  file.record_count = *record_count;
  file.file_size = *file_size;
  file.column_sizes = MapAt<int64_t>(record, at.column_sizes);
  file.value_counts = MapAt<int64_t>(record, at.value_counts);
  file.null_value_counts = MapAt<int64_t>(record, at.null_value_counts);
  file.nan_value_counts = MapAt<int64_t>(record, at.nan_value_counts);
  file.lower_bounds = MapAt<std::string>(record, at.lower_bounds);
  file.upper_bounds = MapAt<std::string>(record, at.upper_bounds);
  file.split_offsets = ListAt<int64_t>(record, at.split_offsets);
  file.equality_ids = ListAt<int32_t>(record, at.equality_ids);
  file.referenced_data_file = ScalarAt<std::string>(record, at.referenced_data_file);
  if (const auto order = ScalarAt<int64_t>(record, at.sort_order_id))
    file.sort_order_id = static_cast<int32_t>(*order);
  const Datum& partition = record.items[static_cast<size_t>(at.partition)];
  for (size_t i = 0; i < partition_types.size(); ++i) {
    const Datum* value = At(partition, at.partition_fields[i]);
    if (value == nullptr) {
      file.partition.emplace_back();
      continue;
    }
    MR_ASSIGN(Literal literal, PartitionLiteral(*value, *partition_types[i]));
    file.partition.push_back(std::move(literal));
  }
  return file;
}

// Spec: "Sequence Number Inheritance". Only added entries inherit; in a manifest from a v1 table
// (number 0) all do.
Status Inherit(const ManifestFile& row, ManifestEntry& entry) {
  if (!entry.snapshot_id) entry.snapshot_id = row.added_snapshot_id;
  const bool inherits = entry.status == EntryStatus::kAdded || row.sequence_number == 0;
  if (inherits && !entry.sequence_number) entry.sequence_number = row.sequence_number;
  if (inherits && !entry.file_sequence_number) entry.file_sequence_number = row.sequence_number;
  if (entry.sequence_number) return {};
  return Fail(ErrorKind::kCorrupt,
              "{}: the entry of {} has no sequence number and must not inherit one", row.path,
              entry.file.path);
}

}  // namespace

Result<std::vector<ManifestEntry>> ReadManifest(std::string_view bytes, const ManifestFile& row,
                                                const Schema& table_schema,
                                                const PartitionSpec& spec) {
  using namespace field_id;
  MR_ASSIGN(const std::vector<TypePtr> types, PartitionTypes(spec, table_schema));
  MR_ASSIGN(const std::unique_ptr<avro::Reader> file, avro::Reader::Open(bytes, row.path));
  const RecordReader reader(file->schema(), row.path);
  MR_ASSIGN(const int status_at, reader.RequiredIndex(kStatus));
  MR_ASSIGN(const int file_at, reader.RequiredIndex(kDataFile));
  const int snapshot_at = reader.Index(kSnapshotId);
  const int sequence_at = reader.Index(kEntrySequenceNumber);
  const int file_sequence_at = reader.Index(kFileSequenceNumber);
  MR_ASSIGN(const FileLayout layout,
            FindFields(RecordReader(reader.FieldSchema(file_at), row.path), spec, row.path));

  std::vector<ManifestEntry> entries;
  while (true) {
    Datum record;  // one at a time: a manifest's data in memory is many times its file
    MR_ASSIGN(const bool more, file->Next(record));
    if (!more) return entries;
    const auto status = ScalarAt<int64_t>(record, status_at);
    const Datum* data_file = At(record, file_at);
    if (!status || *status < 0 || *status > 2 || data_file == nullptr) {
      return Fail(ErrorKind::kCorrupt, "{}: an entry has no data file or an unknown status",
                  row.path);
    }
    ManifestEntry entry;
    entry.status = static_cast<EntryStatus>(*status);
    entry.snapshot_id = ScalarAt<int64_t>(record, snapshot_at);
    entry.sequence_number = ScalarAt<int64_t>(record, sequence_at);
    entry.file_sequence_number = ScalarAt<int64_t>(record, file_sequence_at);
    MR_ASSIGN(entry.file, ReadFile(*data_file, layout, types, row.path));
    entry.file.spec_id = row.spec_id;
    MR_TRY(Inherit(row, entry));
    entries.push_back(std::move(entry));
  }
}

}  // namespace millrace::iceberg
