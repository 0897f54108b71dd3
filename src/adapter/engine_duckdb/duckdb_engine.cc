#include "adapter/engine_duckdb/duckdb_engine.h"

#include <duckdb.h>

#include <string_view>
#include <utility>

#include "adapter/engine_duckdb/arrow_stream.h"
#include "adapter/engine_duckdb/view_sql.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace {
namespace {

using duckdb_engine::QuoteName;
using duckdb_engine::QuoteText;

ErrorKind KindOf(duckdb_error_type type) {
  switch (type) {
    case DUCKDB_ERROR_INTERRUPT:
      return ErrorKind::kCancelled;
    case DUCKDB_ERROR_OUT_OF_MEMORY:
      return ErrorKind::kOutOfSpace;
    case DUCKDB_ERROR_IO:
      return ErrorKind::kUnavailable;
    case DUCKDB_ERROR_PERMISSION:
      return ErrorKind::kPermission;
    case DUCKDB_ERROR_INTERNAL:
    case DUCKDB_ERROR_FATAL:
      return ErrorKind::kInternal;
    default:
      return ErrorKind::kInvalidInput;
  }
}

// Messages never hold row values. What DuckDB says of a value it could not convert or compute
// quotes it: such a message ends before the first quote, parenthesis or digit.
std::string WithoutValues(std::string message, duckdb_error_type type) {
  switch (type) {
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_OUT_OF_MEMORY:
    case DUCKDB_ERROR_INTERRUPT:
    case DUCKDB_ERROR_PERMISSION:
    case DUCKDB_ERROR_CATALOG:
    case DUCKDB_ERROR_PARSER:
    case DUCKDB_ERROR_SYNTAX:
    case DUCKDB_ERROR_BINDER:
    case DUCKDB_ERROR_PLANNER:
      return message;
    default:
      break;
  }
  const size_t value = message.find_first_of("'\"(0123456789");
  if (value == std::string::npos) return message;
  return std::string(Trim(std::string_view(message).substr(0, value))) +
         " ... (the value is not shown)";
}

class DuckDbEngine final : public Engine {
 public:
  DuckDbEngine() = default;
  ~DuckDbEngine() override {
    if (connection_ != nullptr) duckdb_disconnect(&connection_);
    if (database_ != nullptr) duckdb_close(&database_);
  }
  DuckDbEngine(const DuckDbEngine&) = delete;
  DuckDbEngine& operator=(const DuckDbEngine&) = delete;

  Status Open(const DuckDbOptions& options) {
    duckdb_config config = nullptr;
    duckdb_create_config(&config);
    char* error = nullptr;
    duckdb_set_config(config, "autoinstall_known_extensions", "false");
    duckdb_set_config(config, "autoload_known_extensions", "false");
    const duckdb_state opened = duckdb_open_ext(nullptr, &database_, config, &error);
    duckdb_destroy_config(&config);
    if (opened == DuckDBError) {
      Error failure = Fail(ErrorKind::kInternal, "DuckDB does not start: {}",
                           error == nullptr ? "no reason given" : error);
      duckdb_free(error);
      return failure;
    }
    if (duckdb_connect(database_, &connection_) == DuckDBError) {
      return Fail(ErrorKind::kInternal, "DuckDB does not open a connection");
    }
    MR_TRY(Execute(Format("SET memory_limit = '{}B'", options.memory_limit_bytes)));
    if (options.threads > 0) MR_TRY(Execute(Format("SET threads = {}", options.threads)));
    MR_TRY(Execute("SET temp_directory = " + QuoteText(options.temp_directory)));
    MR_TRY(Execute("SET TimeZone = " + QuoteText(options.time_zone)));
    MR_TRY(Execute("SET preserve_insertion_order = false"));
    if (!options.allowed_directories.empty()) {
      std::vector<std::string> quoted;
      for (const std::string& directory : options.allowed_directories)
        quoted.push_back(QuoteText(directory));
      MR_TRY(Execute("SET allowed_directories = [" + Join(quoted, ", ") + "]"));
      MR_TRY(Execute("SET enable_external_access = false"));
    }
    return Execute("SET lock_configuration = true");
  }

  Status Register(const EngineTable& table) override {
    MR_ASSIGN(const std::string select, duckdb_engine::ViewSql(table));
    MR_TRY(Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteName(table.space)));
    return Execute(Format("CREATE OR REPLACE VIEW {}.{} AS {}", QuoteName(table.space),
                          QuoteName(table.name), select));
  }

  Status Query(const std::string& sql, ArrowArrayStream* out, std::stop_token stop) override {
    MR_ASSIGN(duckdb_result result, RunSelect(sql, DUCKDB_STATEMENT_TYPE_SELECT, sql, stop));
    duckdb_engine::ExportResult(result, out);
    return {};
  }

  Status Materialize(const std::string& name, const std::string& sql,
                     std::stop_token stop) override {
    // The newline ends a comment at the end of the SELECT.
    const std::string create =
        Format("CREATE OR REPLACE TEMP TABLE {} AS SELECT * FROM (\n{}\n)", QuoteName(name), sql);
    MR_ASSIGN(duckdb_result result, RunSelect(create, DUCKDB_STATEMENT_TYPE_CREATE, sql, stop));
    duckdb_destroy_result(&result);
    return {};
  }

 private:
  // Runs a statement of ours.
  Status Execute(const std::string& sql) {
    duckdb_result result;
    Status status;
    if (duckdb_query(connection_, sql.c_str(), &result) == DuckDBError) status = ErrorOf(&result);
    duckdb_destroy_result(&result);
    return status;
  }

  // Prepares `select` alone first where it is wrapped, so that it cannot close our parenthesis and
  // say something else.
  Result<duckdb_result> RunSelect(const std::string& sql, duckdb_statement_type type,
                                  const std::string& select, std::stop_token stop) {
    if (stop.stop_requested()) return Fail(ErrorKind::kCancelled, "the query was asked to stop");
    if (&sql != &select) {
      MR_ASSIGN(duckdb_prepared_statement inner, Prepare(select, DUCKDB_STATEMENT_TYPE_SELECT));
      duckdb_destroy_prepare(&inner);
    }
    MR_ASSIGN(duckdb_prepared_statement statement, Prepare(sql, type));
    duckdb_result result;
    duckdb_state state;
    {
      std::stop_callback interrupt(stop, [this] { duckdb_interrupt(connection_); });
      state = duckdb_execute_prepared(statement, &result);
    }
    duckdb_destroy_prepare(&statement);
    if (state == DuckDBError) {
      Error error = ErrorOf(&result);
      duckdb_destroy_result(&result);
      return error;
    }
    return result;
  }

  Result<duckdb_prepared_statement> Prepare(const std::string& sql, duckdb_statement_type type) {
    duckdb_prepared_statement statement = nullptr;
    if (duckdb_prepare(connection_, sql.c_str(), &statement) == DuckDBError) {
      const char* message = statement == nullptr ? nullptr : duckdb_prepare_error(statement);
      Error error = Fail(ErrorKind::kInvalidInput, "{}",
                         message == nullptr ? "DuckDB refuses the statement" : message);
      duckdb_destroy_prepare(&statement);
      return error;
    }
    if (duckdb_prepared_statement_type(statement) != type) {
      duckdb_destroy_prepare(&statement);
      return Fail(ErrorKind::kInvalidInput, "only one SELECT statement is allowed here");
    }
    return statement;
  }

  static Error ErrorOf(duckdb_result* result) {
    const char* message = duckdb_result_error(result);
    const duckdb_error_type type = duckdb_result_error_type(result);
    return Error(KindOf(type),
                 message == nullptr ? "DuckDB gives no reason" : WithoutValues(message, type));
  }

  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Engine>> OpenDuckDbEngine(const DuckDbOptions& options) {
  auto engine = std::make_unique<DuckDbEngine>();
  if (Status opened = engine->Open(options); !opened.ok())
    return opened.error().Wrap("the DuckDB engine");
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace millrace
