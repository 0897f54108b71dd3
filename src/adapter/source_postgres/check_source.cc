#include "adapter/source_postgres/check_source.h"

#include <algorithm>

#include "adapter/source_postgres/tables/topic_clash.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

using Level = Finding::Level;

class Report {
 public:
  void Ok(std::string topic, std::string message) {
    Add(Level::kOk, std::move(topic), std::move(message), "", false);
  }
  void Warn(std::string topic, std::string message, std::string cure = "", bool fixable = false) {
    Add(Level::kWarn, std::move(topic), std::move(message), std::move(cure), fixable);
  }
  void Error(std::string topic, std::string message, std::string cure = "", bool fixable = false) {
    Add(Level::kError, std::move(topic), std::move(message), std::move(cure), fixable);
  }
  std::vector<Finding> Take() { return std::move(findings_); }

 private:
  void Add(Level level, std::string topic, std::string message, std::string cure, bool fixable) {
    findings_.push_back({level, std::move(topic), std::move(message), std::move(cure), fixable});
  }
  std::vector<Finding> findings_;
};

std::string Setting(const SourceFacts& facts, const std::string& name) {
  const auto found = facts.settings.find(name);
  return found == facts.settings.end() ? "" : found->second;
}
int64_t Number(const SourceFacts& facts, const std::string& name) {
  return ParseInt<int64_t>(Setting(facts, name)).value_or(0);
}

void JudgeServer(const SourceFacts& facts, Report& report) {
  const int major = facts.server_version / 10000;
  if (major < 14) {
    report.Error("version", Format("PostgreSQL {}: 14 or later is needed", major));
  } else {
    report.Ok("version", Format("PostgreSQL {}", major));
  }
  if (const std::string level = Setting(facts, "wal_level"); level != "logical") {
    report.Error("wal_level",
                 Format("wal_level is {}; the server has to be restarted after the change", level),
                 "ALTER SYSTEM SET wal_level = 'logical'", true);
  } else {
    report.Ok("wal_level", "logical");
  }
  const auto free = [&](const std::string& setting, int64_t used, bool need) {
    const int64_t limit = Number(facts, setting);
    if (need && used >= limit) {
      report.Error(
          setting,
          Format("all {} are in use; the server has to be restarted after the change", limit),
          Format("ALTER SYSTEM SET {} = {}", setting, limit + 4), true);
    } else {
      report.Ok(setting, Format("{} of {} in use", used, limit));
    }
  };
  free("max_replication_slots", facts.slots_used, !facts.slot);
  free("max_wal_senders", facts.senders_used, !facts.slot || !facts.slot->active);
  if (const std::string encoding = Setting(facts, "server_encoding"); encoding == "SQL_ASCII") {
    report.Error("encoding",
                 "the database is in SQL_ASCII: its text is of no known encoding; dump it and load "
                 "it into a UTF8 database");
  } else {
    report.Ok("encoding", encoding == "UTF8" ? encoding : encoding + ", converted to UTF8");
  }
  if (const std::string keep = Setting(facts, "max_slot_wal_keep_size"); keep == "-1") {
    report.Warn("max_slot_wal_keep_size",
                "a slot that nobody reads keeps WAL until the disk is full; with a limit the slot "
                "is lost instead, "
                "and a new snapshot is needed",
                "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'");
  } else {
    report.Ok("max_slot_wal_keep_size", keep);
  }
  if (const std::string idle = Setting(facts, "idle_replication_slot_timeout");
      !idle.empty() && idle != "0") {
    report.Warn(
        "idle_replication_slot_timeout",
        Format("a slot that is not read for {} is invalidated, and a new snapshot is needed",
               idle));
  }
}

void JudgeRole(const SourceFacts& facts, Report& report) {
  const std::string role = QuoteIdentifier(facts.user);
  if (facts.replication || facts.superuser) {
    report.Ok("role", Format("{} may replicate", facts.user));
  } else {
    report.Error("role", Format("{} may not replicate", facts.user),
                 Format("ALTER ROLE {} REPLICATION", role));
  }
  for (const std::string& table : facts.unreadable) {
    report.Error("table " + table, Format("{} may not read it, as the snapshot must", facts.user),
                 Format("GRANT SELECT ON {} TO {}", table, role));
  }
}

void JudgePublications(const SourceFacts& facts, const PostgresSourceOptions& options,
                       Report& report) {
  const PublicationPlan plan = PlanPublications(options.publication, facts.tables,
                                                facts.publication, facts.insert_publication);
  for (const std::string& warning : plan.warnings) report.Warn("publication", warning);
  if (plan.statements.empty()) {
    report.Ok("publication", Format("{} carries all tables", options.publication));
    return;
  }
  const std::string sql = Join(plan.statements, "; ");
  const std::string what = facts.publication.exists ? "changed" : "created";
  if (!facts.foreign_owners.empty() && !facts.superuser) {
    std::vector<std::string> owners;
    for (const std::string& owner : facts.foreign_owners) owners.push_back(QuoteIdentifier(owner));
    report.Error("publication",
                 Format("{} has to be {}, which only an owner of the tables may do: let {} or a "
                        "superuser run the cure, or GRANT {} TO {}",
                        options.publication, what, Join(owners, ", "), Join(owners, ", "),
                        QuoteIdentifier(facts.user)),
                 sql);
    return;
  }
  if (!facts.publication.exists && !facts.may_create && !facts.superuser) {
    report.Error(
        "publication",
        Format("{} does not exist and {} may not create it", options.publication, facts.user),
        Format("GRANT CREATE ON DATABASE {} TO {}", QuoteIdentifier(facts.database),
               QuoteIdentifier(facts.user)));
  } else {
    report.Warn("publication",
                Format("{} has to be {}, which a start does, too", options.publication, what), sql,
                true);
  }
}

void JudgeTables(const SourceFacts& facts, const PostgresSourceOptions& options, Report& report) {
  if (facts.tables.empty()) report.Error("tables", "no table matches what is to be captured");
  for (const TableEntry& table : facts.all_tables) {
    const std::string_view why = WhyLeftOut(table);
    if (why.empty()) continue;
    TableEntry otherwise = table;
    otherwise.unlogged = otherwise.without_columns = false;
    if (SelectTables({otherwise}, options.include_tables, options.exclude_tables).empty()) continue;
    report.Warn("table " + table.QualifiedName(), Format("left out, because it is {}", why),
                table.unlogged ? Format("ALTER TABLE {} SET LOGGED",
                                        QualifiedIdentifier(table.schema, table.table))
                               : "");
  }
  const auto clashes = TopicClashes(facts.tables);
  for (const TableEntry& table : facts.tables) {
    const std::string topic = "table " + table.QualifiedName();
    const std::string name = QualifiedIdentifier(table.schema, table.table);
    bool fine = true;
    if (!table.identifies_rows) {
      fine = false;
      if (table.has_primary_key) {
        report.Warn(topic,
                    "its replica identity names no key: only inserts and truncates are captured, "
                    "updates and deletes are not",
                    Format("ALTER TABLE {} REPLICA IDENTITY DEFAULT", name));
      } else {
        report.Warn(topic,
                    "it has no primary key: only inserts and truncates are captured, updates and "
                    "deletes are not",
                    Format("ALTER TABLE {} REPLICA IDENTITY FULL", name));
      }
    }
    for (const KeyColumn& key : facts.keys) {
      if (key.relation_oid != table.oid) continue;
      const KeyVerdict verdict = JudgeKey(key);
      if (verdict.fitness == KeyFitness::kFit) continue;
      fine = false;
      if (verdict.fitness == KeyFitness::kUnfit) {
        report.Error(
            topic, Format("{}; exclude the table, or give it another key", Refusal(key, verdict)));
      } else {
        report.Warn(topic, Format("key column '{}': {}", key.column, verdict.reason));
      }
    }
    if (const auto generated = facts.generated_columns.find(table.oid);
        generated != facts.generated_columns.end()) {
      fine = false;
      report.Warn(
          topic,
          Format("generated columns are left out, because PostgreSQL does not stream them: {}",
                 Join(generated->second, ", ")));
    }
    if (const auto clash = clashes.find(table.oid); clash != clashes.end()) {
      fine = false;
      report.Error(topic, Format("it would share a topic with {}; exclude or rename one of them",
                                 clash->second));
    }
    if (facts.row_security.contains(table.oid)) {
      fine = false;
      report.Error(topic,
                   Format("row security hides rows of it from {}: the snapshot would not be whole",
                          facts.user),
                   Format("ALTER ROLE {} BYPASSRLS", QuoteIdentifier(facts.user)));
    }
    if (fine) report.Ok(topic, "captured in full");
  }
}

void JudgeSlot(const SourceFacts& facts, const PostgresSourceOptions& options, Report& report) {
  if (!facts.slot) {
    report.Ok("slot", Format("{} does not exist yet; a start creates it", options.slot));
    return;
  }
  const SlotState& slot = *facts.slot;
  if (!slot.logical || slot.plugin != "pgoutput" || slot.database != facts.database) {
    report.Error("slot", Format("{} is of plugin '{}' and database '{}'; choose another slot name",
                                options.slot, slot.plugin, slot.database));
  } else if (slot.wal_status == "lost") {
    report.Error(
        "slot",
        Format(
            "{} was invalidated: the server removed WAL that it needed; a new snapshot is needed",
            options.slot),
        Format("SELECT pg_drop_replication_slot({})", QuoteLiteral(options.slot)));
  } else if (slot.wal_status == "unreserved") {
    report.Warn("slot",
                Format("{} is about to be invalidated: its WAL is beyond max_slot_wal_keep_size",
                       options.slot));
  } else {
    report.Ok("slot", Format("{} exists, {}, confirmed up to {}", options.slot,
                             slot.active ? "is being read" : "is not being read",
                             slot.confirmed_flush ? FormatLsn(*slot.confirmed_flush) : "nothing"));
  }
}

}  // namespace

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";  // unreachable: the switch is exhaustive
}

Result<SourceFacts> ReadFacts(const PostgresSourceOptions& options) {
  SourceFacts facts;
  MR_ASSIGN(auto connection, Connection::Open(options, Connection::Mode::kSql));
  facts.server_version = connection->server_version();
  facts.database = connection->database();
  facts.user = connection->user();
  MR_ASSIGN(const Rows settings,
            connection->Query(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('wal_level', "
                "'max_replication_slots', 'max_wal_senders', "
                "'server_encoding', 'max_slot_wal_keep_size', 'idle_replication_slot_timeout')"));
  for (int i = 0; i < settings.size(); ++i)
    facts.settings[settings.String(i, 0)] = settings.String(i, 1);
  MR_ASSIGN(
      const Rows role,
      connection->Query(
          "SELECT rolsuper, rolreplication, has_database_privilege(current_database(), 'CREATE'), "
          "(SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_stat_activity "
          "WHERE backend_type = 'walsender') "
          "FROM pg_roles WHERE rolname = current_user"));
  facts.superuser = role.Bool(0, 0);
  facts.replication = role.Bool(0, 1);
  facts.may_create = role.Bool(0, 2);
  facts.slots_used = role.Int(0, 3);
  facts.senders_used = role.Int(0, 4);
  MR_ASSIGN(facts.all_tables, ListTables(*connection));
  facts.tables = SelectTables(facts.all_tables, options.include_tables, options.exclude_tables);
  MR_ASSIGN(const Rows readable,
            connection->Query("SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND "
                              "has_table_privilege(oid, 'SELECT') "
                              "AND has_schema_privilege(relnamespace, 'USAGE')"));
  MR_ASSIGN(const Rows foreign,
            connection->Query("SELECT oid, pg_get_userbyid(relowner) FROM pg_class WHERE relkind "
                              "IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')"));
  std::map<uint32_t, std::string> foreign_owners;
  for (int i = 0; i < foreign.size(); ++i)
    foreign_owners[static_cast<uint32_t>(foreign.Int(i, 0))] = foreign.String(i, 1);
  for (const TableEntry& table : facts.tables) {
    if (const auto owner = foreign_owners.find(table.oid); owner != foreign_owners.end())
      facts.foreign_owners.insert(owner->second);
  }
  std::vector<uint32_t> readable_oids;
  for (int i = 0; i < readable.size(); ++i)
    readable_oids.push_back(static_cast<uint32_t>(readable.Int(i, 0)));
  std::sort(readable_oids.begin(), readable_oids.end());
  for (const TableEntry& table : facts.tables) {
    if (!std::binary_search(readable_oids.begin(), readable_oids.end(), table.oid)) {
      facts.unreadable.push_back(QualifiedIdentifier(table.schema, table.table));
    }
  }
  MR_ASSIGN(facts.publication, ReadPublication(*connection, options.publication));
  MR_ASSIGN(facts.insert_publication,
            ReadPublication(*connection, InsertPublication(options.publication)));
  const bool stored_streamed = facts.publication.knows_generated &&
                               (facts.publication.generated || !facts.publication.exists);
  MR_ASSIGN(
      const Rows generated,
      connection->Query(Format("SELECT attrelid, attname FROM pg_attribute WHERE attgenerated "
                               "NOT IN ('', '{}') AND NOT attisdropped ORDER BY 1, attnum",
                               stored_streamed ? "s" : "")));
  for (int i = 0; i < generated.size(); ++i) {
    facts.generated_columns[static_cast<uint32_t>(generated.Int(i, 0))].push_back(
        generated.String(i, 1));
  }
  MR_ASSIGN(facts.keys, ReadKeyColumns(*connection));
  MR_ASSIGN(facts.slot, ReadSlot(*connection, options.slot));
  MR_ASSIGN(const Rows hidden,
            connection->Query("SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND "
                              "relrowsecurity AND row_security_active(oid)"));
  for (int i = 0; i < hidden.size(); ++i)
    facts.row_security.insert(static_cast<uint32_t>(hidden.Int(i, 0)));
  return facts;
}

std::vector<Finding> Judge(const SourceFacts& facts, const PostgresSourceOptions& options) {
  Report report;
  JudgeServer(facts, report);
  JudgeRole(facts, report);
  JudgeSlot(facts, options, report);
  JudgePublications(facts, options, report);
  JudgeTables(facts, options, report);
  return report.Take();
}

std::vector<Finding> CheckSource(const PostgresSourceOptions& options) {
  const auto facts = ReadFacts(options);
  if (facts.ok()) return Judge(*facts, options);
  return {{Level::kError, "connection", facts.error().message(), "", false}};
}

Result<std::vector<std::string>> ApplyFixes(const PostgresSourceOptions& options,
                                            const std::vector<Finding>& findings) {
  std::vector<std::string> done;
  MR_ASSIGN(auto connection, Connection::Open(options, Connection::Mode::kSql));
  for (const Finding& finding : findings) {
    if (!finding.fixable || finding.level == Level::kOk) continue;
    const Status status = connection->Execute(finding.cure);
    if (!status.ok()) return status.error().Wrap("fix of " + finding.topic);
    done.push_back(finding.cure);
  }
  return done;
}

}  // namespace millrace::postgres
