#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "adapter/source_postgres/server/connection.h"
#include "adapter/source_postgres/tables/catalog.h"
#include "base/result.h"

// The two publications of a source. `<name>` publishes everything of the tables whose rows
// PostgreSQL can identify; `<name>_insert` publishes INSERT and TRUNCATE of the others, because
// publishing their updates would make PostgreSQL refuse the user's UPDATE and DELETE.
namespace millrace::postgres {

struct PublicationState {
  bool exists = false;
  bool all_tables = false;
  bool insert = false, update = false, remove = false, truncate = false;
  bool via_root = false;
  bool generated = false;           // stored generated columns, too
  bool knows_generated = false;     // a publication of this server may say so (PostgreSQL 18)
  bool managed = false;             // made by us: carries our comment
  std::vector<std::string> tables;  // qualified and quoted, sorted; whole ones
  // Those of which a row filter or a list of columns lets through a part only.
  std::vector<std::string> restricted = {};
  // Tables (oids) whose rows still have to be read: table_watcher.h.
  std::vector<uint32_t> pending = {};
};
Result<PublicationState> ReadPublication(Connection& connection, const std::string& name);

struct PublicationPlan {
  std::vector<std::string> statements;  // to be run in order, one transaction
  std::vector<std::string> warnings;
};
// What makes the publications carry `tables`. One that exists is kept: missing tables are added,
// and what somebody else did to it (tables that are no longer wanted, filters, fewer operations) is
// undone only in one that we made. Pure.
PublicationPlan PlanPublications(const std::string& name, const std::vector<TableEntry>& tables,
                                 const PublicationState& main, const PublicationState& insert_only);

// The statement that writes down in the publication's comment which tables are pending.
std::string MarkPending(const std::string& name, const std::set<uint32_t>& relation_oids);

// Whether a publication that we made was altered so that it leaves out operations.
bool LeavesOut(const PublicationState& state, bool insert_only);

// The marks are read and written while this lock is held: until UnlockMarks, or for as long as the
// connection lives.
Status LockMarks(Connection& connection, const std::string& name);
Status UnlockMarks(Connection& connection, const std::string& name);

std::string InsertPublication(const std::string& name);

// Runs the plan. kPermission carries the statements that somebody with the right has to run.
Status ApplyPublications(Connection& connection, const PublicationPlan& plan);

// The publications of the two that exist, as START_REPLICATION wants them: '"a","b"'.
Result<std::string> PublicationNames(Connection& connection, const std::string& name);

}  // namespace millrace::postgres
