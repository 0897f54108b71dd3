#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/literal.h"
#include "iceberg/partition.h"
#include "iceberg/schema.h"

// Manifests and manifest lists (v2). Spec: "Manifests", "Manifest Lists"; names and field order as
// Java writes them.
namespace millrace::iceberg {

enum class FileContent { kData = 0, kPositionDeletes = 1, kEqualityDeletes = 2 };
enum class ManifestContent { kData = 0, kDeletes = 1 };
enum class EntryStatus { kExisting = 0, kAdded = 1, kDeleted = 2 };

struct DataFile {
  FileContent content = FileContent::kData;
  std::string path;  // one canonical form, compared byte for byte (M7)
  std::string format = "PARQUET";
  int32_t spec_id = 0;             // of the manifest that lists it; not stored in the entry
  std::vector<Literal> partition;  // one per field of the spec
  int64_t record_count = 0;
  int64_t file_size = 0;
  std::map<int32_t, int64_t> column_sizes, value_counts, null_value_counts, nan_value_counts;
  std::map<int32_t, std::string> lower_bounds, upper_bounds;
  std::vector<int64_t> split_offsets;
  std::vector<int32_t> equality_ids;
  std::optional<int32_t> sort_order_id;
  std::optional<std::string>
      referenced_data_file;  // field 143: the one data file that a position delete file is about
};

struct ManifestEntry {
  EntryStatus status = EntryStatus::kAdded;
  std::optional<int64_t> snapshot_id, sequence_number,
      file_sequence_number;  // null: inherited from the manifest's row in the list
  DataFile file;
};

struct FieldSummary {
  bool contains_null = false;
  std::optional<bool> contains_nan;
  std::optional<std::string> lower_bound, upper_bound;
};

struct ManifestFile {
  std::string path;
  int64_t length = 0;
  int32_t spec_id = 0;
  ManifestContent content = ManifestContent::kData;
  int64_t sequence_number = 0;
  int64_t min_sequence_number = 0;
  int64_t added_snapshot_id = 0;
  int32_t added_files = 0, existing_files = 0, deleted_files = 0;
  int64_t added_rows = 0, existing_rows = 0, deleted_rows = 0;
  std::vector<FieldSummary> partitions;  // one per field of the spec, in order (S7)
};

// The sequence number of what this snapshot adds, until the manifest list of an attempt gives it
// one.
inline constexpr int64_t kUnassignedSequenceNumber = -1;

// One manifest in memory. All entries have the spec's partition tuple and the same content class.
// Added entries need no numbers (they inherit; a given data sequence number is kept, as compaction
// wants it); others need snapshot id and sequence number. `sequence_number` (and
// `min_sequence_number`, unless an older entry sets it) of the returned row is
// kUnassignedSequenceNumber: the list writer puts the attempt's number there, so a retry writes
// only a new list.
struct WrittenManifest {
  std::string bytes;
  ManifestFile row;  // `path` empty: the caller names and stores it; `length` is set
};
Result<WrittenManifest> WriteManifest(const std::vector<ManifestEntry>& entries,
                                      ManifestContent content, const Schema& table_schema,
                                      const PartitionSpec& spec, int64_t snapshot_id);
// Entries with everything inherited filled in from `row` (snapshot id, sequence numbers).
Result<std::vector<ManifestEntry>> ReadManifest(std::string_view bytes, const ManifestFile& row,
                                                const Schema& table_schema,
                                                const PartitionSpec& spec);

struct ManifestListKey {
  int64_t snapshot_id;
  std::optional<int64_t> parent_snapshot_id;
  int64_t sequence_number;
};
// Rows whose added_snapshot_id is the key's get the key's sequence number; the others are written
// as they are.
Result<std::string> WriteManifestList(const std::vector<ManifestFile>& rows,
                                      const ManifestListKey& key);
Result<std::vector<ManifestFile>> ReadManifestList(std::string_view bytes, std::string_view what);

}  // namespace millrace::iceberg
