#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "iceberg/update.h"

namespace millrace {

struct TableIdent {
  std::vector<std::string> levels;  // namespace
  std::string name;
  auto operator<=>(const TableIdent&) const = default;
  std::string ToString() const;  // "silver.orders"
};
TableIdent MakeIdent(std::string_view space, std::string_view name);

struct LoadedTable {
  TableIdent ident;
  std::string metadata_location;
  iceberg::TableMetadata metadata;
};

struct TableCommit {
  TableIdent ident;
  std::vector<iceberg::Requirement> requirements;
  std::vector<iceberg::TableUpdate> updates;
};

// An Iceberg catalog: names to metadata, moved by compare-and-swap. Thread-safe.
class Catalog {
 public:
  virtual ~Catalog() = default;

  virtual Status CreateNamespace(const std::vector<std::string>& levels) = 0;  // existing is OK
  virtual Result<std::vector<TableIdent>> ListTables(const std::vector<std::string>& levels) = 0;
  virtual Result<std::vector<std::vector<std::string>>> ListNamespaces() = 0;
  virtual Result<LoadedTable> LoadTable(const TableIdent& ident) = 0;  // kNotFound
  virtual Status DropTable(const TableIdent& ident) = 0;               // the name only; files stay

  // All tables or none (`supports_atomic_commit`), each name at most once. On success the tables as
  // they are now, in order. kConflict: a requirement did not hold or a compare-and-swap lost;
  // nothing changed. kUnknownOutcome: it may have happened; look for your snapshot id. Any other
  // kind: nothing changed.
  virtual Result<std::vector<LoadedTable>> Commit(const std::vector<TableCommit>& commits) = 0;
  virtual bool supports_atomic_commit() const = 0;
};

}  // namespace millrace
