#include "adapter/catalog_sql/row_store.h"

#include <sqlite3.h>

#include "base/failpoint.h"
#include "base/format.h"

namespace millrace::catalog_sql {
namespace {

// Java's JdbcUtil, schema V1.
constexpr char kCreateTables[] =
    "CREATE TABLE IF NOT EXISTS iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace "
    "VARCHAR(255) NOT NULL, "
    "table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location "
    "VARCHAR(1000), "
    "iceberg_type VARCHAR(5), PRIMARY KEY(catalog_name, table_namespace, table_name));"
    "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties(catalog_name VARCHAR(255) NOT NULL, "
    "namespace VARCHAR(255) NOT "
    "NULL, property_key VARCHAR(255), property_value VARCHAR(1000), PRIMARY KEY(catalog_name, "
    "namespace, property_key));";

}  // namespace

class RowStore::Statement {
 public:
  Statement(sqlite3* db, const std::string& sql) {
    code_ = sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()), &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(const std::string& value) {
    if (code_ == SQLITE_OK) {
      code_ = sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                                SQLITE_TRANSIENT);
    }
    return *this;
  }
  // SQLITE_ROW, SQLITE_DONE or an error.
  int Step() { return code_ == SQLITE_OK ? sqlite3_step(statement_) : code_; }
  int columns() const { return sqlite3_column_count(statement_); }
  std::string Text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr
               ? std::string()
               : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0;
};

Result<std::unique_ptr<RowStore>> RowStore::Open(const std::string& path,
                                                 const std::string& catalog_name,
                                                 int busy_timeout_ms) {
  std::unique_ptr<RowStore> store(new RowStore(catalog_name));
  MR_TRY(store->Connect(path, busy_timeout_ms));
  MR_TRY(store->Prepare());
  return store;
}

RowStore::~RowStore() { sqlite3_close_v2(db_); }

Status RowStore::Connect(const std::string& path, int busy_timeout_ms) {
  path_ = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (const int code = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr); code != SQLITE_OK) {
    return Failed(code, "opening it");
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, busy_timeout_ms);
  MR_TRY(Run("PRAGMA journal_mode=WAL"));
  // Without FULL a commit in WAL mode is not durable.
  return Run("PRAGMA synchronous=FULL");
}

Status RowStore::Prepare() {
  MR_TRY(Run("BEGIN IMMEDIATE"));
  if (const Status made = Run(kCreateTables); !made.ok()) {
    (void)Run("ROLLBACK").ok();
    return made.error();
  }
  MR_FAILPOINT("catalog.before_setup");
  MR_TRY(Commit());
  MR_FAILPOINT("catalog.after_setup");
  MR_ASSIGN(const auto columns,
            Query("SELECT name FROM pragma_table_info('iceberg_tables') WHERE name = ?",
                  {"iceberg_type"}));
  has_type_column_ = !columns.empty();
  return {};
}

Error RowStore::Failed(int code, const char* what) const {
  const int primary = code & 0xff;
  ErrorKind kind = ErrorKind::kInternal;
  const char* cure = "";
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    kind = ErrorKind::kUnavailable;
    cure = "; another process holds its lock";
  } else if (primary == SQLITE_FULL || primary == SQLITE_NOMEM) {
    kind = ErrorKind::kOutOfSpace;
  } else if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
    kind = ErrorKind::kUnavailable;
  } else if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
    kind = ErrorKind::kCorrupt;
  } else if (primary == SQLITE_READONLY || primary == SQLITE_PERM || primary == SQLITE_AUTH) {
    kind = ErrorKind::kPermission;
  }
  return Fail(kind, "catalog '{}': {}: {}{}", path_, what, sqlite3_errstr(code), cure);
}

Status RowStore::Run(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failed(code, sql);
  return {};
}

// An error of the disk while the commit record is written leaves it open whether the record is
// there. Everything else is undone.
Status RowStore::Commit() {
  const int code = sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  if (sqlite3_get_autocommit(db_) == 0) (void)Run("ROLLBACK").ok();
  const Error error = Failed(code, "COMMIT");
  const int primary = code & 0xff;
  const bool undone = primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_FULL;
  if (undone) return error;
  return Error(ErrorKind::kUnknownOutcome, error.message());
}

Result<std::vector<std::vector<std::string>>> RowStore::Query(
    const std::string& sql, const std::vector<std::string>& values) {
  Statement statement(db_, sql);
  for (const std::string& value : values) statement.Bind(value);
  std::vector<std::vector<std::string>> rows;
  int code = statement.Step();
  for (; code == SQLITE_ROW; code = statement.Step()) {
    std::vector<std::string>& row = rows.emplace_back();
    for (int i = 0; i < statement.columns(); ++i) row.push_back(statement.Text(i));
  }
  if (code != SQLITE_DONE) return Failed(code, "reading");
  return rows;
}

Result<std::optional<std::string>> RowStore::Location(const TableKey& key) {
  std::lock_guard lock(mutex_);
  const std::string only_tables =
      has_type_column_ ? " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : "";
  MR_ASSIGN(const auto rows,
            Query("SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND "
                  "table_namespace = ? AND table_name = ?" +
                      only_tables,
                  {catalog_name_, key.space, key.name}));
  if (rows.empty()) return std::optional<std::string>();
  return std::optional<std::string>(rows[0][0]);
}

Result<std::vector<TableKey>> RowStore::Tables(const std::string& space) {
  std::lock_guard lock(mutex_);
  const std::string only_tables =
      has_type_column_ ? " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : "";
  MR_ASSIGN(
      const auto rows,
      Query("SELECT table_name FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?" +
                only_tables + " ORDER BY table_name",
            {catalog_name_, space}));
  std::vector<TableKey> keys;
  for (const auto& row : rows) keys.push_back({space, row[0]});
  return keys;
}

Result<std::vector<std::string>> RowStore::Namespaces() {
  std::lock_guard lock(mutex_);
  MR_ASSIGN(const auto rows,
            Query("SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ? UNION "
                  "SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ? ORDER BY 1",
                  {catalog_name_, catalog_name_}));
  std::vector<std::string> names;
  for (const auto& row : rows) names.push_back(row[0]);
  return names;
}

Result<bool> RowStore::NamespaceExists(const std::string& space) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN(
      const auto rows,
      Query("SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ? "
            "UNION ALL SELECT 1 FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? "
            "LIMIT 1",
            {catalog_name_, space, catalog_name_, space}));
  return !rows.empty();
}

Status RowStore::CreateNamespace(const std::string& space) {
  std::lock_guard lock(mutex_);
  MR_TRY(
      Query("INSERT OR IGNORE INTO iceberg_namespace_properties(catalog_name, namespace, "
            "property_key, property_value) "
            "VALUES(?, ?, 'exists', 'true')",
            {catalog_name_, space}));
  return {};
}

Result<bool> RowStore::Drop(const TableKey& key) {
  std::lock_guard lock(mutex_);
  MR_TRY(
      Query("DELETE FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND "
            "table_name = ?",
            {catalog_name_, key.space, key.name}));
  return sqlite3_changes(db_) > 0;
}

Status RowStore::ApplyOne(const Swap& swap) {
  const TableKey& key = swap.key;
  int code = SQLITE_OK;
  if (swap.expected.has_value()) {
    const std::string only_tables =
        has_type_column_ ? " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : "";
    Statement update(
        db_,
        "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? WHERE "
        "catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?" +
            only_tables);
    update.Bind(swap.location)
        .Bind(*swap.expected)
        .Bind(catalog_name_)
        .Bind(key.space)
        .Bind(key.name)
        .Bind(*swap.expected);
    code = update.Step();
  } else {
    const std::string columns =
        has_type_column_ ? ", iceberg_type) VALUES(?, ?, ?, ?, 'TABLE')" : ") VALUES(?, ?, ?, ?)";
    Statement insert(
        db_,
        "INSERT INTO iceberg_tables(catalog_name, table_namespace, table_name, metadata_location" +
            columns);
    insert.Bind(catalog_name_).Bind(key.space).Bind(key.name).Bind(swap.location);
    code = insert.Step();
  }
  const bool lost =
      (code & 0xff) == SQLITE_CONSTRAINT || (code == SQLITE_DONE && sqlite3_changes(db_) != 1);
  if (lost) {
    return Fail(ErrorKind::kConflict, "table {}.{} was changed by another writer; load it again",
                key.space, key.name);
  }
  if (code != SQLITE_DONE) return Failed(code, "writing");
  return {};
}

Status RowStore::Apply(const std::vector<Swap>& swaps) {
  std::lock_guard lock(mutex_);
  MR_TRY(Run("BEGIN IMMEDIATE"));
  for (const Swap& swap : swaps) {
    if (const Status applied = ApplyOne(swap); !applied.ok()) {
      // Some errors end the transaction by themselves.
      if (sqlite3_get_autocommit(db_) == 0) (void)Run("ROLLBACK").ok();
      return applied.error();
    }
  }
  return Commit();
}

}  // namespace millrace::catalog_sql
