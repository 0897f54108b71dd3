#include "table/snapshot_producer.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/uuid.h"
#include "table/manifest_groups.h"
#include "table/snapshot_summary.h"

namespace millrace::table {
namespace {

using iceberg::EntryStatus;
using iceberg::ManifestContent;
using iceberg::ManifestEntry;
using iceberg::ManifestFile;

// About 8 MiB of entries of some 20 columns.
constexpr size_t kMaxEntries = 8192;

int64_t NewSnapshotId(const iceberg::TableMetadata& metadata) {
  while (true) {
    const auto id = static_cast<int64_t>(RandomBits() >> 1);
    if (id != 0 && metadata.FindSnapshot(id) == nullptr) return id;
  }
}

// One attempt at a snapshot: collects entries by group, stores manifests and list, and knows what
// to delete if it comes to nothing.
class Attempt {
 public:
  Attempt(ObjectStore& store, ManifestCache& cache, const iceberg::TableMetadata& base,
          const SnapshotChange& change)
      : store_(store),
        cache_(cache),
        base_(base),
        change_(change),
        schema_(change.schema.has_value() ? *change.schema : base.CurrentSchema()),
        snapshot_id_(NewSnapshotId(base)),
        sequence_(base.last_sequence_number + 1),
        uuid_(NewUuid()) {}

  Status Run() {
    MR_TRY(CheckChange());
    MR_TRY(SortExisting());
    for (const auto* files : {&change_.added_data, &change_.added_deletes}) {
      for (const iceberg::DataFile& file : *files) {
        ManifestEntry entry;
        entry.file = file;
        groups_[GroupOf(file, base_)].push_back(std::move(entry));
      }
    }
    MR_TRY(MergeSmall());
    MR_FAILPOINT("table.before_manifests");
    for (const auto& [group, entries] : groups_) {
      for (size_t at = 0; at < entries.size(); at += kMaxEntries) {
        const auto from = entries.begin() + static_cast<ptrdiff_t>(at);
        const auto to =
            entries.begin() + static_cast<ptrdiff_t>(std::min(entries.size(), at + kMaxEntries));
        MR_TRY(StoreManifest(group, {from, to}));
      }
    }
    return StoreList();
  }

  void DeleteWritten() {
    // What cannot be deleted now is an orphan that nothing refers to.
    for (const std::string& path : written_) (void)store_.Delete(path).ok();
  }

  iceberg::Snapshot snapshot;
  std::vector<std::string> written() const { return written_; }

 private:
  Status CheckChange() const {
    std::unordered_set<std::string_view> removed;
    for (const ManifestEntry& entry : change_.removed_data) removed.insert(entry.file.path);
    for (const iceberg::DataFile& file : change_.added_deletes) {
      if (file.referenced_data_file.has_value() && removed.contains(*file.referenced_data_file)) {
        return Fail(ErrorKind::kInternal,
                    "data file '{}' is removed and gets deletes in one snapshot",
                    *file.referenced_data_file);
      }
    }
    // A path is live at most once (M8), and goes once.
    std::unordered_set<std::string_view> paths;
    const auto once = [&paths](const std::string& path) -> Status {
      if (paths.insert(path).second) return {};
      return Fail(ErrorKind::kInternal, "file '{}' is twice in one snapshot", path);
    };
    for (const auto* entries : {&change_.removed_data, &change_.removed_deletes}) {
      for (const ManifestEntry& entry : *entries) MR_TRY(once(entry.file.path));
    }
    for (const auto* files : {&change_.added_data, &change_.added_deletes}) {
      for (const iceberg::DataFile& file : *files) {
        MR_TRY(once(file.path));
        const iceberg::PartitionSpec* spec = base_.FindSpec(file.spec_id);
        if (spec == nullptr || spec->fields.size() != file.partition.size()) {
          return Fail(ErrorKind::kInternal, "file '{}' does not fit partition spec {} of {}",
                      file.path, file.spec_id, base_.location);
        }
      }
    }
    return {};
  }

  // Splits the parent's manifests into those that stay as they are and those that lose a file and
  // are written anew.
  Status SortExisting() {
    const iceberg::Snapshot* parent = base_.CurrentSnapshot();
    std::unordered_set<std::string_view> missing;
    std::set<std::pair<ManifestContent, int32_t>> kinds;
    for (const auto* entries : {&change_.removed_data, &change_.removed_deletes}) {
      for (const ManifestEntry& entry : *entries) {
        missing.insert(entry.file.path);
        const ManifestGroup group = GroupOf(entry.file, base_);
        kinds.insert({group.content, group.spec_id});
      }
    }
    if (parent != nullptr) {
      MR_ASSIGN(const std::vector<ManifestFile> rows, cache_.List(*parent));
      for (const ManifestFile& row : rows) {
        // Entries of removed files were for the snapshot that removed them.
        if (row.added_files + row.existing_files == 0) continue;
        bool hit = false;
        if (!missing.empty() && kinds.contains({row.content, row.spec_id})) {
          MR_ASSIGN(const auto entries, cache_.Manifest(row, base_));
          hit = std::any_of(entries->begin(), entries->end(), [&](const ManifestEntry& entry) {
            return entry.status != EntryStatus::kDeleted && missing.contains(entry.file.path);
          });
          if (hit) Carry(*entries, &missing);
        }
        if (!hit) kept_.push_back(row);
      }
    }
    if (!missing.empty()) {
      return Fail(ErrorKind::kConflict, "'{}' is not live in the table any more", *missing.begin());
    }
    return {};
  }

  // Takes the live entries of a manifest over into the new ones; files named in `removed` become
  // DELETED and leave the set.
  void Carry(const std::vector<ManifestEntry>& entries,
             std::unordered_set<std::string_view>* removed) {
    for (const ManifestEntry& old : entries) {
      if (old.status == EntryStatus::kDeleted) continue;
      ManifestEntry entry = old;
      entry.status = EntryStatus::kExisting;
      if (removed != nullptr && removed->erase(old.file.path) != 0) {
        entry.status = EntryStatus::kDeleted;
        entry.snapshot_id = snapshot_id_;
      }
      groups_[GroupOf(entry.file, base_)].push_back(std::move(entry));
    }
  }

  Status MergeSmall() {
    std::vector<ManifestGroup> groups;
    for (const auto& [group, entries] : groups_) groups.push_back(group);
    std::set<size_t> merged;
    for (const ManifestGroup& group : groups) {
      for (const size_t i : ChooseMerges(kept_, group, groups_[group].size(), base_)) {
        MR_ASSIGN(const auto entries, cache_.Manifest(kept_[i], base_));
        Carry(*entries, nullptr);
        merged.insert(i);
      }
    }
    std::vector<ManifestFile> kept;
    for (size_t i = 0; i < kept_.size(); ++i) {
      if (!merged.contains(i)) kept.push_back(std::move(kept_[i]));
    }
    kept_ = std::move(kept);
    return {};
  }

  Status StoreManifest(const ManifestGroup& group, std::vector<ManifestEntry> entries) {
    const iceberg::PartitionSpec& spec = *base_.FindSpec(group.spec_id);
    MR_ASSIGN(auto manifest,
              iceberg::WriteManifest(entries, group.content, SchemaOf(spec), spec, snapshot_id_));
    int64_t min_sequence = sequence_;
    for (ManifestEntry& entry : entries) {
      if (entry.status == EntryStatus::kAdded) {
        entry.snapshot_id = snapshot_id_;
        entry.sequence_number = entry.file_sequence_number = sequence_;
      } else if (entry.status == EntryStatus::kExisting) {
        min_sequence = std::min(min_sequence, entry.sequence_number.value_or(sequence_));
      }
    }
    ManifestFile& row = manifest.row;
    row.path = Format("{}/metadata/{}-m{}.avro", base_.location, uuid_, new_rows_.size());
    row.spec_id = group.spec_id;
    row.content = group.content;
    row.sequence_number = sequence_;
    row.min_sequence_number = min_sequence;
    row.added_snapshot_id = snapshot_id_;
    MR_TRY(Store(row.path, manifest.bytes));
    cache_.Remember(row.path, std::move(entries));
    new_rows_.push_back(std::move(row));
    return {};
  }

  // The schema that a manifest names must have the partition's source columns.
  const iceberg::Schema& SchemaOf(const iceberg::PartitionSpec& spec) const {
    for (const iceberg::PartitionField& field : spec.fields) {
      if (schema_.FindById(field.source_id) == nullptr) {
        for (const iceberg::Schema& older : base_.schemas) {
          if (older.FindById(field.source_id) != nullptr) return older;
        }
      }
    }
    return schema_;
  }

  Status StoreList() {
    const iceberg::Snapshot* parent = base_.CurrentSnapshot();
    std::vector<ManifestFile> rows = new_rows_;
    rows.insert(rows.end(), kept_.begin(), kept_.end());
    std::optional<int64_t> parent_id;
    if (parent != nullptr) parent_id = parent->snapshot_id;
    MR_ASSIGN(const std::string bytes,
              iceberg::WriteManifestList(rows, {snapshot_id_, parent_id, sequence_}));
    snapshot.snapshot_id = snapshot_id_;
    snapshot.parent_snapshot_id = parent_id;
    snapshot.sequence_number = sequence_;
    snapshot.schema_id = schema_.schema_id;
    snapshot.manifest_list =
        Format("{}/metadata/snap-{}-1-{}.avro", base_.location, snapshot_id_, uuid_);
    snapshot.summary = SummaryOf(change_, base_);
    MR_TRY(Store(snapshot.manifest_list, bytes));
    MR_FAILPOINT("table.after_manifest_list");
    return {};
  }

  Status Store(const std::string& uri, const std::string& bytes) {
    MR_ASSIGN(const std::string path, store_.Relative(uri));
    written_.push_back(path);
    return store_.Put(path, bytes);
  }

  ObjectStore& store_;
  ManifestCache& cache_;
  const iceberg::TableMetadata& base_;
  const SnapshotChange& change_;
  const iceberg::Schema& schema_;
  const int64_t snapshot_id_;
  const int64_t sequence_;
  const std::string uuid_;
  std::map<ManifestGroup, std::vector<ManifestEntry>> groups_;
  std::vector<ManifestFile> kept_, new_rows_;
  std::vector<std::string> written_;
};

}  // namespace

Result<StagedSnapshot> StageSnapshot(ObjectStore& store, ManifestCache& cache,
                                     const LoadedTable& base, const SnapshotChange& change,
                                     Micros now) {
  const iceberg::TableMetadata& metadata = base.metadata;
  Attempt attempt(store, cache, metadata, change);
  if (Status status = attempt.Run(); !status.ok()) {
    attempt.DeleteWritten();
    return status.error().Wrap(base.ident.ToString());
  }
  // Clocks of two writers may differ; readers refuse histories that run backwards.
  attempt.snapshot.timestamp_ms = std::max(now / 1000, metadata.last_updated_ms);

  StagedSnapshot staged;
  staged.snapshot_id = attempt.snapshot.snapshot_id;
  staged.new_metadata_files = attempt.written();
  staged.commit.ident = base.ident;
  auto& requirements = staged.commit.requirements;
  auto& updates = staged.commit.updates;
  requirements.push_back(iceberg::require::Uuid{metadata.table_uuid});
  requirements.push_back(iceberg::require::RefSnapshot{"main", metadata.current_snapshot_id});
  if (change.schema.has_value() && !change.schema->SameFields(metadata.CurrentSchema())) {
    requirements.push_back(iceberg::require::LastAssignedFieldId{metadata.last_column_id});
    requirements.push_back(iceberg::require::CurrentSchemaId{metadata.current_schema_id});
    const int32_t last =
        std::max(change.last_column_id.value_or(0), change.schema->HighestFieldId());
    updates.push_back(
        iceberg::update::AddSchema{*change.schema, std::max(last, metadata.last_column_id)});
    updates.push_back(iceberg::update::SetCurrentSchema{-1});
  }
  if (!change.properties.empty())
    updates.push_back(iceberg::update::SetProperties{change.properties});
  updates.push_back(iceberg::update::AddSnapshot{attempt.snapshot});
  iceberg::SnapshotRef main;
  main.snapshot_id = staged.snapshot_id;
  updates.push_back(iceberg::update::SetSnapshotRef{"main", main});
  return staged;
}

TableCommit StageCreate(const NewTable& table) {
  iceberg::Properties properties = {
      {"write.delete.mode", "merge-on-read"},
      {"write.update.mode", "merge-on-read"},
      {"write.merge.mode", "merge-on-read"},
      {"write.delete.granularity", "file"},
      {"write.parquet.compression-codec", "zstd"},
      {"write.metadata.delete-after-commit.enabled", "true"},
  };
  for (const auto& [key, value] : table.properties) properties[key] = value;
  const int32_t last_column_id = table.schema.HighestFieldId();
  TableCommit commit;
  commit.ident = table.ident;
  commit.requirements = {iceberg::require::TableAbsent{}};
  commit.updates = {
      iceberg::update::AssignUuid{NewUuid()},
      iceberg::update::SetLocation{table.location},
      iceberg::update::AddSchema{table.schema, last_column_id},
      iceberg::update::SetCurrentSchema{-1},
      iceberg::update::AddSpec{table.spec},
      iceberg::update::SetDefaultSpec{-1},
      iceberg::update::AddSortOrder{
          json::Value(json::Value::Object{{"order-id", 0}, {"fields", json::Value::Array{}}})},
      iceberg::update::SetDefaultSortOrder{-1},
      iceberg::update::SetProperties{std::move(properties)},
  };
  return commit;
}

}  // namespace millrace::table
