#include <arrow/c/abi.h>

#include "app/invocation.h"
#include "app/lake.h"
#include "app/registry.h"
#include "app/result_printer.h"
#include "base/text.h"
#include "table/pin.h"

namespace millrace::app {
namespace {

// The tables whose names occur in the statement, since planning one reads its manifests; all of
// them when none does (SHOW TABLES, information_schema).
std::vector<const PinnedTable*> Named(const std::vector<PinnedTable>& tables,
                                      std::string_view sql) {
  const std::string text = ToLower(sql);
  std::vector<const PinnedTable*> named, all;
  for (const PinnedTable& table : tables) {
    all.push_back(&table);
    if (text.find(ToLower(table.table.ident.name)) != std::string::npos) named.push_back(&table);
  }
  return named.empty() ? all : named;
}

}  // namespace

Status RunQuery(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  MR_ASSIGN(const std::unique_ptr<Lake> lake, OpenExistingLake(config));
  MR_ASSIGN(const std::unique_ptr<Engine> engine, OpenEngine(config));
  MR_ASSIGN(const std::vector<PinnedTable> tables, PinNewest(*lake, *engine));
  for (const PinnedTable* pinned : Named(tables, invocation.sql)) {
    MR_ASSIGN(const EngineTable table,
              table::Pin(*lake->cache, pinned->table, pinned->snapshot_id));
    MR_TRY(engine->Register(table));
  }
  // PinNewest has shown the engine only what it needed of it.
  if (const auto cuts = lake->catalog->LoadTable(MakeIdent("_millrace", "cuts")); cuts.ok()) {
    MR_ASSIGN(const EngineTable all, table::Pin(*lake->cache, *cuts));
    MR_TRY(engine->Register(all));
  }
  ArrowArrayStream rows{};
  MR_TRY(engine->Query(invocation.sql, &rows));
  return PrintRows(&rows, invocation.format);
}

}  // namespace millrace::app
