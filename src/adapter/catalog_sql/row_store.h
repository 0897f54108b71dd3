#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

struct sqlite3;

namespace millrace::catalog_sql {

// A row of iceberg_tables, under its namespace in dotted form.
struct TableKey {
  std::string space;
  std::string name;
};

// One compare-and-swap. No `expected`: the row must not exist yet.
struct Swap {
  TableKey key;
  std::optional<std::string> expected;
  std::string location;
};

// The tables of Iceberg's JdbcCatalog in one SQLite file (WAL, synchronous=FULL). Knows rows, not
// Iceberg. Thread-safe; several processes of one host may use the file. Errors: kUnavailable when
// another process holds the lock too long (nothing changed), kOutOfSpace (nothing changed),
// kCorrupt, kPermission.
class RowStore {
 public:
  // Creates file and tables where they are absent. Rows of other catalog names in the same file are
  // not seen.
  static Result<std::unique_ptr<RowStore>> Open(const std::string& path,
                                                const std::string& catalog_name,
                                                int busy_timeout_ms = 10'000);
  ~RowStore();

  // The metadata location; nullopt when there is no such table (a view of that name is none).
  Result<std::optional<std::string>> Location(const TableKey& key);
  Result<std::vector<TableKey>> Tables(const std::string& space);
  // Dotted names: those with properties and those with tables.
  Result<std::vector<std::string>> Namespaces();
  Result<bool> NamespaceExists(const std::string& space);
  Status CreateNamespace(const std::string& space);  // existing is OK
  // False when there was no such row.
  Result<bool> Drop(const TableKey& key);

  // All swaps in one transaction, or none. kConflict names the first table that lost.
  // kUnknownOutcome when the disk failed at COMMIT.
  Status Apply(const std::vector<Swap>& swaps);

 private:
  class Statement;
  explicit RowStore(std::string catalog_name) : catalog_name_(std::move(catalog_name)) {}
  Status Connect(const std::string& path, int busy_timeout_ms);
  Status Prepare();
  Status Run(const char* sql);
  Status ApplyOne(const Swap& swap);
  Status Commit();
  Error Failed(int code, const char* what) const;
  Result<std::vector<std::vector<std::string>>> Query(const std::string& sql,
                                                      const std::vector<std::string>& values);

  const std::string catalog_name_;
  std::string path_;
  std::mutex mutex_;
  sqlite3* db_ = nullptr;
  bool has_type_column_ = true;  // V1
};

}  // namespace millrace::catalog_sql
