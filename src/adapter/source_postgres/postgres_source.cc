#include "adapter/source_postgres/postgres_source.h"

#include <algorithm>
#include <utility>

#include "adapter/source_postgres/tables/key_types.h"
#include "adapter/source_postgres/tables/publication.h"
#include "adapter/source_postgres/tables/topic_clash.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

Status CheckServer(Connection& connection) {
  if (connection.server_version() < 140000) {
    return Fail(ErrorKind::kUnsupported, "the source is PostgreSQL {}; 14 or later is needed",
                connection.server_version() / 10000);
  }
  MR_ASSIGN(const Rows row,
            connection.Query("SELECT current_setting('wal_level'), "
                             "current_setting('server_encoding'), pg_is_in_recovery()"));
  if (row.Bool(0, 2)) {
    return Fail(ErrorKind::kUnavailable,
                "the source is a standby: name the primary as source.host, or promote this server");
  }
  if (row.Text(0, 0) != "logical") {
    return Fail(
        ErrorKind::kInvalidInput,
        "the source has wal_level = {}; run ALTER SYSTEM SET wal_level = logical and restart it",
        row.Text(0, 0));
  }
  if (row.Text(0, 1) == "SQL_ASCII") {
    return Fail(ErrorKind::kUnsupported,
                "the source database has encoding SQL_ASCII: its text is of no known encoding; "
                "re-create it as UTF8");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<PostgresSource>> PostgresSource::Open(PostgresSourceOptions options) {
  std::unique_ptr<PostgresSource> source(new PostgresSource(std::move(options)));
  MR_ASSIGN(source->catalog_, Connection::Open(source->options_, Connection::Mode::kSql));
  MR_TRY(CheckServer(*source->catalog_));
  for (const TableSchema& schema : source->options_.known_schemas) source->Remember(schema);
  return source;
}

void PostgresSource::Remember(const TableSchema& schema) {
  int16_t& high_water = high_water_[schema.relation_oid];
  for (const SourceColumn& column : schema.columns) {
    high_water = std::max(high_water, column.attnum);
  }
  known_[schema.relation_oid] = schema;
}

PostgresSource::~PostgresSource() {
  CloseStream();
  AdvanceSlot();
}

bool PostgresSource::Captures(const std::string& qualified_name) const {
  const auto any = [&](const std::vector<std::string>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& p) { return MatchesGlob(p, qualified_name); });
  };
  return (options_.include_tables.empty() || any(options_.include_tables)) &&
         !any(options_.exclude_tables);
}

Status PostgresSource::Prepare(const ResumePoint& resume,
                               const std::function<Status()>& before_create) {
  created_slot_.reset();
  rest_.reset();
  start_.reset();
  replication_.reset();
  CloseStream();
  MR_ASSIGN(catalog_, Connection::Open(options_, Connection::Mode::kSql));
  MR_ASSIGN(replication_, Connection::Open(options_, Connection::Mode::kReplication));
  MR_ASSIGN(system_, IdentifySystem(*replication_));
  MR_ASSIGN(const auto all, ListTables(*catalog_));
  tables_ = SelectTables(all, options_.include_tables, options_.exclude_tables);
  for (const TableEntry& table : all) {
    if (const auto why = WhyLeftOut(table); !why.empty() && Captures(table.QualifiedName())) {
      log::Warn("capture", "table {} is left out, because it is {}", table.QualifiedName(), why);
    }
  }
  MR_ASSIGN(const auto slot, ReadSlot(*catalog_, options_.slot));
  if (resume.position) {
    MR_TRY(Resume(*resume.position, slot));
    return resume.snapshot_running ? OpenRest(resume.snapshot_ranges) : Status();
  }
  if (tables_.empty() && !options_.include_tables.empty()) {
    return Fail(ErrorKind::kInvalidInput,
                "no table of database {} matches the list of tables to capture",
                catalog_->database());
  }
  if (slot && !resume.snapshot_running) {
    if (options_.adopt_slot) return AdoptSlot(*slot);
    return Fail(ErrorKind::kInvalidInput,
                "slot {} exists already, but Bronze holds nothing of it; drop it with SELECT "
                "pg_drop_replication_slot('{}'), choose another "
                "slot name, or set adopt_slot to go on from it without a snapshot",
                options_.slot, options_.slot);
  }
  if (slot) {
    if (slot->active) {
      return Fail(ErrorKind::kUnavailable,
                  "slot {} is being read by another process (server pid {})", options_.slot,
                  slot->active_pid);
    }
    log::Info("capture", "slot {} is of a snapshot that did not finish: beginning again",
              options_.slot);
    MR_FAILPOINT("capture.before_slot_drop");
    MR_TRY(DropSlot(*replication_, options_.slot));
    MR_FAILPOINT("capture.slot_dropped");
  }
  return CreateOwnSlot(before_create);
}

Status PostgresSource::CreatePublications() {
  MR_ASSIGN(const PublicationState main, ReadPublication(*catalog_, options_.publication));
  MR_ASSIGN(const PublicationState insert_only,
            ReadPublication(*catalog_, InsertPublication(options_.publication)));
  const PublicationPlan plan = PlanPublications(options_.publication, tables_, main, insert_only);
  for (const std::string& warning : plan.warnings) log::Warn("capture", "{}", warning);
  for (const std::string& statement : plan.statements) log::Info("capture", "{}", statement);
  MR_FAILPOINT("capture.before_publications");
  MR_TRY(ApplyPublications(*catalog_, plan));
  MR_FAILPOINT("capture.publications_ready");
  return {};
}

// When streaming goes on. Publications that we made are TableWatcher's to change; to others tables
// are added here, and what these hold already is not carried.
Status PostgresSource::KeepPublications() {
  MR_ASSIGN(const PublicationState main, ReadPublication(*catalog_, options_.publication));
  if (!main.exists) {
    return Fail(ErrorKind::kFenced,
                "publication {} does not exist any more, and changes since cannot be decoded "
                "without it: start again with "
                "an empty Bronze folder and a new slot",
                options_.publication);
  }
  return main.managed ? Status() : CreatePublications();
}

// Silver finds rows by their key, so a key that it cannot compare is refused before anything is
// captured.
Status PostgresSource::CheckKeys() {
  const auto clashes = TopicClashes(tables_);
  for (const TableEntry& table : tables_) {
    const auto clash = clashes.find(table.oid);
    if (clash == clashes.end()) continue;
    return Fail(ErrorKind::kUnsupported,
                "tables {} and {} would share the topic {}; exclude or rename one of them",
                clash->second, table.QualifiedName(),
                TopicName(options_.name, table.schema, table.table));
  }
  MR_ASSIGN(const auto keys, ReadKeyColumns(*catalog_));
  for (const auto& [oid, why] : UnfitKeys(keys)) {
    const auto table = std::find_if(tables_.begin(), tables_.end(),
                                    [&](const TableEntry& t) { return t.oid == oid; });
    if (table == tables_.end()) continue;
    return Fail(ErrorKind::kUnsupported, "table {}: {}; exclude the table, or give it another key",
                table->QualifiedName(), why);
  }
  return {};
}

Status PostgresSource::CreateOwnSlot(const std::function<Status()>& before_create) {
  MR_TRY(CheckKeys());
  if (before_create) MR_TRY(before_create());
  // Publications first: pgoutput looks them up as they were at each change.
  MR_TRY(CreatePublications());
  MR_FAILPOINT("capture.before_slot");
  MR_ASSIGN(created_slot_, CreateSlot(*replication_, options_.slot));
  MR_FAILPOINT("capture.slot_created");
  log::Info("capture", "slot {} created, consistent point {}", options_.slot,
            FormatLsn(created_slot_->consistent_point));
  return {};
}

Status PostgresSource::Resume(const SourcePosition& position,
                              const std::optional<SlotState>& slot) {
  std::string history;
  if (system_.timeline != position.timeline) {
    auto answer = replication_->Query(Format("TIMELINE_HISTORY {}", system_.timeline));
    if (answer.ok()) {
      history = answer->String(0, 1);
    } else if (answer.error().kind() == ErrorKind::kUnavailable) {
      return answer.error();
    }  // a server without that file does not know its ancestors
  }
  MR_TRY(CheckResume(position, system_, history, options_.slot, slot, catalog_->database()));
  MR_TRY(KeepPublications());
  if (system_.timeline != position.timeline) {
    log::Warn("capture",
              "the source moved from timeline {} to {}: a standby was promoted, and {} lies before",
              position.timeline, system_.timeline, FormatLsn(position.resume_lsn));
  }
  start_ = position;
  start_->timeline = system_.timeline;
  return {};
}

Status PostgresSource::AdoptSlot(const SlotState& slot) {
  SourcePosition position{.system_id = system_.system_id,
                          .timeline = system_.timeline,
                          .last = {},
                          .resume_lsn = slot.confirmed_flush.value_or(0),
                          .commit_time = 0};
  if (position.resume_lsn > 0) position.last.commit_lsn = position.resume_lsn - 1;
  MR_TRY(CheckResume(position, system_, "", options_.slot, slot, catalog_->database()));
  MR_TRY(KeepPublications());
  start_ = position;
  log::Warn("capture", "slot {} adopted at {}: rows that the tables have already are not carried",
            options_.slot, FormatLsn(position.resume_lsn));
  return {};
}

void PostgresSource::Confirm(const SourcePosition& position) {
  const std::lock_guard lock(stream_mutex_);
  confirmed_ = std::max(confirmed_, position.resume_lsn);
  if (stream_) {
    stream_->Confirm(confirmed_);
  } else {
    slot_behind_ = true;
  }
  if (watcher_) watcher_->Confirmed(position);
}

void PostgresSource::AdvanceSlot() {
  Lsn confirmed;
  {
    const std::lock_guard lock(stream_mutex_);
    if (!std::exchange(slot_behind_, false)) return;
    confirmed = confirmed_;
  }
  const auto advance = [&]() -> Status {
    MR_FAILPOINT("capture.before_slot_advance");
    MR_TRY(catalog_->Query(
        "SELECT pg_replication_slot_advance(slot_name, $2::pg_lsn) FROM pg_replication_slots "
        "WHERE slot_name = $1 AND confirmed_flush_lsn < $2::pg_lsn AND NOT active",
        {options_.slot, FormatLsn(confirmed)}));
    MR_FAILPOINT("capture.slot_advanced");
    return {};
  };
  if (const Status advanced = advance(); !advanced.ok())
    log::Warn("capture", "slot {} was not moved: {}", options_.slot, advanced.error().message());
}

Result<Lsn> PostgresSource::CurrentLsn() {
  MR_ASSIGN(auto connection, Connection::Open(options_, Connection::Mode::kSql));
  MR_ASSIGN(const Rows row,
            connection->Query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                              "ELSE pg_current_wal_flush_lsn() END"));
  return ParseLsn(row.Text(0, 0));
}

}  // namespace millrace::postgres
