#include "adapter/source_postgres/tables/topic_clash.h"

#include "model/table_schema.h"

namespace millrace::postgres {

std::map<uint32_t, std::string> TopicClashes(const std::vector<TableEntry>& tables) {
  std::map<std::string, const TableEntry*> first;
  for (const TableEntry& table : tables) {
    const TableEntry*& holder = first[TopicName("", table.schema, table.table)];
    if (holder == nullptr || table.QualifiedName() < holder->QualifiedName()) holder = &table;
  }
  std::map<uint32_t, std::string> clashes;
  for (const TableEntry& table : tables) {
    const TableEntry* holder = first[TopicName("", table.schema, table.table)];
    if (holder != &table) clashes[table.oid] = holder->QualifiedName();
  }
  return clashes;
}

}  // namespace millrace::postgres
