#include "adapter/source_postgres/tables/catalog.h"

#include <algorithm>

#include "adapter/source_postgres/events/value_encoder.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace::postgres {
namespace {

uint32_t Oid(const Rows& rows, int row, int column) {
  return static_cast<uint32_t>(rows.Int(row, column));
}

// "1 3 2", as int2vector prints.
std::vector<int16_t> Attnums(std::string_view text) {
  std::vector<int16_t> attnums;
  for (const std::string_view part : Split(text, ' ')) {
    if (const auto attnum = ParseInt<int16_t>(part); attnum && *attnum > 0)
      attnums.push_back(*attnum);
  }
  return attnums;
}

std::string OidArray(const std::vector<uint32_t>& oids) {
  std::vector<std::string> parts;
  for (const uint32_t oid : oids) parts.push_back(std::to_string(oid));
  return "{" + Join(parts, ",") + "}";
}

ReplicaIdentity Identity(char relreplident) {
  switch (relreplident) {
    case 'f':
      return ReplicaIdentity::kFull;
    case 'i':
      return ReplicaIdentity::kIndex;
    case 'n':
      return ReplicaIdentity::kNothing;
    default:
      return ReplicaIdentity::kDefault;
  }
}

// The attnums that make the key, in order: docs/formats/events.md, "Key". What the stream flags as
// identity wins over the catalog, which may be ahead of the stream; the catalog gives the order.
std::vector<int16_t> KeyOf(const RelationMessage& relation, const std::vector<int16_t>& attnums,
                           const LiveTable& live) {
  const bool by_index = relation.replica_identity == 'i';
  const std::vector<int16_t>& catalog = by_index ? live.identity_index : live.primary_key;
  std::vector<int16_t> flagged;
  if (relation.replica_identity == 'd' || by_index) {
    for (size_t i = 0; i < attnums.size(); ++i) {
      if (relation.columns[i].identity) flagged.push_back(attnums[i]);
    }
    std::vector<int16_t> sorted = catalog;
    std::sort(sorted.begin(), sorted.end());
    return sorted == flagged ? catalog : flagged;
  }
  const bool all_streamed = std::all_of(catalog.begin(), catalog.end(), [&](int16_t attnum) {
    return std::find(attnums.begin(), attnums.end(), attnum) != attnums.end();
  });
  return all_streamed ? catalog : std::vector<int16_t>();
}

}  // namespace

Result<std::vector<TableEntry>> ListTables(Connection& connection) {
  MR_ASSIGN(const Rows rows, connection.Query(R"(
    WITH identifies AS (
      SELECT c.oid, c.relreplident,
             EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) AS pk,
             EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid) AS identity_index
      FROM pg_class c WHERE c.relkind IN ('r', 'p'))
    SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', c.relpersistence = 'u', c.relreplident, t.pk, t.identity_index,
           NOT EXISTS (
             SELECT 1 FROM (SELECT c.oid AS relid UNION SELECT p.relid::oid FROM pg_partition_tree(c.oid) p) q
             JOIN identifies m ON m.oid = q.relid
             WHERE NOT (m.relreplident = 'f' OR (m.relreplident = 'd' AND m.pk) OR (m.relreplident = 'i' AND m.identity_index))),
           CASE WHEN c.relkind = 'p'
                THEN (SELECT sum(greatest(l.reltuples, 0)) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid WHERE p.isleaf)
                ELSE c.reltuples END::bigint,
           NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN identifies t ON t.oid = c.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2, 3)"));
  std::vector<TableEntry> tables;
  for (int i = 0; i < rows.size(); ++i) {
    tables.push_back({.oid = Oid(rows, i, 0),
                      .schema = rows.String(i, 1),
                      .table = rows.String(i, 2),
                      .partitioned = rows.Bool(i, 3),
                      .unlogged = rows.Bool(i, 4),
                      .without_columns = rows.Bool(i, 10),
                      .replica_identity = rows.Text(i, 5).empty() ? 'd' : rows.Text(i, 5)[0],
                      .has_primary_key = rows.Bool(i, 6),
                      .has_identity_index = rows.Bool(i, 7),
                      .identifies_rows = rows.Bool(i, 8),
                      .estimated_rows = rows.Int(i, 9)});
  }
  return tables;
}

bool MatchesGlob(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view WhyLeftOut(const TableEntry& table) {
  if (table.unlogged) return "unlogged: it writes no WAL";
  if (table.without_columns) return "without columns";
  return "";
}

std::vector<TableEntry> SelectTables(const std::vector<TableEntry>& all,
                                     const std::vector<std::string>& include,
                                     const std::vector<std::string>& exclude) {
  const auto any = [](const std::vector<std::string>& patterns, const std::string& name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& p) { return MatchesGlob(p, name); });
  };
  std::vector<TableEntry> selected;
  for (const TableEntry& table : all) {
    const std::string name = table.QualifiedName();
    if (WhyLeftOut(table).empty() && (include.empty() || any(include, name)) && !any(exclude, name))
      selected.push_back(table);
  }
  return selected;
}

Result<LiveTable> ReadLiveTable(Connection& connection, uint32_t oid,
                                const std::string& publication) {
  LiveTable live;
  const std::string id = std::to_string(oid);
  // Since PostgreSQL 18 a publication may carry stored generated columns, never virtual ones.
  const std::string_view streamed =
      connection.server_version() >= 180000
          ? "a.attgenerated = 's' AND EXISTS (SELECT 1 FROM pg_publication WHERE pubgencols = 's' "
            "AND pubname::text IN ($2::text, $2::text || '_insert'))"
          : "$2::text = ''";
  // A partitioned table has no rows of its own: its partitions hold what was missing.
  MR_ASSIGN(const Rows columns, connection.Query(Format(R"(
    WITH stored AS (
      SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid)),
    missing AS (
      SELECT attname, count(DISTINCT v) AS values, min(v) AS text FROM (
        SELECT attname, (attmissingval::text::text[])[1] AS v
        FROM pg_attribute WHERE attrelid IN (SELECT oid FROM stored) AND atthasmissing) AS a
      GROUP BY attname)
    SELECT a.attnum, a.attname, a.atttypid, a.atttypmod, a.attisdropped, a.attnotnull,
           a.attgenerated <> '', m.text,
           a.attnotnull OR a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
           a.attgenerated = '' OR {}
    FROM pg_attribute a LEFT JOIN missing m ON m.attname = a.attname AND m.values = 1
    LEFT JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1::oid AND a.attnum > 0 ORDER BY a.attnum)",
                                                        streamed),
                                                 {id, publication}));
  for (int i = 0; i < columns.size(); ++i) {
    live.columns.push_back(
        {.attnum = static_cast<int16_t>(columns.Int(i, 0)),
         .name = columns.String(i, 1),
         .type_oid = Oid(columns, i, 2),
         .typmod = static_cast<int32_t>(columns.Int(i, 3)),
         .dropped = columns.Bool(i, 4),
         .not_null = columns.Bool(i, 5),
         .generated = columns.Bool(i, 6),
         .missing = columns.IsNull(i, 7) ? std::nullopt : std::optional(columns.String(i, 7)),
         .may_be_filled = columns.Bool(i, 8),
         .streamed = columns.Bool(i, 9)});
  }
  MR_ASSIGN(const Rows indexes,
            connection.Query("SELECT i.indisprimary, i.indisreplident, i.indkey, c.relreplident, "
                             "(SELECT string_agg(s.relfilenode::text, ' ' ORDER BY s.oid) "
                             "FROM pg_class s WHERE s.oid = c.oid OR s.oid IN "
                             "(SELECT relid FROM pg_partition_tree(c.oid))) "
                             "FROM pg_class c LEFT JOIN pg_index i "
                             "ON i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident) AND "
                             "i.indisvalid WHERE c.oid = $1::oid",
                             {id}));
  live.exists = !indexes.empty();
  for (int i = 0; i < indexes.size(); ++i) {
    if (indexes.Bool(i, 0)) live.primary_key = Attnums(indexes.Text(i, 2));
    if (indexes.Bool(i, 1)) live.identity_index = Attnums(indexes.Text(i, 2));
    if (!indexes.Text(i, 3).empty()) live.replica_identity = indexes.Text(i, 3)[0];
    live.storage = indexes.String(i, 4);
  }
  return live;
}

Status TypeCatalog::Load(Connection& connection, const std::vector<uint32_t>& oids) {
  std::vector<uint32_t> missing;
  for (const uint32_t oid : oids) {
    if (oid != 0 && FindBuiltin(oid) == nullptr && !types_.contains(oid)) missing.push_back(oid);
  }
  while (!missing.empty()) {  // a domain's base or an array's element may be new again
    MR_ASSIGN(
        const Rows rows,
        connection.Query("SELECT oid, typname, typtype, CASE WHEN typoutput = 'array_out'::regproc "
                         "THEN typelem ELSE 0 END, typbasetype, typtypmod, "
                         "typdelim FROM pg_type WHERE oid = ANY ($1::oid[])",
                         {OidArray(missing)}));
    missing.clear();
    for (int i = 0; i < rows.size(); ++i) {
      TypeInfo info{.oid = Oid(rows, i, 0),
                    .name = rows.String(i, 1),
                    .kind = rows.Text(i, 2).empty() ? 'b' : rows.Text(i, 2)[0],
                    .element_oid = Oid(rows, i, 3),
                    .base_oid = Oid(rows, i, 4),
                    .base_typmod = static_cast<int32_t>(rows.Int(i, 5)),
                    .delimiter = rows.Text(i, 6).empty() ? ',' : rows.Text(i, 6)[0]};
      if (info.kind == 'd') info.element_oid = 0;
      for (const uint32_t next : {info.element_oid, info.base_oid}) {
        if (next != 0 && !types_.contains(next)) missing.push_back(next);
      }
      types_[info.oid] = std::move(info);
    }
  }
  return {};
}

ResolvedType TypeCatalog::Resolve(uint32_t oid, int32_t typmod) const {
  return ResolveType(oid, typmod, [this](uint32_t o) -> const TypeInfo* {
    const auto found = types_.find(o);
    return found == types_.end() ? nullptr : &found->second;
  });
}

Result<std::vector<TypeCatalog::Name>> TypeCatalog::FormatTypes(
    Connection& connection, const std::vector<RelationColumn>& columns) {
  std::vector<uint32_t> oids;
  std::vector<std::string> typmods;
  for (const RelationColumn& column : columns) {
    oids.push_back(column.type_oid);
    typmods.push_back(std::to_string(column.typmod));
  }
  MR_ASSIGN(const Rows rows, connection.Query(R"(
    SELECT format_type(u.type, u.typmod), CASE WHEN t.typtype = 'd' THEN (
      WITH RECURSIVE base AS (
        SELECT t.typbasetype AS type, t.typtypmod AS typmod
        UNION ALL
        SELECT d.typbasetype, d.typtypmod FROM base b JOIN pg_type d ON d.oid = b.type WHERE d.typtype = 'd')
      SELECT format_type(b.type, b.typmod) FROM base b JOIN pg_type d ON d.oid = b.type WHERE d.typtype <> 'd') END
    FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(type, typmod, i) LEFT JOIN pg_type t ON t.oid = u.type
    ORDER BY i)",
                                              {OidArray(oids), "{" + Join(typmods, ",") + "}"}));
  std::vector<Name> names;
  for (int i = 0; i < rows.size(); ++i) names.push_back({rows.String(i, 0), rows.String(i, 1)});
  if (names.size() != columns.size())
    return Fail(ErrorKind::kInternal, "format_type gave {} names for {} columns", names.size(),
                columns.size());
  return names;
}

DescribedTable Describe(const RelationMessage& relation, const std::vector<int16_t>& attnums,
                        const LiveTable& live, const std::vector<TypeCatalog::Name>& type_names,
                        const TypeCatalog& types) {
  DescribedTable table;
  table.schema.relation_oid = relation.oid;
  table.schema.schema = relation.schema.empty() ? "pg_catalog" : relation.schema;
  table.schema.table = relation.table;
  table.schema.replica_identity = Identity(relation.replica_identity);
  const std::vector<int16_t> key = KeyOf(relation, attnums, live);
  for (size_t i = 0; i < attnums.size(); ++i) {
    const RelationColumn& from = relation.columns[i];
    SourceColumn column;
    column.attnum = attnums[i];
    column.name = from.name;
    column.type_oid = from.type_oid;
    column.typmod = from.typmod;
    column.type_name = type_names[i].type;
    column.base_type = type_names[i].base;
    ResolvedType resolved = types.Resolve(from.type_oid, from.typmod);
    column.type = std::move(resolved.type);
    const auto position = std::find(key.begin(), key.end(), attnums[i]);
    column.key_position = position == key.end() ? 0 : static_cast<int>(position - key.begin()) + 1;
    const auto row = std::find_if(live.columns.begin(), live.columns.end(),
                                  [&](const LiveColumn& c) { return c.attnum == attnums[i]; });
    if (row != live.columns.end()) {
      column.not_null = row->not_null;
      if (row->missing && row->type_oid == from.type_oid) {
        ByteBuffer value;
        EncoderFor(column.type, resolved.delimiter).Encode(*row->missing, value);
        column.missing = std::string(value.view());
      }
    }
    table.schema.columns.push_back(std::move(column));
    table.delimiters.push_back(resolved.delimiter);
    table.identity.push_back(from.identity);
  }
  return table;
}

RelationMessage AsRelation(const TableEntry& table, const LiveTable& live) {
  RelationMessage relation{.oid = table.oid,
                           .schema = table.schema,
                           .table = table.table,
                           .replica_identity = live.replica_identity,
                           .columns = {}};
  const std::vector<int16_t>& identity =
      live.replica_identity == 'i' ? live.identity_index : live.primary_key;
  for (const LiveColumn& column : live.columns) {
    if (column.dropped || !column.streamed) continue;
    const bool in_identity =
        live.replica_identity == 'f' ||
        (live.replica_identity != 'n' &&
         std::find(identity.begin(), identity.end(), column.attnum) != identity.end());
    relation.columns.push_back({.name = column.name,
                                .type_oid = column.type_oid,
                                .typmod = column.typmod,
                                .identity = in_identity});
  }
  return relation;
}

}  // namespace millrace::postgres
