#include "adapter/catalog_sql/sql_catalog.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "adapter/catalog_sql/row_store.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"

namespace millrace {
namespace {

using catalog_sql::RowStore;
using catalog_sql::Swap;
using catalog_sql::TableKey;
using iceberg::TableMetadata;
using MetadataPtr = std::shared_ptr<const TableMetadata>;

constexpr size_t kCachedTables = 256;

// "00007-<uuid>.metadata.json" is version 7; a name without a number is version 0.
int64_t VersionOf(std::string_view location) {
  const std::string_view name = location.substr(location.rfind('/') + 1);
  return ParseInt<int64_t>(name.substr(0, name.find('-'))).value_or(0);
}

class Sqlite final : public Catalog {
 public:
  Sqlite(std::unique_ptr<RowStore> rows, ObjectStore& store, Clock& clock, std::string warehouse)
      : rows_(std::move(rows)), store_(store), clock_(clock), warehouse_(std::move(warehouse)) {}

  Status CreateNamespace(const std::vector<std::string>& levels) override {
    MR_ASSIGN(const std::string space, SpaceOf(levels));
    MR_FAILPOINT("catalog.before_namespace");
    MR_TRY(rows_->CreateNamespace(space));
    MR_FAILPOINT("catalog.after_namespace");
    return {};
  }

  Result<std::vector<TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    MR_ASSIGN(const std::string space, SpaceOf(levels));
    MR_ASSIGN(const auto keys, rows_->Tables(space));
    std::vector<TableIdent> idents;
    for (const TableKey& key : keys) idents.push_back({levels, key.name});
    return idents;
  }

  Result<std::vector<std::vector<std::string>>> ListNamespaces() override {
    MR_ASSIGN(const auto names, rows_->Namespaces());
    std::vector<std::vector<std::string>> spaces;
    for (const std::string& name : names) spaces.push_back(MakeIdent(name, "").levels);
    return spaces;
  }

  Result<LoadedTable> LoadTable(const TableIdent& ident) override {
    MR_ASSIGN(const TableKey key, KeyOf(ident));
    MR_ASSIGN(const auto location, rows_->Location(key));
    if (!location.has_value()) {
      return Fail(ErrorKind::kNotFound, "table {} is not in the catalog", ident.ToString());
    }
    MR_ASSIGN(const MetadataPtr metadata, ReadMetadata(ident, *location));
    return LoadedTable{ident, *location, *metadata};
  }

  Status DropTable(const TableIdent& ident) override {
    MR_ASSIGN(const TableKey key, KeyOf(ident));
    MR_ASSIGN(const bool dropped, rows_->Drop(key));
    if (!dropped)
      return Fail(ErrorKind::kNotFound, "table {} is not in the catalog", ident.ToString());
    return {};
  }

  bool supports_atomic_commit() const override { return true; }

  Result<std::vector<LoadedTable>> Commit(const std::vector<TableCommit>& commits) override {
    std::set<TableIdent> names;
    for (const TableCommit& commit : commits) {
      if (!names.insert(commit.ident).second) {
        return Fail(ErrorKind::kInternal, "table {} is twice in one commit",
                    commit.ident.ToString());
      }
    }
    std::vector<Pending> pending;
    for (const TableCommit& commit : commits) {
      MR_ASSIGN(Pending next, Prepare(commit));
      pending.push_back(std::move(next));
    }
    Status outcome = Swing(pending);
    if (!outcome.ok()) {
      // Of an unknown outcome nothing may be deleted: the rows may point to these files.
      if (outcome.error().kind() != ErrorKind::kUnknownOutcome) {
        for (const Pending& table : pending) DeleteQuietly(table.swap.location);
      }
      return outcome.error();
    }
    std::vector<LoadedTable> result;
    for (Pending& table : pending) {
      Cache(table.swap.location, table.after);
      DeleteRemovedMetadata(table);
      result.push_back({table.ident, table.swap.location, *table.after});
    }
    return result;
  }

 private:
  struct Pending {
    TableIdent ident;
    Swap swap;
    MetadataPtr before, after;  // before: null for a new table
  };

  static Result<std::string> SpaceOf(const std::vector<std::string>& levels) {
    if (levels.empty()) return Fail(ErrorKind::kInvalidInput, "a namespace needs a name");
    for (const std::string& level : levels) {
      if (level.empty() || level.find('.') != std::string::npos) {
        return Fail(ErrorKind::kInvalidInput,
                    "namespace level '{}' is empty or has a dot, which this catalog cannot hold",
                    level);
      }
    }
    return Join(levels, ".");
  }
  static Result<TableKey> KeyOf(const TableIdent& ident) {
    MR_ASSIGN(std::string space, SpaceOf(ident.levels));
    return TableKey{std::move(space), ident.name};
  }

  // Checks the requirements against the table as it is now, and works out what it becomes.
  Result<Pending> Prepare(const TableCommit& commit) {
    Pending pending;
    pending.ident = commit.ident;
    MR_ASSIGN(pending.swap.key, KeyOf(commit.ident));
    MR_ASSIGN(pending.swap.expected, rows_->Location(pending.swap.key));
    std::string base_location;
    if (pending.swap.expected.has_value()) {
      base_location = *pending.swap.expected;
      MR_ASSIGN(pending.before, ReadMetadata(commit.ident, base_location));
    } else {
      MR_ASSIGN(const bool exists, rows_->NamespaceExists(pending.swap.key.space));
      if (!exists) {
        return Fail(ErrorKind::kNotFound, "namespace {} does not exist; create it before table {}",
                    pending.swap.key.space, commit.ident.ToString());
      }
    }
    const auto named = [&commit](const Error& error) {
      return error.Wrap("table " + commit.ident.ToString());
    };
    for (const iceberg::Requirement& requirement : commit.requirements) {
      if (const Status held = iceberg::Check(requirement, pending.before.get()); !held.ok())
        return named(held.error());
    }
    std::vector<iceberg::TableUpdate> updates = commit.updates;
    const bool located = std::any_of(updates.begin(), updates.end(), [](const auto& update) {
      return std::holds_alternative<iceberg::update::SetLocation>(update);
    });
    if (pending.before == nullptr && !located) {
      updates.insert(updates.begin(), iceberg::update::SetLocation{Format(
                                          "{}/{}/{}", warehouse_, Join(commit.ident.levels, "/"),
                                          commit.ident.name)});
    }
    auto applied =
        iceberg::Apply(pending.before.get(), base_location, updates, clock_.Now() / 1000);
    if (!applied.ok()) return named(applied.error());
    const int64_t version = pending.before == nullptr ? 0 : VersionOf(base_location) + 1;
    pending.swap.location =
        Format("{}/metadata/{:05}-{}.metadata.json", applied->location, version, NewUuid());
    pending.after = std::make_shared<const TableMetadata>(std::move(applied).value());
    return pending;
  }

  // Metadata files first, then the rows: a reader never follows a row to a file that is not there.
  Status Swing(const std::vector<Pending>& pending) {
    std::vector<Swap> swaps;
    for (const Pending& table : pending) {
      MR_ASSIGN(const std::string path, store_.Relative(table.swap.location));
      MR_TRY(store_.Put(path, iceberg::WriteMetadata(*table.after)));
      swaps.push_back(table.swap);
    }
    MR_FAILPOINT("catalog.before_commit");
    MR_TRY(rows_->Apply(swaps));
    return AfterCommit();
  }

  static Status AfterCommit() {
    const auto passed = []() -> Status {
      MR_FAILPOINT("catalog.after_commit");
      return {};
    }();
    if (passed.ok()) return {};
    return Error(ErrorKind::kUnknownOutcome, passed.error().message());  // the rows have moved
  }

  Result<MetadataPtr> ReadMetadata(const TableIdent& ident, const std::string& location) {
    {
      std::lock_guard lock(mutex_);
      if (const auto found = cache_.find(location); found != cache_.end()) return found->second;
    }
    MR_ASSIGN(const std::string path, store_.Relative(location));
    ByteBuffer text;
    const Status got = store_.Get(path, text);
    if (!got.ok() && got.error().kind() == ErrorKind::kNotFound) {
      return Fail(
          ErrorKind::kCorrupt,
          "'{}' is named by the catalog as the metadata of {} and missing; restore it from a "
          "backup",
          path, ident.ToString());
    }
    MR_TRY(got);
    auto metadata = iceberg::ReadMetadata(text.view(), "metadata of " + ident.ToString());
    if (!metadata.ok()) {
      return Error(metadata.error().kind(),
                   Format("{} ('{}'); restore it from a backup", metadata.error().message(), path));
    }
    auto shared = std::make_shared<const TableMetadata>(std::move(*metadata));
    Cache(location, shared);
    return MetadataPtr(shared);
  }

  // Metadata files are immutable, so their path is key enough.
  void Cache(const std::string& location, MetadataPtr metadata) {
    std::lock_guard lock(mutex_);
    if (cache_.size() >= kCachedTables) cache_.clear();
    for (const iceberg::MetadataLogEntry& entry : metadata->metadata_log)
      cache_.erase(entry.metadata_file);
    cache_[location] = std::move(metadata);
  }

  // write.metadata.delete-after-commit.enabled: files that fell off the metadata log go, as in
  // Java.
  void DeleteRemovedMetadata(const Pending& table) {
    const auto& properties = table.after->properties;
    const auto enabled = properties.find("write.metadata.delete-after-commit.enabled");
    if (table.before == nullptr || enabled == properties.end() || enabled->second != "true") return;
    std::set<std::string> logged;
    for (const auto& entry : table.after->metadata_log) logged.insert(entry.metadata_file);
    for (const auto& entry : table.before->metadata_log) {
      if (!logged.contains(entry.metadata_file)) DeleteQuietly(entry.metadata_file);
    }
  }

  // A file that cannot be deleted now is an orphan that nothing refers to.
  void DeleteQuietly(const std::string& location) {
    const auto path = store_.Relative(location);
    if (!path.ok()) return;
    if (const Status deleted = store_.Delete(*path); !deleted.ok()) {
      log::Debug("catalog", "{} stays: {}", location, deleted.error().ToString());
    }
  }

  const std::unique_ptr<RowStore> rows_;
  ObjectStore& store_;
  Clock& clock_;
  const std::string warehouse_;
  std::mutex mutex_;
  std::map<std::string, MetadataPtr> cache_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> SqlCatalog::Open(const std::string& db_path,
                                                  const std::string& catalog_name,
                                                  ObjectStore& store, Clock& clock,
                                                  const std::string& warehouse) {
  MR_ASSIGN(auto rows, RowStore::Open(db_path, catalog_name));
  return std::unique_ptr<Catalog>(
      std::make_unique<Sqlite>(std::move(rows), store, clock, warehouse));
}

}  // namespace millrace
