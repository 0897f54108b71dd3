#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/daily_window.h"
#include "base/secret.h"
#include "model/table_schema.h"

namespace millrace::postgres {

// How fast an initial snapshot may read, over all its workers.
struct SnapshotLimits {
  int64_t rows_per_second = 0;   // 0: any number
  int64_t bytes_per_second = 0;  // of events; 0: any number
  DailyWindow hours = {};
};

struct PostgresSourceOptions {
  // libpq's connection string, keywords or URI; a password belongs into `password`. The role needs
  // REPLICATION and SELECT.
  std::string conninfo;
  Secret password;

  // Topic prefix: "<name>.<schema>.<table>".
  std::string name = "millrace";
  std::string slot = "millrace";
  // Two publications: this one, and "<publication>_insert" for tables whose updates PostgreSQL
  // could not identify.
  std::string publication = "millrace";

  // Globs over "schema.table" (`*` any run of characters, `?` one). Empty include: every user
  // table. Exclude wins.
  std::vector<std::string> include_tables;
  std::vector<std::string> exclude_tables;

  // Takes over a slot that exists although Bronze holds nothing yet: no snapshot, changes from the
  // slot's position on.
  bool adopt_slot = false;

  int snapshot_workers = 2;
  int64_t snapshot_chunk_bytes = 32 << 20;  // of heap, a COPY each
  SnapshotLimits snapshot_limits = {};
  size_t batch_bytes = 1 << 20;  // a batch is handed over when it has grown to this
  std::chrono::milliseconds status_interval{10'000};
  std::chrono::milliseconds table_check_interval{10'000};  // between two looks for new tables
  // A source that is further ahead of us than a quarter of this is read through the SQL interface
  // first, in windows of as much WAL. 0: never.
  int64_t catch_up_bytes = 64 << 20;
  // Where large transactions that have not committed are kept (transaction_assembler.h). Empty:
  // the server keeps them, and sends them when they commit.
  std::string spill_folder;

  // The last table versions that Bronze knows (its _schemas), so that columns keep their identity
  // over a restart. Several versions of a table come oldest first.
  std::vector<TableSchema> known_schemas;
};

}  // namespace millrace::postgres
