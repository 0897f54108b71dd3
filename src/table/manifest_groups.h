#pragma once

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/metadata.h"

namespace millrace::table {

// Entries that may share a manifest: same content class and spec, and where the first partition
// field is identity(boolean) (Silver's is_current), the same value of it, so that a reader of
// current rows opens no manifest of the history.
struct ManifestGroup {
  iceberg::ManifestContent content = iceberg::ManifestContent::kData;
  int32_t spec_id = 0;
  std::string part;  // "true", "false", "" (no such field, or null); "mixed" for a manifest that
                     // holds several
  auto operator<=>(const ManifestGroup&) const = default;
};

ManifestGroup GroupOf(const iceberg::DataFile& file, const iceberg::TableMetadata& metadata);
ManifestGroup GroupOf(const iceberg::ManifestFile& manifest,
                      const iceberg::TableMetadata& metadata);

// Which of the manifests that stay are worth rewriting into the group's new one of `new_entries`
// entries: those with not more entries than are written anyway (so an entry is rewritten a
// logarithmic number of times), and when there are 20 or more all small ones; never beyond 8 MiB or
// 8192 entries together. Indexes into `kept`.
std::vector<size_t> ChooseMerges(const std::vector<iceberg::ManifestFile>& kept,
                                 const ManifestGroup& group, size_t new_entries,
                                 const iceberg::TableMetadata& metadata);

}  // namespace millrace::table
