#include "base/format.h"
#include "codec/avro.h"
#include "iceberg/manifest.h"
#include "iceberg/manifest_datum.h"
#include "iceberg/manifest_schema.h"

namespace millrace::iceberg {
namespace {

using avro::Datum;

Datum SummariesDatum(const std::vector<FieldSummary>& summaries) {
  std::vector<Datum> items;
  for (const FieldSummary& summary : summaries) {
    items.push_back(
        Datum::Of({Datum(summary.contains_null), OptionalDatum(summary.contains_nan),
                   OptionalDatum(summary.lower_bound), OptionalDatum(summary.upper_bound)}));
  }
  return Datum::Of(
      std::move(items));  // none: the list is left out (null), which readers take for any spec
}

// The row with this attempt's number where the manifest is this snapshot's own.
Result<ManifestFile> Numbered(const ManifestFile& row, const ManifestListKey& key) {
  ManifestFile numbered = row;
  if (row.added_snapshot_id == key.snapshot_id) {
    if (row.min_sequence_number == kUnassignedSequenceNumber ||
        row.min_sequence_number == row.sequence_number) {
      numbered.min_sequence_number = key.sequence_number;
    }
    numbered.sequence_number = key.sequence_number;
  }
  if (numbered.sequence_number == kUnassignedSequenceNumber) {
    return Fail(ErrorKind::kInternal,
                "manifest {} of snapshot {} has no sequence number and is not of snapshot {}",
                row.path, row.added_snapshot_id, key.snapshot_id);
  }
  return numbered;
}

Datum RowDatum(const ManifestFile& row) {
  std::vector<Datum> record;
  record.reserve(15);
  record.push_back(Datum(row.path));
  record.push_back(Datum(row.length));
  record.push_back(Datum(int64_t{row.spec_id}));
  record.push_back(Datum(static_cast<int64_t>(row.content)));
  record.push_back(Datum(row.sequence_number));
  record.push_back(Datum(row.min_sequence_number));
  record.push_back(Datum(row.added_snapshot_id));
  record.push_back(Datum(int64_t{row.added_files}));
  record.push_back(Datum(int64_t{row.existing_files}));
  record.push_back(Datum(int64_t{row.deleted_files}));
  record.push_back(Datum(row.added_rows));
  record.push_back(Datum(row.existing_rows));
  record.push_back(Datum(row.deleted_rows));
  record.push_back(SummariesDatum(row.partitions));
  record.push_back(Datum());  // key_metadata: encrypted manifests are refused on reading
  return Datum::Of(std::move(record));
}

// Integers of one row, by field id. A missing one is remembered and reported once, at the end.
class RowNumbers {
 public:
  RowNumbers(const Datum& record, const RecordReader& reader) : record_(record), reader_(reader) {}

  int64_t Required(int field_id) {
    const auto value = ScalarAt<int64_t>(record_, reader_.Index(field_id));
    if (!value && missing_ < 0) missing_ = field_id;
    return value.value_or(0);
  }
  int32_t Required32(int field_id) { return static_cast<int32_t>(Required(field_id)); }
  // v1 tables, upgraded since, left these out; their number is 0.
  int64_t OrZero(int field_id) const {
    return ScalarAt<int64_t>(record_, reader_.Index(field_id)).value_or(0);
  }
  int missing() const { return missing_; }

 private:
  const Datum& record_;
  const RecordReader& reader_;
  int missing_ = -1;
};

std::vector<FieldSummary> ReadSummaries(const Datum* array, const json::Value& schema,
                                        std::string_view what) {
  using namespace field_id;
  std::vector<FieldSummary> summaries;
  if (array == nullptr) return summaries;
  const json::Value* items = avro::NonNull(schema).Find("items");
  if (items == nullptr) return summaries;
  const RecordReader reader(*items, what);
  for (const Datum& item : array->items) {
    FieldSummary summary;
    // Unknown counts as "may be null", which never prunes too much.
    summary.contains_null = ScalarAt<bool>(item, reader.Index(kContainsNull)).value_or(true);
    summary.contains_nan = ScalarAt<bool>(item, reader.Index(kContainsNan));
    summary.lower_bound = ScalarAt<std::string>(item, reader.Index(kLowerBound));
    summary.upper_bound = ScalarAt<std::string>(item, reader.Index(kUpperBound));
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

Result<ManifestFile> ReadRow(const Datum& record, const RecordReader& reader,
                             std::string_view what) {
  using namespace field_id;
  ManifestFile row;
  auto path = ScalarAt<std::string>(record, reader.Index(kManifestPath));
  if (!path) return Fail(ErrorKind::kCorrupt, "{}: a row has no manifest path", what);
  row.path = *std::move(path);
  RowNumbers numbers(record, reader);
  row.length = numbers.Required(kManifestLength);
  row.spec_id = numbers.Required32(kPartitionSpecId);
  row.added_snapshot_id = numbers.Required(kAddedSnapshotId);
  row.added_files = numbers.Required32(kAddedFiles);
  row.existing_files = numbers.Required32(kExistingFiles);
  row.deleted_files = numbers.Required32(kDeletedFiles);
  row.added_rows = numbers.Required(kAddedRows);
  row.existing_rows = numbers.Required(kExistingRows);
  row.deleted_rows = numbers.Required(kDeletedRows);
  row.sequence_number = numbers.OrZero(kSequenceNumber);
  row.min_sequence_number = numbers.OrZero(kMinSequenceNumber);
  if (numbers.missing() >= 0) {
    return Fail(ErrorKind::kCorrupt, "{}: the row of {} lacks field {}", what, row.path,
                numbers.missing());
  }
  const int64_t content = numbers.OrZero(kManifestContent);
  if (content < 0 || content > 1)
    return Fail(ErrorKind::kCorrupt, "{}: {} has an unknown content", what, row.path);
  row.content = static_cast<ManifestContent>(content);
  if (At(record, reader.Index(kManifestKeyMetadata)) != nullptr) {
    return Fail(ErrorKind::kUnsupported, "{}: {} is encrypted, which Millrace cannot read", what,
                row.path);
  }
  const int partitions = reader.Index(kPartitions);
  if (partitions >= 0)
    row.partitions = ReadSummaries(At(record, partitions), reader.FieldSchema(partitions), what);
  return row;
}

}  // namespace

Result<std::string> WriteManifestList(const std::vector<ManifestFile>& rows,
                                      const ManifestListKey& key) {
  const std::map<std::string, std::string> metadata = {
      {"snapshot-id", Format("{}", key.snapshot_id)},
      {"parent-snapshot-id",
       key.parent_snapshot_id ? Format("{}", *key.parent_snapshot_id) : "null"},
      {"sequence-number", Format("{}", key.sequence_number)},
      {"format-version", "2"}};
  MR_ASSIGN(const auto writer, avro::Writer::New(ManifestListSchema(), metadata));
  for (const ManifestFile& row : rows) {
    MR_ASSIGN(const ManifestFile numbered, Numbered(row, key));
    MR_TRY(writer->Append(RowDatum(numbered)));
  }
  return writer->Finish();
}

Result<std::vector<ManifestFile>> ReadManifestList(std::string_view bytes, std::string_view what) {
  MR_ASSIGN(const avro::File file, avro::Read(bytes, what));
  const RecordReader reader(file.schema, what);
  std::vector<ManifestFile> rows;
  rows.reserve(file.records.size());
  for (const Datum& record : file.records) {
    MR_ASSIGN(ManifestFile row, ReadRow(record, reader, what));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace millrace::iceberg
