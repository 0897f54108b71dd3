#include "iceberg/update.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/text.h"
#include "iceberg/json_members.h"

namespace millrace::iceberg {
namespace {

constexpr int64_t kDefaultMetadataLogLength = 100;  // write.metadata.previous-versions-max

// Applies updates one after another to a copy of the base; -1 in them means "the one added last".
// Rules: Java's TableMetadata.Builder.
class Builder {
 public:
  Builder(const TableMetadata* base, int64_t now_ms) : now_ms_(now_ms) {
    if (base != nullptr) {
      m_ = *base;
    } else {
      m_.current_schema_id = m_.default_spec_id = -1;  // a new table must choose them
    }
  }

  Status operator()(const update::AssignUuid& u) {
    if (!m_.table_uuid.empty() && m_.table_uuid != u.uuid) {
      return Fail(ErrorKind::kInvalidInput, "the table's uuid is {} and cannot become {}",
                  m_.table_uuid, u.uuid);
    }
    m_.table_uuid = u.uuid;
    return {};
  }

  Status operator()(const update::UpgradeFormatVersion& u) {
    if (u.version == 2) return {};
    return Fail(ErrorKind::kUnsupported,
                "table format v{} is not supported; Millrace reads and writes v2", u.version);
  }

  Status operator()(const update::SetLocation& u) {
    m_.location = u.location;
    while (m_.location.size() > 1 && m_.location.ends_with('/') && !m_.location.ends_with("://"))
      m_.location.pop_back();
    return {};
  }

  Status operator()(const update::AddSchema& u) {
    std::set<std::string> names;
    for (const Field& field :
         u.schema.fields) {  // M14: most engines do not tell names apart by case
      if (names.insert(ToLower(field.name)).second) continue;
      return Fail(ErrorKind::kInvalidInput,
                  "column '{}' has a name that another one has too, but for its case", field.name);
    }
    m_.last_column_id = std::max({m_.last_column_id, u.last_column_id, u.schema.HighestFieldId()});
    int32_t id = std::max(u.schema.schema_id, 0);
    for (const Schema& schema : m_.schemas) {
      if (schema.SameFields(u.schema)) {
        last_schema_ = schema.schema_id;
        return {};
      }
    }
    if (m_.FindSchema(id) != nullptr) {
      for (const Schema& schema : m_.schemas) id = std::max(id, schema.schema_id + 1);
    }
    m_.schemas.push_back(u.schema);
    m_.schemas.back().schema_id = id;
    last_schema_ = id;
    return {};
  }

  Status operator()(const update::SetCurrentSchema& u) {
    MR_ASSIGN(const int32_t id, LastAdded(u.schema_id, last_schema_, "schema"));
    const Schema* schema = m_.FindSchema(id);
    if (schema == nullptr) return Fail(ErrorKind::kInvalidInput, "schema {} does not exist", id);
    for (const PartitionSpec& spec :
         m_.specs) {  // M5: readers look up the source of every spec's fields
      for (const PartitionField& field : spec.fields) {
        if (field.transform.kind == TransformKind::kVoid ||
            schema->FindById(field.source_id) != nullptr)
          continue;
        return Fail(ErrorKind::kInvalidInput,
                    "partition field '{}' of spec {} needs column {}, which must not be dropped",
                    field.name, spec.spec_id, field.source_id);
      }
    }
    m_.current_schema_id = id;
    return {};
  }

  Status operator()(const update::AddSpec& u);

  Status operator()(const update::SetDefaultSpec& u) {
    MR_ASSIGN(const int32_t id, LastAdded(u.spec_id, last_spec_, "partition spec"));
    if (m_.FindSpec(id) == nullptr)
      return Fail(ErrorKind::kInvalidInput, "partition spec {} does not exist", id);
    m_.default_spec_id = id;
    return {};
  }

  Status operator()(const update::AddSortOrder& u);

  Status operator()(const update::SetDefaultSortOrder& u) {
    MR_ASSIGN(m_.default_sort_order_id, LastAdded(u.order_id, last_order_, "sort order"));
    return {};  // that it exists is checked at the end
  }

  Status operator()(const update::AddSnapshot& u);
  Status operator()(const update::SetSnapshotRef& u);
  Status operator()(const update::RemoveSnapshots& u);

  Status operator()(const update::RemoveSnapshotRef& u) {
    if (m_.refs.erase(u.name) != 0 && u.name == "main") {
      m_.current_snapshot_id.reset();
      m_.snapshot_log.clear();
    }
    return {};
  }

  Status operator()(const update::SetProperties& u) {
    for (const auto& [key, value] : u.updates) {
      if (IsReservedProperty(key))
        return Fail(ErrorKind::kInvalidInput, "property '{}' is reserved and cannot be set", key);
      m_.properties[key] = value;
    }
    return {};
  }

  Status operator()(const update::RemoveProperties& u) {
    for (const std::string& key : u.keys) m_.properties.erase(key);
    return {};
  }

  Result<TableMetadata> Finish(const TableMetadata* base, const std::string& base_location);

 private:
  static Result<int32_t> LastAdded(int32_t id, std::optional<int32_t> last, std::string_view what) {
    if (id != -1) return id;
    if (last) return *last;
    return Fail(ErrorKind::kInvalidInput, "no {} was added before the one added last is chosen",
                what);
  }
  int32_t PartitionFieldId(const PartitionField& field);
  void TrimSnapshotLog(bool snapshots_removed);
  void ForgetStatistics(const std::set<int64_t>& snapshot_ids);

  TableMetadata m_;
  const int64_t now_ms_;
  std::optional<int32_t> last_schema_, last_spec_, last_order_;
  std::set<int64_t> added_snapshots_;
};

// An equal field of an earlier spec lends its id, so that files of both specs hold the same field.
int32_t Builder::PartitionFieldId(const PartitionField& field) {
  if (field.field_id != 0) return field.field_id;
  for (const PartitionSpec& spec : m_.specs) {
    for (const PartitionField& known : spec.fields) {
      if (known.source_id == field.source_id && known.transform.kind == field.transform.kind &&
          known.transform.parameter == field.transform.parameter) {
        return known.field_id;
      }
    }
  }
  return ++m_.last_partition_id;
}

Status Builder::operator()(const update::AddSpec& u) {
  const Schema* schema = m_.FindSchema(m_.current_schema_id);
  if (schema == nullptr)
    return Fail(ErrorKind::kInvalidInput,
                "a partition spec needs the current schema to be set first");
  PartitionSpec spec = u.spec;
  m_.last_partition_id = std::max(m_.last_partition_id, LastFieldId(spec));
  std::set<std::string> names;
  std::set<int32_t> ids;
  for (PartitionField& field : spec.fields) {
    field.field_id = PartitionFieldId(field);
    if (field.name.empty() || !names.insert(field.name).second ||
        !ids.insert(field.field_id).second) {
      return Fail(ErrorKind::kInvalidInput,
                  "partition field '{}' has no name, or its name or id is used twice", field.name);
    }
    const Field* source = schema->FindById(field.source_id);
    if (source == nullptr && field.transform.kind != TransformKind::kVoid) {
      return Fail(ErrorKind::kInvalidInput,
                  "partition field '{}' uses column {}, which does not exist", field.name,
                  field.source_id);
    }
    if (source != nullptr) MR_TRY(Apply(field.transform, Literal(), *source->type));
  }
  for (const PartitionSpec& known : m_.specs) {
    if (SameFields(known, spec)) {
      last_spec_ = known.spec_id;
      return {};
    }
  }
  spec.spec_id = std::max(spec.spec_id, 0);
  if (m_.FindSpec(spec.spec_id) != nullptr) {
    for (const PartitionSpec& known : m_.specs)
      spec.spec_id = std::max(spec.spec_id, known.spec_id + 1);
  }
  last_spec_ = spec.spec_id;
  m_.specs.push_back(std::move(spec));
  return {};
}

Status Builder::operator()(const update::AddSortOrder& u) {
  json::Value order = u.order;
  MR_ASSIGN(const json::Value::Array fields, ArrayMember(order, "fields", false));
  int32_t id = 0;
  if (!fields.empty()) {  // order 0 is kept for "unsorted"
    id = 1;
    for (const json::Value& known : m_.sort_orders) {
      MR_ASSIGN(const int32_t known_id, Int32Member(known, "order-id"));
      const json::Value* known_fields = known.Find("fields");
      if (known_fields != nullptr && *known_fields == json::Value(fields)) {
        last_order_ = known_id;
        return {};
      }
      id = std::max(id, known_id + 1);
    }
  }
  order.Set("order-id", id);
  order.Set("fields", fields);
  last_order_ = id;
  const bool known = std::ranges::any_of(m_.sort_orders, [&order](const json::Value& other) {
    return other.Find("order-id") != nullptr && *other.Find("order-id") == *order.Find("order-id");
  });
  if (!known) m_.sort_orders.push_back(std::move(order));
  return {};
}

Status Builder::operator()(const update::AddSnapshot& u) {
  const Snapshot& snapshot = u.snapshot;
  if (m_.FindSnapshot(snapshot.snapshot_id) != nullptr) {
    return Fail(ErrorKind::kInvalidInput, "snapshot {} exists already", snapshot.snapshot_id);
  }
  if (snapshot.snapshot_id <= 0) {
    return Fail(ErrorKind::kInvalidInput, "snapshot id {} is not positive", snapshot.snapshot_id);
  }
  if (snapshot.sequence_number <= m_.last_sequence_number) {
    return Fail(ErrorKind::kConflict, "snapshot {} has sequence number {}, but the table is at {}",
                snapshot.snapshot_id, snapshot.sequence_number, m_.last_sequence_number);
  }
  m_.last_sequence_number = snapshot.sequence_number;
  m_.snapshots.push_back(snapshot);
  added_snapshots_.insert(snapshot.snapshot_id);
  return {};
}

Status Builder::operator()(const update::SetSnapshotRef& u) {
  const Snapshot* snapshot = m_.FindSnapshot(u.ref.snapshot_id);
  if (snapshot == nullptr) {
    return Fail(ErrorKind::kInvalidInput, "ref '{}' cannot name snapshot {}, which does not exist",
                u.name, u.ref.snapshot_id);
  }
  const auto known = m_.refs.find(u.name);
  if (known != m_.refs.end() && known->second == u.ref) return {};
  if (u.name == "main") {
    if (u.ref.type != "branch")
      return Fail(ErrorKind::kInvalidInput, "ref 'main' is a branch and cannot be a {}",
                  u.ref.type);
    if (m_.current_snapshot_id != u.ref.snapshot_id) {
      int64_t at =
          added_snapshots_.contains(snapshot->snapshot_id) ? snapshot->timestamp_ms : now_ms_;
      if (!m_.snapshot_log.empty()) at = std::max(at, m_.snapshot_log.back().timestamp_ms);
      m_.snapshot_log.push_back({at, snapshot->snapshot_id});
      m_.current_snapshot_id = snapshot->snapshot_id;
    }
  }
  m_.refs[u.name] = u.ref;
  return {};
}

Status Builder::operator()(const update::RemoveSnapshots& u) {
  const std::set<int64_t> ids(u.ids.begin(), u.ids.end());
  std::erase_if(m_.snapshots, [&ids](const Snapshot& s) { return ids.contains(s.snapshot_id); });
  std::erase_if(m_.refs, [&ids](const auto& ref) { return ids.contains(ref.second.snapshot_id); });
  if (m_.current_snapshot_id && ids.contains(*m_.current_snapshot_id))
    m_.current_snapshot_id.reset();
  ForgetStatistics(ids);
  TrimSnapshotLog(true);
  return {};
}

// Statistics of a snapshot go with it; the lists stay as read otherwise.
void Builder::ForgetStatistics(const std::set<int64_t>& snapshot_ids) {
  for (auto& [key, value] : m_.unknown) {
    if ((key != "statistics" && key != "partition-statistics") || !value.is_array()) continue;
    std::erase_if(value.AsArray(), [&snapshot_ids](const json::Value& file) {
      const json::Value* id = file.Find("snapshot-id");
      return id != nullptr && id->is_integer() && snapshot_ids.contains(id->AsInt());
    });
  }
}

// History with a hole gives wrong answers to time travel, so what lies before a removed snapshot
// goes too (as in Java). Snapshots that were current only within this commit never were for
// readers.
void Builder::TrimSnapshotLog(bool snapshots_removed) {
  std::vector<SnapshotLogEntry> kept;
  for (const SnapshotLogEntry& entry : m_.snapshot_log) {
    if (m_.FindSnapshot(entry.snapshot_id) == nullptr) {
      if (snapshots_removed) kept.clear();
    } else if (!added_snapshots_.contains(entry.snapshot_id) ||
               entry.snapshot_id == m_.current_snapshot_id) {
      kept.push_back(entry);
    }
  }
  m_.snapshot_log = std::move(kept);
}

Result<TableMetadata> Builder::Finish(const TableMetadata* base, const std::string& base_location) {
  if (m_.sort_orders.empty()) {
    m_.sort_orders.push_back(
        json::Value::Object{{"order-id", 0}, {"fields", json::Value::Array()}});
  }
  TrimSnapshotLog(false);
  m_.last_updated_ms = std::max(m_.last_updated_ms, now_ms_);
  if (!m_.snapshot_log.empty())
    m_.last_updated_ms = std::max(m_.last_updated_ms, m_.snapshot_log.back().timestamp_ms);
  if (base != nullptr && !base_location.empty()) {
    int64_t at = base->last_updated_ms;
    if (!m_.metadata_log.empty()) at = std::max(at, m_.metadata_log.back().timestamp_ms);
    m_.metadata_log.push_back({at, base_location});
    m_.last_updated_ms = std::max(m_.last_updated_ms, at);
  }
  int64_t length = kDefaultMetadataLogLength;
  if (const auto set = m_.properties.find("write.metadata.previous-versions-max");
      set != m_.properties.end()) {
    length = ParseInt<int64_t>(set->second).value_or(length);
  }
  const auto keep = static_cast<size_t>(std::max<int64_t>(1, length));
  if (m_.metadata_log.size() > keep) {
    m_.metadata_log.erase(m_.metadata_log.begin(),
                          m_.metadata_log.end() - static_cast<std::ptrdiff_t>(keep));
  }
  if (const Status status = CheckMetadata(m_); !status.ok()) {
    return Fail(ErrorKind::kInvalidInput, "the updates do not make a valid table: {}",
                status.error().message());
  }
  return std::move(m_);
}

}  // namespace

Result<TableMetadata> Apply(const TableMetadata* base, const std::string& base_location,
                            const std::vector<TableUpdate>& updates, int64_t now_ms) {
  Builder builder(base, now_ms);
  for (const TableUpdate& update : updates) MR_TRY(std::visit(builder, update));
  return builder.Finish(base, base_location);
}

}  // namespace millrace::iceberg
