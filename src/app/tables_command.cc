#include <cstdio>

#include "app/invocation.h"
#include "app/lake.h"
#include "app/registry.h"
#include "app/table_facts.h"
#include "app/text_table.h"
#include "base/format.h"
#include "codec/json.h"

namespace millrace::app {

Status RunTables(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  MR_ASSIGN(const std::unique_ptr<Lake> lake, OpenExistingLake(config));
  MR_ASSIGN(const std::unique_ptr<Engine> engine, OpenEngine(config));
  MR_ASSIGN(const std::vector<PinnedTable> tables, PinNewest(*lake, *engine));
  TextTable text({{"table"},
                  {"rows", true},
                  {"current", true},
                  {"files", true},
                  {"delete files", true},
                  {"size", true},
                  {"changed", true}});
  json::Value::Array list;
  const Micros now = lake->clock.Now();
  for (const PinnedTable& pinned : tables) {
    MR_ASSIGN(const TableFacts facts, ReadTableFacts(*lake->cache, pinned));
    json::Value item;
    item.Set("table", pinned.table.ident.ToString());
    item.Set("rows", facts.rows);
    if (facts.current) item.Set("current", *facts.current);
    item.Set("data_files", facts.data_files);
    item.Set("delete_files", facts.delete_files);
    item.Set("bytes", facts.bytes);
    item.Set("snapshots", facts.snapshots);
    if (pinned.snapshot_id) item.Set("snapshot_id", *pinned.snapshot_id);
    if (facts.published_at) item.Set("published_at", FormatTimestamp(*facts.published_at));
    item.Set("location", pinned.table.metadata.location);
    item.Set("metadata_location", pinned.table.metadata_location);
    list.push_back(std::move(item));
    text.Add({pinned.table.ident.ToString(), GroupDigits(facts.rows),
              facts.current ? GroupDigits(*facts.current) : "", GroupDigits(facts.data_files),
              GroupDigits(facts.delete_files), HumanBytes(facts.bytes),
              facts.published_at ? HumanAge(now - *facts.published_at) + " ago" : "never"});
  }
  if (invocation.json) {
    fmt::print("{}\n", json::Write(json::Value(std::move(list)), true));
  } else if (list.empty()) {
    fmt::print("no tables yet: they appear when Silver has merged the first commit\n");
  } else {
    fmt::print("{}", text.Render());
  }
  return {};
}

}  // namespace millrace::app
