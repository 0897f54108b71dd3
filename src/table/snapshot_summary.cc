#include "table/snapshot_summary.h"

#include <optional>
#include <set>

#include "base/text.h"

namespace millrace::table {
namespace {

struct Counts {
  int64_t files = 0, records = 0, bytes = 0;
  void Add(const iceberg::DataFile& file) {
    ++files;
    records += file.record_count;
    bytes += file.file_size;
  }
};

class Summary {
 public:
  explicit Summary(const iceberg::Snapshot* parent) : parent_(parent) {}

  void Count(const std::string& key, int64_t value) {
    if (value != 0) properties_[key] = std::to_string(value);
  }
  void Total(const std::string& key, int64_t change) {
    int64_t before = 0;
    if (parent_ != nullptr) {
      const auto found = parent_->summary.find(key);
      if (found == parent_->summary.end()) return;
      const auto number = ParseInt<int64_t>(found->second);
      if (!number.has_value()) return;
      before = *number;
    }
    properties_[key] = std::to_string(before + change);
  }
  void Set(const std::string& key, const std::string& value) { properties_[key] = value; }
  iceberg::Properties Take() { return std::move(properties_); }

 private:
  const iceberg::Snapshot* parent_;
  iceberg::Properties properties_;
};

const char* Operation(const SnapshotChange& change) {
  const bool removes = !change.removed_data.empty() || !change.added_deletes.empty();
  if (change.added_data.empty() && removes) return "delete";
  return removes || !change.removed_deletes.empty() ? "overwrite" : "append";
}

}  // namespace

iceberg::Properties SummaryOf(const SnapshotChange& change, const iceberg::TableMetadata& base) {
  Counts added, removed, added_deletes, removed_deletes;
  std::set<std::string> partitions;
  const auto touch = [&](const iceberg::DataFile& file) {
    const iceberg::PartitionSpec* spec = base.FindSpec(file.spec_id);
    if (spec == nullptr) return;
    partitions.insert(std::to_string(file.spec_id) + "/" +
                      iceberg::PartitionPath(*spec, base.CurrentSchema(), file.partition));
  };
  for (const auto& file : change.added_data) added.Add(file), touch(file);
  for (const auto& entry : change.removed_data) removed.Add(entry.file), touch(entry.file);
  for (const auto& file : change.added_deletes) added_deletes.Add(file), touch(file);
  for (const auto& entry : change.removed_deletes)
    removed_deletes.Add(entry.file), touch(entry.file);

  Summary summary(base.CurrentSnapshot());
  summary.Set("operation", Operation(change));
  summary.Count("added-data-files", added.files);
  summary.Count("deleted-data-files", removed.files);
  summary.Count("added-records", added.records);
  summary.Count("deleted-records", removed.records);
  summary.Count("added-files-size", added.bytes + added_deletes.bytes);
  summary.Count("removed-files-size", removed.bytes + removed_deletes.bytes);
  summary.Count("added-delete-files", added_deletes.files);
  summary.Count("added-position-delete-files", added_deletes.files);
  summary.Count("added-position-deletes", added_deletes.records);
  summary.Count("removed-delete-files", removed_deletes.files);
  summary.Count("removed-position-delete-files", removed_deletes.files);
  summary.Count("removed-position-deletes", removed_deletes.records);
  summary.Set("changed-partition-count", std::to_string(partitions.size()));
  summary.Total("total-data-files", added.files - removed.files);
  summary.Total("total-records", added.records - removed.records);
  summary.Total("total-files-size",
                added.bytes + added_deletes.bytes - removed.bytes - removed_deletes.bytes);
  summary.Total("total-delete-files", added_deletes.files - removed_deletes.files);
  summary.Total("total-position-deletes", added_deletes.records - removed_deletes.records);
  summary.Total("total-equality-deletes", 0);
  summary.Set("engine-name", "millrace");
  for (const auto& [key, value] : change.summary) summary.Set(key, value);
  return summary.Take();
}

}  // namespace millrace::table
