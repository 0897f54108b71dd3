#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/metadata.h"
#include "port/object_store.h"
#include "table/scan.h"

namespace millrace::table {

// All positions deleted in a data file, ascending and unique, from the delete files that apply to
// it.
Result<std::vector<int64_t>> ReadDeletedPositions(ObjectStore& store, const FileTask& task);

// One file-scoped position delete file for `data_file`: columns file_path and pos in this order,
// bounds equal to the full path, referenced_data_file set (S3, S4), the data file's own spec
// and partition (M6). `positions` ascending, unique, not empty.
Result<iceberg::DataFile> WritePositionDeletes(ObjectStore& store, const std::string& location,
                                               const iceberg::DataFile& data_file,
                                               const std::vector<int64_t>& positions,
                                               const std::string& write_id);

}  // namespace millrace::table
