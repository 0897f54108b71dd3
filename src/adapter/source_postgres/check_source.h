#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapter/source_postgres/server/options.h"
#include "adapter/source_postgres/server/slot.h"
#include "adapter/source_postgres/tables/catalog.h"
#include "adapter/source_postgres/tables/key_types.h"
#include "adapter/source_postgres/tables/publication.h"
#include "base/result.h"

// `millrace check-source`: what of a database is ready to be captured, what is not, and the SQL
// that cures it.
namespace millrace::postgres {

struct Finding {
  enum class Level { kOk, kWarn, kError };
  Level level = Level::kOk;
  std::string topic;  // "wal_level", "table public.orders", ...
  std::string message;
  std::string cure;      // SQL, "" where none helps
  bool fixable = false;  // ApplyFixes may run the cure: it touches settings and publications only,
                         // never tables or their data
};
std::string_view LevelName(Finding::Level level);  // ok, warn, error

// What the findings are drawn from.
struct SourceFacts {
  std::map<std::string, std::string>
      settings;  // current_setting() by name; absent where the server has none
  int server_version = 0;
  std::string database, user;
  bool superuser = false, replication = false, may_create = false;
  int64_t slots_used = 0, senders_used = 0;
  std::vector<TableEntry> all_tables, tables;  // tables: those to capture
  std::vector<std::string> unreadable;         // qualified and quoted: no SELECT on them
  std::set<std::string>
      foreign_owners;  // of tables to capture that our role does not own, directly or as a member
  std::map<uint32_t, std::vector<std::string>> generated_columns;  // that are not streamed
  std::set<uint32_t> row_security;  // tables (oids) of which our role may not see every row
  std::vector<KeyColumn> keys;
  std::optional<SlotState> slot;
  PublicationState publication, insert_publication;
};
Result<SourceFacts> ReadFacts(const PostgresSourceOptions& options);
// Pure.
std::vector<Finding> Judge(const SourceFacts& facts, const PostgresSourceOptions& options);

// ReadFacts and Judge; a database that cannot be reached or refuses us is a finding of its own.
std::vector<Finding> CheckSource(const PostgresSourceOptions& options);
// Runs the cures of fixable findings, in order, and tells what each did. The first one that fails
// is an error.
Result<std::vector<std::string>> ApplyFixes(const PostgresSourceOptions& options,
                                            const std::vector<Finding>& findings);

}  // namespace millrace::postgres
