#include "adapter/source_postgres/snapshot/snapshot_session.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

// Keeps the tables as they are while they are read.
Status Lock(Connection& connection, const std::vector<TableEntry>& tables) {
  MR_TRY(connection.Execute("SET LOCAL lock_timeout = '60s'"));
  for (const TableEntry& table : tables) {
    const std::string name = QualifiedIdentifier(table.schema, table.table);
    const Status status = connection.Execute("LOCK TABLE " + name + " IN ACCESS SHARE MODE");
    if (status.ok()) continue;
    if (status.error().kind() != ErrorKind::kPermission)
      return status.error().Wrap("snapshot of " + table.QualifiedName());
    return Fail(ErrorKind::kPermission,
                "snapshot of {}: {}; run as its owner: GRANT USAGE ON SCHEMA {} TO {}; GRANT "
                "SELECT ON {} TO {}",
                table.QualifiedName(), status.error().message(), QuoteIdentifier(table.schema),
                QuoteIdentifier(connection.user()), name, QuoteIdentifier(connection.user()));
  }
  return {};
}

// A snapshot does not protect from what PostgreSQL does outside of MVCC: a table that was rewritten
// (ALTER TABLE, TRUNCATE, CLUSTER, VACUUM FULL) after the export reads as empty, and names are
// today's. pg_class and pg_attribute are read as of the snapshot here, the functions answer for
// now.
Status ExpectUntouched(Connection& connection, const TableEntry& table) {
  MR_ASSIGN(
      const Rows touched,
      connection.Query(
          "SELECT 1 FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = $1::oid OR c.oid IN (SELECT "
          "relid FROM pg_partition_tree($1::oid))) AND c.relfilenode IS DISTINCT FROM "
          "pg_relation_filenode(c.oid) "
          "UNION ALL SELECT 1 FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND "
          "NOT a.attisdropped AND (pg_identify_object('pg_class'::regclass, a.attrelid, "
          "a.attnum)).identity IS DISTINCT FROM (pg_identify_object('pg_class'::regclass, "
          "a.attrelid, 0)).identity || '.' || quote_ident(a.attname)",
          {std::to_string(table.oid)}));
  if (touched.empty()) return {};
  return Fail(ErrorKind::kUnavailable,
              "snapshot of {}: the table was rewritten, truncated or altered just after the "
              "snapshot was taken; the snapshot has to begin again",
              table.QualifiedName());
}

Result<CapturedTable> DescribeNow(Connection& connection, const PostgresSourceOptions& options,
                                  const TableEntry& table, TypeCatalog& types) {
  MR_ASSIGN(const LiveTable live, ReadLiveTable(connection, table.oid, options.publication));
  if (!live.exists) {
    return Fail(ErrorKind::kUnavailable, "snapshot of {}: the table was dropped meanwhile",
                table.QualifiedName());
  }
  const RelationMessage relation = AsRelation(table, live);
  std::vector<uint32_t> oids;
  std::vector<int16_t> attnums;
  for (const RelationColumn& column : relation.columns) oids.push_back(column.type_oid);
  for (const LiveColumn& column : live.columns) {
    if (!column.streamed) {
      log::Warn(
          "capture",
          "table {}: generated column '{}' is left out, because PostgreSQL does not stream it",
          table.QualifiedName(), column.name);
    }
    if (!column.dropped && column.streamed) attnums.push_back(column.attnum);
  }
  MR_TRY(types.Load(connection, oids));
  MR_ASSIGN(const auto names, TypeCatalog::FormatTypes(connection, relation.columns));
  DescribedTable described = Describe(relation, attnums, live, names, types);
  return Capture(options.name, std::move(described.schema), described.delimiters,
                 described.identity);
}

Result<std::vector<SnapshotRelation>> ReadRelations(Connection& connection,
                                                    const std::vector<TableEntry>& tables) {
  std::vector<SnapshotRelation> relations;
  for (size_t i = 0; i < tables.size(); ++i) {
    // Foreign partitions are not replicated either.
    MR_ASSIGN(const Rows leaves,
              connection.Query(
                  "SELECT n.nspname, c.relname, c.oid, pg_relation_filenode(c.oid), "
                  "pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = "
                  "c.relnamespace WHERE c.relkind = 'r' AND (c.oid = $1::oid OR c.oid IN (SELECT "
                  "relid FROM pg_partition_tree($1::oid) WHERE isleaf)) ORDER BY 1, 2",
                  {std::to_string(tables[i].oid)}));
    for (int k = 0; k < leaves.size(); ++k) {
      relations.push_back({.table = i,
                           .name = QualifiedIdentifier(leaves.Text(k, 0), leaves.Text(k, 1)),
                           .oid = static_cast<uint32_t>(leaves.Int(k, 2)),
                           .file_node = static_cast<uint32_t>(leaves.Int(k, 3)),
                           .bytes = leaves.Int(k, 4)});
    }
  }
  return relations;
}

}  // namespace

Result<std::unique_ptr<Connection>> OpenInSnapshot(const PostgresSourceOptions& options,
                                                   const std::string& snapshot) {
  MR_ASSIGN(auto connection, Connection::Open(options, Connection::Mode::kSql));
  MR_TRY(connection->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  MR_TRY(connection->Execute("SET TRANSACTION SNAPSHOT " + QuoteLiteral(snapshot)));
  // A worker that waits for a schema change which waits for the session's lock would wait for ever,
  // and the application behind it. It gives up, so that the change goes first, and the snapshot is
  // tried again.
  MR_TRY(connection->Execute("SET LOCAL lock_timeout = '5s'"));
  return connection;
}

Result<SnapshotSession> OpenSnapshotSession(const PostgresSourceOptions& options,
                                            const std::vector<TableEntry>& tables,
                                            const std::string& snapshot) {
  SnapshotSession session;
  MR_ASSIGN(session.connection, OpenInSnapshot(options, snapshot));
  MR_TRY(Lock(*session.connection, tables));
  MR_ASSIGN(const Rows now,
            session.connection->Query("SELECT (extract(epoch FROM transaction_timestamp()) * "
                                      "1000000)::bigint, current_setting('block_size')::bigint"));
  session.time = now.Int(0, 0);
  TypeCatalog types;
  for (const TableEntry& table : tables) {
    MR_TRY(ExpectUntouched(*session.connection, table));
    MR_ASSIGN(CapturedTable described, DescribeNow(*session.connection, options, table, types));
    session.tables.push_back(std::move(described));
  }
  MR_ASSIGN(session.relations, ReadRelations(*session.connection, tables));
  session.block_size = now.Int(0, 1);
  return session;
}

}  // namespace millrace::postgres
