#pragma once

#include <optional>
#include <string>

#include "adapter/source_postgres/server/connection.h"
#include "base/result.h"
#include "model/position.h"

namespace millrace::postgres {

// IDENTIFY_SYSTEM.
struct SystemIdentity {
  uint64_t system_id = 0;
  uint32_t timeline = 0;
  Lsn flush_lsn = 0;
};
Result<SystemIdentity> IdentifySystem(Connection& replication);

// A row of pg_replication_slots.
struct SlotState {
  std::string plugin, database;
  bool logical = false;
  bool active = false;
  bool two_phase = false;  // prepared transactions come at PREPARE, before it is known how they end
  int64_t active_pid = 0;
  std::string wal_status;  // reserved, extended, unreserved, lost
  std::optional<Lsn> restart_lsn, confirmed_flush;
};
Result<std::optional<SlotState>> ReadSlot(Connection& connection, const std::string& name);

struct CreatedSlot {
  Lsn consistent_point = 0;
  std::string snapshot;  // pg_export_snapshot's name; lives until the connection's next command
};
// From PostgreSQL 17 on a slot that the server copies to its standbys (FAILOVER), unless it is a
// standby itself.
Result<CreatedSlot> CreateSlot(Connection& replication, const std::string& name);
// One that is not copied, for as long as the connection lives. Named after `name` and the server's
// process, so that it clashes with none.
Result<CreatedSlot> CreateTemporarySlot(Connection& replication, const std::string& name);
Status DropSlot(Connection& replication, const std::string& name);

// Whether streaming from `position` is still possible with what the server has; kFenced says what
// is missing and what to do, kUnavailable that another process reads the slot. Pure. `history`:
// content of TIMELINE_HISTORY, "" on the same timeline.
Status CheckResume(const SourcePosition& position, const SystemIdentity& system,
                   std::string_view history, const std::string& slot_name,
                   const std::optional<SlotState>& slot, const std::string& database);

// Whether the server really streams from `start`: it goes on from where the slot is when that is
// later, and says nothing. kFenced then. REQUIRES: we hold the slot, so that nobody moves it.
Status CheckStreamStart(Connection& connection, const std::string& name, Lsn start);

}  // namespace millrace::postgres
