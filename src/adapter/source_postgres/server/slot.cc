#include "adapter/source_postgres/server/slot.h"

#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

constexpr std::string_view kStartAgain =
    "Changes are missing: start again with an empty Bronze folder and a new slot, which takes a "
    "snapshot";

std::optional<Lsn> OptionalLsn(const Rows& rows, int column) {
  if (rows.IsNull(0, column)) return std::nullopt;
  const auto lsn = ParseLsn(rows.Text(0, column));
  return lsn.ok() ? std::optional<Lsn>(*lsn) : std::nullopt;
}

// Where the history (lines "<timeline>\t<switch LSN>\t<reason>") says that the timeline ended;
// nullopt: it is no ancestor.
std::optional<Lsn> SwitchPoint(std::string_view history, uint32_t timeline) {
  for (const std::string_view line : Split(history, '\n')) {
    const auto fields = Split(line, '\t');
    if (fields.size() < 2 || ParseInt<uint32_t>(Trim(fields[0])) != timeline) continue;
    const auto lsn = ParseLsn(Trim(fields[1]));
    if (lsn.ok()) return *lsn;
  }
  return std::nullopt;
}

Result<CreatedSlot> Create(Connection& replication, const std::string& name,
                           std::string_view temporary, std::string_view options) {
  auto result = replication.Query(Format("CREATE_REPLICATION_SLOT {}{} LOGICAL pgoutput {}",
                                         QuoteIdentifier(name), temporary, options));
  if (!result.ok()) {
    const Error& error = result.error();
    if (error.message().find("all replication slots are in use") != std::string::npos) {
      return Fail(ErrorKind::kUnavailable,
                  "{}; drop a slot that nobody reads or raise max_replication_slots",
                  error.message());
    }
    if (error.kind() == ErrorKind::kAlreadyExists)
      return Fail(ErrorKind::kConflict, "slot {} was just created by another process", name);
    return error.Wrap("slot " + name);
  }
  CreatedSlot slot;
  MR_ASSIGN(slot.consistent_point, ParseLsn(result->Text(0, 1)));
  slot.snapshot = result->String(0, 2);
  return slot;
}

Error Moved(const std::string& slot, Lsn confirmed, Lsn reached) {
  return Fail(ErrorKind::kFenced,
              "slot {} is at {}, beyond {} which Bronze has reached: another reader moved it, or "
              "made it anew. {}",
              slot, FormatLsn(confirmed), FormatLsn(reached), kStartAgain);
}

}  // namespace

Result<SystemIdentity> IdentifySystem(Connection& replication) {
  MR_ASSIGN(const Rows row, replication.Query("IDENTIFY_SYSTEM"));
  SystemIdentity system;
  const auto id = ParseInt<uint64_t>(row.Text(0, 0));
  if (row.size() != 1 || !id)
    return Fail(ErrorKind::kCorrupt, "IDENTIFY_SYSTEM gave no system identifier");
  system.system_id = *id;
  system.timeline = static_cast<uint32_t>(row.Int(0, 1));
  MR_ASSIGN(system.flush_lsn, ParseLsn(row.Text(0, 2)));
  return system;
}

Result<std::optional<SlotState>> ReadSlot(Connection& connection, const std::string& name) {
  MR_ASSIGN(const Rows row,
            connection.Query("SELECT plugin, database, slot_type = 'logical', active, active_pid, "
                             "wal_status, restart_lsn, confirmed_flush_lsn, two_phase "
                             "FROM pg_replication_slots WHERE slot_name = $1",
                             {name}));
  if (row.empty()) return std::optional<SlotState>();
  return std::optional<SlotState>(SlotState{.plugin = row.String(0, 0),
                                            .database = row.String(0, 1),
                                            .logical = row.Bool(0, 2),
                                            .active = row.Bool(0, 3),
                                            .two_phase = row.Bool(0, 8),
                                            .active_pid = row.Int(0, 4),
                                            .wal_status = row.String(0, 5),
                                            .restart_lsn = OptionalLsn(row, 6),
                                            .confirmed_flush = OptionalLsn(row, 7)});
}

Result<CreatedSlot> CreateSlot(Connection& replication, const std::string& name) {
  std::string_view options = "EXPORT_SNAPSHOT";
  if (replication.server_version() >= 170000) {
    MR_ASSIGN(const Rows row, replication.Query("SELECT pg_is_in_recovery()"));
    if (!row.Bool(0, 0)) options = "(SNAPSHOT 'export', FAILOVER)";
  }
  return Create(replication, name, "", options);
}

Result<CreatedSlot> CreateTemporarySlot(Connection& replication, const std::string& name) {
  return Create(replication, Format("{}_{}", name.substr(0, 50), replication.server_pid()),
                " TEMPORARY", "EXPORT_SNAPSHOT");
}

Status DropSlot(Connection& replication, const std::string& name) {
  const Status status = replication.Execute("DROP_REPLICATION_SLOT " + QuoteIdentifier(name));
  if (!status.ok() && status.error().kind() != ErrorKind::kNotFound)
    return status.error().Wrap("slot " + name);
  return {};
}

Status CheckResume(const SourcePosition& position, const SystemIdentity& system,
                   std::string_view history, const std::string& slot_name,
                   const std::optional<SlotState>& slot, const std::string& database) {
  if (system.system_id != position.system_id) {
    return Fail(ErrorKind::kFenced,
                "the source is another database cluster (system {}) than the one Bronze was filled "
                "from (system {}). {}",
                system.system_id, position.system_id, kStartAgain);
  }
  if (system.timeline != position.timeline) {
    const auto end = SwitchPoint(history, position.timeline);
    if (!end) {
      return Fail(ErrorKind::kFenced,
                  "the source is on timeline {}, which does not descend from timeline {} that "
                  "Bronze was filled from. {}",
                  system.timeline, position.timeline, kStartAgain);
    }
    if (*end < position.resume_lsn) {
      return Fail(ErrorKind::kFenced,
                  "the source's timeline {} left timeline {} at {}, before {} which Bronze has "
                  "reached: Bronze holds "
                  "changes that the source lost in a failover. {}",
                  system.timeline, position.timeline, FormatLsn(*end),
                  FormatLsn(position.resume_lsn), kStartAgain);
    }
  }
  if (system.flush_lsn < position.resume_lsn) {
    return Fail(ErrorKind::kFenced,
                "the source is at {}, before {} which Bronze has reached: it was restored from an "
                "older copy. {}",
                FormatLsn(system.flush_lsn), FormatLsn(position.resume_lsn), kStartAgain);
  }
  if (!slot) {
    return Fail(ErrorKind::kFenced,
                "slot {} does not exist on the source, although Bronze has reached {}: it was "
                "dropped, or a failover left "
                "it behind. {}",
                slot_name, FormatLsn(position.resume_lsn), kStartAgain);
  }
  if (!slot->logical || slot->plugin != "pgoutput" || slot->database != database) {
    return Fail(ErrorKind::kInvalidInput,
                "slot {} is of plugin '{}' and database '{}', not of pgoutput and '{}'; choose "
                "another slot name",
                slot_name, slot->plugin, slot->database, database);
  }
  if (slot->two_phase) {
    return Fail(ErrorKind::kUnsupported,
                "slot {} has two_phase on, by which prepared transactions come before they commit; "
                "choose a slot without",
                slot_name);
  }
  if (slot->wal_status == "lost") {
    return Fail(
        ErrorKind::kFenced,
        "slot {} was invalidated (wal_status lost): the server removed WAL that it needed; raise "
        "max_slot_wal_keep_size. {}",
        slot_name, kStartAgain);
  }
  if (slot->confirmed_flush && *slot->confirmed_flush > position.resume_lsn)
    return Moved(slot_name, *slot->confirmed_flush, position.resume_lsn);
  if (slot->active) {
    return Fail(ErrorKind::kUnavailable, "slot {} is being read by another process (server pid {})",
                slot_name, slot->active_pid);
  }
  return {};
}

Status CheckStreamStart(Connection& connection, const std::string& name, Lsn start) {
  MR_ASSIGN(const auto slot, ReadSlot(connection, name));
  if (slot && slot->confirmed_flush && *slot->confirmed_flush > start)
    return Moved(name, *slot->confirmed_flush, start);
  return {};
}

}  // namespace millrace::postgres
