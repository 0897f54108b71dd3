#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json.h"
#include "iceberg/partition.h"
#include "iceberg/schema.h"

// The Avro schemas of manifests and manifest lists (v2): names, ids and order as Java writes them,
// which other readers rely on.
namespace millrace::iceberg {

// Field ids of the spec's tables "Manifest list" and "Manifest entry fields".
namespace field_id {
inline constexpr int kManifestPath = 500, kManifestLength = 501, kPartitionSpecId = 502,
                     kAddedSnapshotId = 503, kAddedFiles = 504, kExistingFiles = 505,
                     kDeletedFiles = 506, kPartitions = 507, kPartitionsElement = 508,
                     kContainsNull = 509, kLowerBound = 510, kUpperBound = 511, kAddedRows = 512,
                     kExistingRows = 513, kDeletedRows = 514, kSequenceNumber = 515,
                     kMinSequenceNumber = 516, kManifestContent = 517, kContainsNan = 518,
                     kManifestKeyMetadata = 519;
inline constexpr int kStatus = 0, kSnapshotId = 1, kDataFile = 2, kEntrySequenceNumber = 3,
                     kFileSequenceNumber = 4;
inline constexpr int kFilePath = 100, kFileFormat = 101, kPartition = 102, kRecordCount = 103,
                     kFileSize = 104, kColumnSizes = 108, kValueCounts = 109,
                     kNullValueCounts = 110, kLowerBounds = 125, kUpperBounds = 128,
                     kKeyMetadata = 131, kSplitOffsets = 132, kEqualityIds = 135,
                     kNanValueCounts = 137, kContent = 134, kSortOrderId = 140,
                     kReferencedDataFile = 143, kContentOffset = 144;
}  // namespace field_id

json::Value ManifestListSchema();
// `partition_types`: the transforms' result types, one per field of the spec.
json::Value ManifestSchema(const PartitionSpec& spec, const std::vector<TypePtr>& partition_types);

// The result type of each field of the spec. A void field whose source column is gone counts as int
// (its values are null); kUnsupported names any other field whose source column is not in the
// schema.
Result<std::vector<TypePtr>> PartitionTypes(const PartitionSpec& spec, const Schema& schema);

// `name` as a legal Avro name, escaped as Java does: "a.b" is "a_x2Eb", "1a" is "_1a".
std::string AvroName(std::string_view name);

}  // namespace millrace::iceberg
