#include "adapter/source_postgres/tables/publication.h"

#include <algorithm>
#include <iterator>

#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

// Says that a publication is ours; followed by kPending and oids while rows of new tables still
// have to be read.
constexpr std::string_view kComment = "managed by millrace";
constexpr std::string_view kPending = ", rows pending of";

std::string Only(const std::vector<std::string>& tables) {
  std::vector<std::string> parts;
  for (const std::string& table : tables) parts.push_back("ONLY " + table);
  return "TABLE " + Join(parts, ", ");
}

std::vector<std::string> Minus(const std::vector<std::string>& a,
                               const std::vector<std::string>& b) {
  std::vector<std::string> rest;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rest));
  return rest;
}

std::string_view Operations(bool insert_only) {
  return insert_only ? "insert, truncate" : "insert, update, delete, truncate";
}

void PlanOne(const std::string& name, bool insert_only, std::vector<std::string> wanted,
             const PublicationState& state, PublicationPlan& plan) {
  std::sort(wanted.begin(), wanted.end());
  const std::string quoted = QuoteIdentifier(name);
  if (!state.exists) {
    if (insert_only && wanted.empty()) return;
    const std::string tables = wanted.empty() ? "" : " FOR " + Only(wanted);
    plan.statements.push_back(
        Format("CREATE PUBLICATION {}{} WITH (publish = '{}', publish_via_partition_root = true{})",
               quoted, tables, Operations(insert_only),
               state.knows_generated ? ", publish_generated_columns = stored" : ""));
    plan.statements.push_back(
        Format("COMMENT ON PUBLICATION {} IS {}", quoted, QuoteLiteral(kComment)));
    return;
  }
  if (state.all_tables) {
    plan.warnings.push_back(
        Format("publication {} is FOR ALL TABLES: PostgreSQL refuses UPDATE and DELETE on each "
               "table that it cannot "
               "identify rows of",
               name));
    return;
  }
  if (LeavesOut(state, insert_only)) {
    plan.statements.push_back(
        Format("ALTER PUBLICATION {} SET (publish = '{}', publish_via_partition_root = true)",
               quoted, Operations(insert_only)));
  } else if (!state.via_root) {
    plan.warnings.push_back(
        Format("publication {} has publish_via_partition_root = false: changes of partitions do "
               "not reach their root; "
               "run ALTER PUBLICATION {} SET (publish_via_partition_root = true)",
               name, quoted));
  }
  if (!insert_only && !state.managed &&
      !(state.insert && state.update && state.remove && state.truncate)) {
    plan.warnings.push_back(
        Format("publication {} does not publish all of insert, update, delete and truncate: those "
               "changes will be "
               "missing",
               name));
  }
  if (!state.managed && !state.restricted.empty()) {
    plan.warnings.push_back(
        Format("publication {} has row filters or lists of columns: what they leave out of {} will "
               "be missing",
               name, Join(state.restricted, ", ")));
  }
  if (insert_only && (state.update || state.remove)) {
    plan.warnings.push_back(
        Format("publication {} publishes more than insert and truncate: PostgreSQL refuses UPDATE "
               "and DELETE on its "
               "tables",
               name));
  }
  std::vector<std::string> there = state.tables, extra;
  if (state.managed) {
    extra = Minus(state.tables, wanted);
    extra.insert(extra.end(), state.restricted.begin(), state.restricted.end());
  } else {
    there.insert(there.end(), state.restricted.begin(), state.restricted.end());
    std::sort(there.begin(), there.end());
  }
  const std::vector<std::string> missing = Minus(wanted, there);
  if (!extra.empty()) {
    plan.statements.push_back(Format("ALTER PUBLICATION {} DROP {}", quoted, Only(extra)));
  }
  if (!missing.empty())
    plan.statements.push_back(Format("ALTER PUBLICATION {} ADD {}", quoted, Only(missing)));
}

}  // namespace

bool LeavesOut(const PublicationState& state, bool insert_only) {
  const bool all =
      state.insert && state.truncate && (insert_only || (state.update && state.remove));
  return state.exists && state.managed && !state.all_tables && !(all && state.via_root);
}

std::string InsertPublication(const std::string& name) { return name + "_insert"; }

Result<PublicationState> ReadPublication(Connection& connection, const std::string& name) {
  PublicationState state;
  state.knows_generated = connection.server_version() >= 180000;
  MR_ASSIGN(
      const Rows row,
      connection.Query(Format("SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, "
                              "pubviaroot, obj_description(oid, 'pg_publication'), {} "
                              "FROM pg_publication WHERE pubname = $1",
                              state.knows_generated ? "pubgencols = 's'" : "false"),
                       {name}));
  if (row.empty()) return state;
  state.exists = true;
  state.all_tables = row.Bool(0, 0);
  state.insert = row.Bool(0, 1);
  state.update = row.Bool(0, 2);
  state.remove = row.Bool(0, 3);
  state.truncate = row.Bool(0, 4);
  state.via_root = row.Bool(0, 5);
  state.generated = row.Bool(0, 7);
  std::string_view comment = row.Text(0, 6);
  if (comment.substr(0, kComment.size()) == kComment) {
    state.managed = true;
    comment.remove_prefix(kComment.size());
    if (comment.substr(0, kPending.size()) == kPending) {
      for (const std::string_view oid : Split(comment.substr(kPending.size()), ' ')) {
        if (const auto number = ParseInt<uint32_t>(oid)) state.pending.push_back(*number);
      }
    }
  }
  MR_ASSIGN(const Rows tables,
            // Row filters and lists of columns came with PostgreSQL 15.
            connection.Query("SELECT n.nspname, c.relname, to_jsonb(r)->>'prqual' IS NOT NULL OR "
                             "to_jsonb(r)->>'prattrs' IS NOT NULL FROM pg_publication p JOIN "
                             "pg_publication_rel r ON r.prpubid = p.oid "
                             "JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = "
                             "c.relnamespace WHERE p.pubname = $1",
                             {name}));
  for (int i = 0; i < tables.size(); ++i) {
    (tables.Bool(i, 2) ? state.restricted : state.tables)
        .push_back(QualifiedIdentifier(tables.Text(i, 0), tables.Text(i, 1)));
  }
  std::sort(state.tables.begin(), state.tables.end());
  std::sort(state.restricted.begin(), state.restricted.end());
  return state;
}

PublicationPlan PlanPublications(const std::string& name, const std::vector<TableEntry>& tables,
                                 const PublicationState& main,
                                 const PublicationState& insert_only) {
  std::vector<std::string> identified, others;
  for (const TableEntry& table : tables) {
    (table.identifies_rows ? identified : others)
        .push_back(QualifiedIdentifier(table.schema, table.table));
  }
  PublicationPlan plan;
  PlanOne(name, false, std::move(identified), main, plan);
  PlanOne(InsertPublication(name), true,
          main.all_tables ? std::vector<std::string>() : std::move(others), insert_only, plan);
  return plan;
}

std::string MarkPending(const std::string& name, const std::set<uint32_t>& relation_oids) {
  std::string comment(kComment);
  if (!relation_oids.empty()) comment += kPending;
  for (const uint32_t oid : relation_oids) comment += Format(" {}", oid);
  return Format("COMMENT ON PUBLICATION {} IS {}", QuoteIdentifier(name), QuoteLiteral(comment));
}

Status LockMarks(Connection& connection, const std::string& name) {
  const auto locked =
      connection.Query("SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended($1, 0))",
                       {"millrace marks " + name});
  return locked.ok() ? Status() : locked.error();
}

Status UnlockMarks(Connection& connection, const std::string& name) {
  const auto unlocked =
      connection.Query("SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended($1, 0))",
                       {"millrace marks " + name});
  return unlocked.ok() ? Status() : unlocked.error();
}

Status ApplyPublications(Connection& connection, const PublicationPlan& plan) {
  if (plan.statements.empty()) return {};
  MR_TRY(connection.Execute("BEGIN"));
  for (const std::string& statement : plan.statements) {
    const Status status = connection.Execute(statement);
    if (status.ok()) continue;
    MR_TRY(connection.Execute("ROLLBACK"));
    if (status.error().kind() != ErrorKind::kPermission) return status.error().Wrap("publication");
    return Fail(ErrorKind::kPermission,
                "{}; either GRANT CREATE ON DATABASE {} TO {} and make that role the owner of the "
                "tables, or let an owner run: {};",
                status.error().message(), QuoteIdentifier(connection.database()),
                QuoteIdentifier(connection.user()), Join(plan.statements, "; "));
  }
  return connection.Execute("COMMIT");
}

Result<std::string> PublicationNames(Connection& connection, const std::string& name) {
  std::vector<std::string> names;
  for (const std::string& candidate : {name, InsertPublication(name)}) {
    MR_ASSIGN(const Rows row,
              connection.Query("SELECT 1 FROM pg_publication WHERE pubname = $1", {candidate}));
    if (!row.empty()) names.push_back(QuoteIdentifier(candidate));
  }
  if (names.empty()) {
    return Fail(ErrorKind::kFenced,
                "publication {} does not exist: it was dropped, and changes since cannot be "
                "decoded; drop the slot and "
                "take a new snapshot",
                name);
  }
  return Join(names, ",");
}

}  // namespace millrace::postgres
