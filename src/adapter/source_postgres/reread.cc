#include "adapter/source_postgres/reread.h"

#include <algorithm>

#include "adapter/source_postgres/tables/publication.h"
#include "base/failpoint.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

Result<uint32_t> FindCaptured(const std::vector<TableEntry>& selected, const std::string& name,
                              const PublicationState& main, const PublicationState& insert_only) {
  const auto table = std::find_if(selected.begin(), selected.end(), [&](const TableEntry& entry) {
    return entry.QualifiedName() == name;
  });
  if (table != selected.end()) {
    const std::string quoted = QualifiedIdentifier(table->schema, table->table);
    for (const PublicationState* state : {&main, &insert_only}) {
      if (std::binary_search(state->tables.begin(), state->tables.end(), quoted)) return table->oid;
    }
  }
  return Fail(ErrorKind::kNotFound,
              "table {} is not captured: write it as schema.table, as `millrace status` does",
              name);
}

}  // namespace

Status AskForReread(const PostgresSourceOptions& options, const std::vector<std::string>& tables) {
  MR_ASSIGN(const auto connection, Connection::Open(options, Connection::Mode::kSql));
  MR_ASSIGN(const auto all, ListTables(*connection));
  const std::vector<TableEntry> selected =
      SelectTables(all, options.include_tables, options.exclude_tables);
  MR_TRY(LockMarks(*connection, options.publication));
  MR_ASSIGN(const PublicationState main, ReadPublication(*connection, options.publication));
  MR_ASSIGN(const PublicationState insert_only,
            ReadPublication(*connection, InsertPublication(options.publication)));
  if (!main.managed) {
    return Fail(ErrorKind::kUnsupported,
                "publication {} was not made by millrace, and is not changed: tables cannot be "
                "marked for reading again",
                options.publication);
  }
  std::set<uint32_t> marked(main.pending.begin(), main.pending.end());
  for (const std::string& name : tables) {
    MR_ASSIGN(const uint32_t oid, FindCaptured(selected, name, main, insert_only));
    marked.insert(oid);
  }
  MR_FAILPOINT("reread.before_mark");
  MR_TRY(connection->Execute(MarkPending(options.publication, marked)));
  MR_FAILPOINT("reread.after_mark");
  return {};
}

}  // namespace millrace::postgres
