#include "app/registry.h"

#include "adapter/catalog_sql/sql_catalog.h"
#include "adapter/engine_duckdb/duckdb_engine.h"
#include "adapter/object_file/file_store.h"
#include "adapter/source_postgres/check_source.h"
#include "adapter/source_postgres/postgres_source.h"
#include "adapter/source_postgres/reread.h"
#include "base/format.h"

namespace millrace::app {
namespace {

// A value of libpq's connection string (libpq documentation, "Keyword/Value Connection Strings").
std::string Quoted(const std::string& value) {
  std::string quoted = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

Result<postgres::PostgresSourceOptions> SourceOptions(const Config& config,
                                                      std::vector<TableSchema> known) {
  const Config::Source& source = config.source;
  postgres::PostgresSourceOptions options;
  options.conninfo = Format(
      "host={} port={} dbname={} user={} sslmode={} application_name=millrace", Quoted(source.host),
      source.port, Quoted(source.database), Quoted(source.user), source.sslmode);
  MR_ASSIGN(options.password, config.values.Reveal("source.password"));
  options.name = source.name;
  options.slot = source.slot;
  options.publication = source.publication;
  options.include_tables = source.include;
  options.exclude_tables = source.exclude;
  options.adopt_slot = source.adopt_slot;
  options.snapshot_workers = source.snapshot_workers;
  options.snapshot_chunk_bytes = source.snapshot_chunk_bytes;
  options.snapshot_limits = {.rows_per_second = source.snapshot_rows_per_second,
                             .bytes_per_second = source.snapshot_bytes_per_second,
                             .hours = source.snapshot_hours};
  options.catch_up_bytes = source.catch_up_bytes;
  options.table_check_interval = std::chrono::milliseconds(source.table_check_interval / 1000);
  options.status_interval = std::chrono::milliseconds(source.status_interval / 1000);
  options.spill_folder = (config.lake.path / "spill").string();
  options.known_schemas = std::move(known);
  return options;
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> OpenObjectStore(const std::filesystem::path& directory) {
  MR_ASSIGN(std::unique_ptr<FileStore> store, FileStore::Open(directory.string()));
  return std::unique_ptr<ObjectStore>(std::move(store));
}

Result<std::unique_ptr<Catalog>> OpenCatalog(const Config& config, ObjectStore& warehouse,
                                             Clock& clock) {
  return SqlCatalog::Open(config.lake.catalog().string(), config.lake.catalog_name, warehouse,
                          clock, warehouse.uri());
}

Result<std::unique_ptr<Engine>> OpenEngine(const Config& config) {
  return OpenDuckDbEngine({.memory_limit_bytes = config.gold.memory_limit,
                           .threads = config.gold.threads,
                           .temp_directory = (config.lake.path / "tmp").string(),
                           .time_zone = "UTC",
                           .allowed_directories = {config.lake.warehouse().string()}});
}

Result<std::unique_ptr<Source>> OpenSource(const Config& config, std::vector<TableSchema> known) {
  MR_ASSIGN(postgres::PostgresSourceOptions options, SourceOptions(config, std::move(known)));
  MR_ASSIGN(std::unique_ptr<postgres::PostgresSource> source,
            postgres::PostgresSource::Open(std::move(options)));
  return std::unique_ptr<Source>(std::move(source));
}

Status AskForReread(const Config& config, const std::vector<std::string>& tables) {
  MR_ASSIGN(const postgres::PostgresSourceOptions options, SourceOptions(config, {}));
  return postgres::AskForReread(options, tables);
}

Result<std::vector<SourceFinding>> CheckSource(const Config& config, bool fix,
                                               std::vector<std::string>& done) {
  MR_ASSIGN(const postgres::PostgresSourceOptions options, SourceOptions(config, {}));
  std::vector<postgres::Finding> findings = postgres::CheckSource(options);
  if (fix) {
    MR_ASSIGN(done, postgres::ApplyFixes(options, findings));
    if (!done.empty()) findings = postgres::CheckSource(options);
  }
  std::vector<SourceFinding> out;
  for (postgres::Finding& finding : findings) {
    out.push_back({std::string(postgres::LevelName(finding.level)), std::move(finding.topic),
                   std::move(finding.message), std::move(finding.cure), finding.fixable});
  }
  return out;
}

}  // namespace millrace::app
