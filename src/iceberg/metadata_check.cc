#include <algorithm>
#include <set>

#include "base/format.h"
#include "iceberg/json_members.h"
#include "iceberg/metadata.h"

namespace millrace::iceberg {
namespace {

constexpr int64_t kClockToleranceMs = 60'000;  // Java's: writers' clocks differ

template <typename... Args>
Error Corrupt(fmt::format_string<Args...> pattern, Args&&... args) {
  return Fail(ErrorKind::kCorrupt, pattern, std::forward<Args>(args)...);
}

// Names as Java and PyIceberg want them: a column name once, and a partition field not named like
// another column than its source.
Status CheckNames(const Schema& schema, const std::vector<PartitionSpec>& specs) {
  std::set<std::string_view> names;
  for (const Field& field : schema.fields) {
    if (!names.insert(field.name).second)
      return Corrupt("schema {} has two columns '{}'", schema.schema_id, field.name);
  }
  for (const PartitionSpec& spec : specs) {
    for (const PartitionField& field : spec.fields) {
      const Field* column = schema.FindByName(field.name);
      if (column != nullptr && column->id != field.source_id) {
        return Corrupt(
            "partition field '{}' of spec {} has the name of a column that it does not come from",
            field.name, spec.spec_id);
      }
    }
  }
  return {};
}

Status CheckStructure(const TableMetadata& m) {
  if (m.table_uuid.empty()) return Corrupt("'table-uuid' is missing");
  if (m.location.empty()) return Corrupt("'location' is missing");
  if (m.FindSchema(m.current_schema_id) == nullptr)
    return Corrupt("current schema {} is not in 'schemas'", m.current_schema_id);
  if (m.FindSpec(m.default_spec_id) == nullptr)
    return Corrupt("default spec {} is not in 'partition-specs'", m.default_spec_id);
  const bool has_order = std::ranges::any_of(m.sort_orders, [&m](const json::Value& order) {
    const auto id = Int32Member(order, "order-id");
    return id.ok() && *id == m.default_sort_order_id;
  });
  if (!has_order)
    return Corrupt("default sort order {} is not in 'sort-orders'", m.default_sort_order_id);
  for (const PartitionSpec& spec : m.specs) {
    for (const PartitionField& field : spec.fields) {
      if (field.field_id == 0)
        return Corrupt("partition field '{}' of spec {} has no field id", field.name, spec.spec_id);
    }
  }
  MR_TRY(CheckNames(m.CurrentSchema(), m.specs));
  for (const auto& [key, value] : m.properties) {
    if (IsReservedProperty(key)) return Corrupt("property '{}' is reserved", key);
  }
  return {};
}

Status CheckSnapshots(const TableMetadata& m) {
  for (const Snapshot& snapshot : m.snapshots) {
    if (snapshot.sequence_number > m.last_sequence_number) {
      return Corrupt("snapshot {} has sequence number {}, above the table's {}",
                     snapshot.snapshot_id, snapshot.sequence_number, m.last_sequence_number);
    }
  }
  for (const auto& [name, ref] : m.refs) {
    if (m.FindSnapshot(ref.snapshot_id) == nullptr) {
      return Corrupt("ref '{}' names snapshot {}, which does not exist", name, ref.snapshot_id);
    }
  }
  if (m.current_snapshot_id && m.CurrentSnapshot() == nullptr) {
    return Corrupt("the current snapshot {} does not exist", *m.current_snapshot_id);
  }
  const auto main = m.refs.find("main");
  if (main == m.refs.end() ? m.current_snapshot_id.has_value()
                           : m.current_snapshot_id != main->second.snapshot_id) {
    return Corrupt("ref 'main' and 'current-snapshot-id' differ");
  }
  return {};
}

// `name` ascends but for the clock tolerance, and the table was not updated before its last entry.
template <typename Entry>
Status CheckLog(const std::vector<Entry>& log, int64_t last_updated_ms, std::string_view name) {
  for (size_t i = 1; i < log.size(); ++i) {
    if (log[i].timestamp_ms < log[i - 1].timestamp_ms - kClockToleranceMs)
      return Corrupt("'{}' is not sorted by time", name);
  }
  if (!log.empty() && last_updated_ms < log.back().timestamp_ms - kClockToleranceMs) {
    return Corrupt("'last-updated-ms' lies before the last entry of '{}'", name);
  }
  return {};
}

}  // namespace

Status CheckMetadata(const TableMetadata& metadata) {
  MR_TRY(CheckStructure(metadata));
  MR_TRY(CheckSnapshots(metadata));
  MR_TRY(CheckLog(metadata.snapshot_log, metadata.last_updated_ms, "snapshot-log"));
  return CheckLog(metadata.metadata_log, metadata.last_updated_ms, "metadata-log");
}

}  // namespace millrace::iceberg
