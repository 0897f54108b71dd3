// PostgresSource::Resolve: from a RELATION message to the version of a table that its rows are of.

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "adapter/source_postgres/postgres_source.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

constexpr Micros kCatalogLag = 2'000'000;  // how long a commit may take from the WAL to visibility
constexpr Micros kCatalogStep = 10'000;

// Whether the catalog shows the very columns that the stream described: then nothing that it shows
// is newer than the stream's place.
bool InStep(const LiveTable& live, const std::vector<int16_t>& attnums) {
  std::vector<int16_t> streamed;
  for (const LiveColumn& column : live.columns) {
    if (!column.dropped && !column.generated) streamed.push_back(column.attnum);
  }
  return streamed == attnums;
}

// A column whose values in older rows a rewrite of the table may have changed, which PostgreSQL
// streams nothing for: a new one with a default that is computed row by row, or one of another type
// since `previous`. nullptr: none.
const SourceColumn* MaybeRewritten(const TableSchema& previous, int16_t high_water,
                                   const TableSchema& now, const LiveTable& live) {
  for (const SourceColumn& column : now.columns) {
    const auto same = [&](const auto& c) { return c.attnum == column.attnum; };
    const auto before = std::find_if(previous.columns.begin(), previous.columns.end(), same);
    if (before != previous.columns.end()) {
      if (before->type_oid != column.type_oid || before->typmod != column.typmod) return &column;
      continue;
    }
    if (column.attnum <= high_water || column.missing) continue;
    const auto row = std::find_if(live.columns.begin(), live.columns.end(), same);
    if (row != live.columns.end() && row->may_be_filled) return &column;
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<CapturedTable>> PostgresSource::Resolve(const RelationMessage& relation,
                                                               Lsn commit_lsn) {
  if (!Captures(relation.schema + "." + relation.table)) return std::unique_ptr<CapturedTable>();
  auto table = ResolveOnce(relation, commit_lsn);
  if (table.ok() || table.error().kind() != ErrorKind::kUnavailable) return table;
  // The catalog connection idles between schema changes and may have been cut.
  MR_ASSIGN(catalog_, Connection::Open(options_, Connection::Mode::kSql));
  return ResolveOnce(relation, commit_lsn);
}

Result<std::unique_ptr<CapturedTable>> PostgresSource::ResolveOnce(const RelationMessage& relation,
                                                                   Lsn commit_lsn) {
  const std::string name = relation.schema + "." + relation.table;
  MR_ASSIGN(LiveTable live, ReadLiveTable(*catalog_, relation.oid, options_.publication));
  const auto known = known_.find(relation.oid);
  const TableSchema* previous = known == known_.end() ? nullptr : &known->second;
  const int16_t high_water = high_water_[relation.oid];
  const auto reconcile = [&] {
    return ReconcileColumns(name, previous, relation.columns,
                            WithoutLongGone(live.columns, previous, high_water));
  };
  auto reconciled = reconcile();
  // A commit is sent as soon as it is in the WAL, and seen by others a moment later: the catalog
  // may not show yet what the stream has.
  for (Micros waited = 0; !reconciled.ok() && waited < kCatalogLag; waited += kCatalogStep) {
    std::this_thread::sleep_for(std::chrono::microseconds(kCatalogStep));
    MR_ASSIGN(live, ReadLiveTable(*catalog_, relation.oid, options_.publication));
    reconciled = reconcile();
  }
  if (!reconciled.ok()) {
    if (!managed_ || live.columns.empty()) return reconciled.error();
    log::Warn("capture", "{}. That is done now; changes up to then are left out",
              reconciled.error().message());
    return TakeForNew(relation, commit_lsn);
  }
  const std::vector<int16_t>& attnums = *reconciled;
  std::vector<uint32_t> oids;
  for (const RelationColumn& column : relation.columns) oids.push_back(column.type_oid);
  MR_TRY(types_.Load(*catalog_, oids));
  MR_ASSIGN(const auto names, TypeCatalog::FormatTypes(*catalog_, relation.columns));
  DescribedTable described = Describe(relation, attnums, live, names, types_);

  std::string& storage = storage_[relation.oid];
  const SourceColumn* rewritten =
      previous == nullptr ? nullptr : MaybeRewritten(*previous, high_water, described.schema, live);
  if (rewritten != nullptr && (storage.empty() || storage != live.storage)) {
    if (managed_) {
      log::Info("capture",
                "table {}: its definition changed at column '{}' in a way that may have changed "
                "rows, which PostgreSQL streams nothing for: they are read again",
                name, rewritten->name);
      pending_rows_->Renew(relation.oid, commit_lsn);
      reread_.insert(relation.oid);
    } else {
      log::Warn("capture",
                "table {}: its definition changed at column '{}' in a way that may have changed "
                "rows, which PostgreSQL streams nothing for: write them once at the source (UPDATE "
                "t SET c = c)",
                name, rewritten->name);
    }
  }
  if (InStep(live, attnums)) storage = live.storage;

  if (previous == nullptr || Fingerprint(*previous) != Fingerprint(described.schema)) {
    log::Info("capture", "table {}: {} columns, schema {}", name, described.schema.columns.size(),
              Fingerprint(described.schema));
  }
  Remember(described.schema);
  auto table = std::make_unique<CapturedTable>(Capture(options_.name, std::move(described.schema),
                                                       described.delimiters, described.identity));
  table->pending = pending_rows_->IsPending(relation.oid);
  if (!table->pending) reread_.erase(relation.oid);
  table->goes_on = reread_.contains(relation.oid);
  return table;
}

// The table's rows as they are now say for certain what the stream cannot: what changed in between
// is lost to history, the state is not. REQUIRES: managed_.
Result<std::unique_ptr<CapturedTable>> PostgresSource::TakeForNew(const RelationMessage& relation,
                                                                  Lsn commit_lsn) {
  pending_rows_->Renew(relation.oid, commit_lsn);
  known_.erase(relation.oid);
  reread_.erase(relation.oid);
  TableSchema unknown{.relation_oid = relation.oid,
                      .schema = relation.schema,
                      .table = relation.table,
                      .replica_identity = ReplicaIdentity::kDefault,
                      .columns = {}};
  auto placeholder =
      std::make_unique<CapturedTable>(Capture(options_.name, std::move(unknown), {}, {}));
  placeholder->pending = true;
  return placeholder;
}

}  // namespace millrace::postgres
