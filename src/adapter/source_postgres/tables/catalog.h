#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/source_postgres/events/type_table.h"
#include "adapter/source_postgres/protocol/pgoutput.h"
#include "adapter/source_postgres/server/connection.h"
#include "adapter/source_postgres/tables/reconcile.h"
#include "base/result.h"
#include "model/table_schema.h"

// What we read from PostgreSQL's system catalogs.
namespace millrace::postgres {

// A table that could be captured: ordinary tables and roots of partitioned ones, not partitions
// themselves.
struct TableEntry {
  uint32_t oid = 0;
  std::string schema, table;
  bool partitioned = false;
  bool unlogged = false;
  bool without_columns = false;
  char replica_identity = 'd';
  bool has_primary_key = false;
  bool has_identity_index = false;
  // Whether every partition (or the table itself) could identify the rows that an UPDATE or DELETE
  // changes.
  bool identifies_rows = false;
  int64_t estimated_rows = -1;

  std::string QualifiedName() const { return schema + "." + table; }
};
// User tables of all schemas but PostgreSQL's own, without those of extensions, by name.
Result<std::vector<TableEntry>> ListTables(Connection& connection);

// `*` any run of characters, `?` one.
bool MatchesGlob(std::string_view pattern, std::string_view text);
// Why a table is never captured; "" when it may be.
std::string_view WhyLeftOut(const TableEntry& table);
// The tables that the options ask for and that may be captured.
std::vector<TableEntry> SelectTables(const std::vector<TableEntry>& all,
                                     const std::vector<std::string>& include,
                                     const std::vector<std::string>& exclude);

// What the catalog says of a table now.
struct LiveTable {
  bool exists = false;
  std::vector<LiveColumn> columns;
  std::vector<int16_t> primary_key;  // attnums in index order
  std::vector<int16_t> identity_index;
  char replica_identity = 'd';
  // The files that the rows are in: another text after the table was rewritten.
  std::string storage;
};
// `publication`: the one that, or whose second one (publication.h), carries the table.
Result<LiveTable> ReadLiveTable(Connection& connection, uint32_t oid,
                                const std::string& publication);

// pg_type, read when first asked for.
class TypeCatalog {
 public:
  // Makes the types and all that they are made of known. Types that do not exist are skipped.
  Status Load(Connection& connection, const std::vector<uint32_t>& oids);
  ResolvedType Resolve(uint32_t oid, int32_t typmod) const;
  // format_type() in the order of the columns: "numeric(12,2)"; of a domain also what it is over,
  // through domains over domains.
  struct Name {
    std::string type, base;  // base: "" of what is no domain
  };
  static Result<std::vector<Name>> FormatTypes(Connection& connection,
                                               const std::vector<RelationColumn>& columns);

 private:
  std::map<uint32_t, TypeInfo> types_;
};

// A table's schema with what goes beyond it for encoding.
struct DescribedTable {
  TableSchema schema;
  std::vector<char> delimiters;  // per column
  std::vector<bool> identity;    // per column
};
// Puts together what the stream (or the snapshot) says of the columns, which attnum each has, and
// the catalog's key. Pure.
DescribedTable Describe(const RelationMessage& relation, const std::vector<int16_t>& attnums,
                        const LiveTable& live, const std::vector<TypeCatalog::Name>& type_names,
                        const TypeCatalog& types);
// The columns of a table as a RELATION message would tell them now: generated columns that are not
// streamed are left out.
RelationMessage AsRelation(const TableEntry& table, const LiveTable& live);

}  // namespace millrace::postgres
