#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/silver/column_fill.h"
#include "pipeline/silver/layout.h"
#include "port/object_store.h"
#include "table/scan.h"

namespace millrace::silver {

// A Silver table as one merge sees it: its files as of the base snapshot, its columns as they will
// be after the merge.
struct TableAccess {
  ObjectStore& store;
  table::ManifestCache& manifests;
  const iceberg::TableMetadata& base;
  const Layout& layout;
  const iceberg::Schema& schema;
  std::array<int32_t, kScdColumns> scd;  // field ids
  // Of columns that are newer than all current files, which a merge then writes anew.
  const ColumnFills& fills;
  int threads = 1;

  const iceberg::Field& Field(int32_t id) const { return *schema.FindById(id); }
  const iceberg::Field& ScdColumn(Scd column) const {
    return Field(scd[static_cast<size_t>(column)]);
  }
  std::optional<int64_t> snapshot() const { return base.current_snapshot_id; }
  // The table's columns of source column `i`: its values, and its texts where it has such a column.
  bool HasText(size_t i) const { return layout.columns[i].text_field_id != 0; }
};

// A file of open versions that the merge may touch.
struct CurrentFile {
  table::FileTask task;
  bool candidate = false;  // may hold keys of the batch
  bool dead_known = false;
  std::vector<int64_t> dead;  // positions deleted before the merge, ascending; once known
  std::vector<int64_t> hits;  // positions that the merge closes, ascending once it is done
};

}  // namespace millrace::silver
