#include "adapter/source_postgres/snapshot/key_reader.h"

#include <algorithm>

#include "adapter/source_postgres/protocol/copy_text.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

constexpr size_t kKeysAtOnce = 1000;

}  // namespace

RowKey KeyOfRow(const CapturedTable& table, const Tuple& row, const Tuple* toast) {
  RowKey key;
  for (const uint16_t i : table.key) {
    const bool elsewhere = row[i].kind == TupleValue::Kind::kUnchangedToast && toast != nullptr;
    key.emplace_back(elsewhere ? (*toast)[i].text : row[i].text);
  }
  return key;
}

std::string KeysSql(const TableSchema& schema, bool partitioned, const std::vector<RowKey>& keys) {
  std::vector<std::string> columns, equal, names, rows;
  for (const SourceColumn& column : schema.columns)
    columns.push_back("t." + QuoteIdentifier(column.name));
  const std::vector<const SourceColumn*> key_columns = schema.KeyColumns();
  for (size_t i = 0; i < key_columns.size(); ++i) {
    names.push_back(Format("k{}", i));
    equal.push_back(Format("t.{} = k.k{}", QuoteIdentifier(key_columns[i]->name), i));
  }
  for (const RowKey& key : keys) {
    std::vector<std::string> values;
    for (size_t i = 0; i < key.size(); ++i)
      values.push_back(Format("{}::{}", QuoteLiteral(key[i]), key_columns[i]->type_name));
    rows.push_back("(" + Join(values, ",") + ")");
  }
  return Format("COPY (SELECT {} FROM (VALUES {}) k({}) JOIN {}{} t ON {}) TO STDOUT",
                Join(columns, ","), Join(rows, ","), Join(names, ","), partitioned ? "" : "ONLY ",
                QualifiedIdentifier(schema.schema, schema.table), Join(equal, " AND "));
}

Status ReadKeys(Connection& connection, const CapturedTable& table, bool partitioned,
                const std::set<RowKey>& keys, const std::function<Status(const Tuple& row)>& row) {
  Tuple tuple(table.columns.size());
  for (auto from = keys.begin(); from != keys.end();) {
    std::vector<RowKey> some;
    for (; from != keys.end() && some.size() < kKeysAtOnce; ++from) some.push_back(*from);
    MR_TRY(connection.CopyOut(KeysSql(table.stream->schema, partitioned, some),
                              [&](char* data, size_t size) -> Status {
                                MR_TRY(ParseCopyRow(data, size, tuple));
                                return row(tuple);
                              }));
  }
  return {};
}

}  // namespace millrace::postgres
