#include <arrow/api.h>

#include <cstdio>

#include "app/cell_text.h"
#include "app/invocation.h"
#include "app/lake.h"
#include "app/registry.h"
#include "app/row_key.h"
#include "base/byte_buffer.h"
#include "base/format.h"
#include "base/text.h"
#include "codec/json.h"
#include "pipeline/gold/engine_rows.h"
#include "pipeline/silver/layout.h"
#include "table/pin.h"

namespace millrace::app {
namespace {

// "silver.orders" as it is; "public.orders", "orders" and "sales.orders" as Silver names them.
std::string SilverName(const std::string& table) {
  const size_t dot = table.find('.');
  if (dot == std::string::npos) return silver::SilverTableName("public", table);
  if (table.substr(0, dot) == "silver") return table.substr(dot + 1);
  return silver::SilverTableName(table.substr(0, dot), table.substr(dot + 1));
}

// All versions of the row, oldest first, in one batch.
struct Versions {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::string Text(int64_t row, std::string_view column) const {
    const auto values = rows->GetColumnByName(std::string(column));
    return values == nullptr || values->IsNull(row) ? std::string() : CellText(*values, row);
  }
};

std::string_view OpName(std::string_view op) {
  if (op == "c") return "insert";
  if (op == "u") return "update";
  if (op == "r") return "snapshot";
  return op;
}

bool IsScdColumn(std::string_view name) {
  for (int i = 0; i < silver::kScdColumns; ++i) {
    if (silver::ScdName(static_cast<silver::Scd>(i)) == name) return true;
  }
  return false;
}

void PrintText(const Versions& versions, const std::string& table, const std::string& key) {
  const arrow::RecordBatch& rows = *versions.rows;
  fmt::print("{} {}: {} version{}\n", table, key, rows.num_rows(), rows.num_rows() == 1 ? "" : "s");
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    const std::string to = versions.Text(row, silver::ScdName(silver::Scd::kValidTo));
    fmt::print(
        "\nversion {}: {} to {} ({})\n", versions.Text(row, silver::ScdName(silver::Scd::kVersion)),
        versions.Text(row, silver::ScdName(silver::Scd::kValidFrom)), to.empty() ? "now" : to,
        OpName(versions.Text(row, silver::ScdName(silver::Scd::kOp))));
    for (int i = 0; i < rows.num_columns(); ++i) {
      if (IsScdColumn(rows.column_name(i))) continue;
      const auto text = [&](int64_t at) {
        return rows.column(i)->IsNull(at) ? std::string("NULL") : CellText(*rows.column(i), at);
      };
      if (row == 0) {
        fmt::print("  {}: {}\n", rows.column_name(i), text(row));
      } else if (text(row) != text(row - 1)) {
        fmt::print("  {}: {} -> {}\n", rows.column_name(i), text(row - 1), text(row));
      }
    }
    if (versions.Text(row, silver::ScdName(silver::Scd::kIsDeleted)) == "true")
      fmt::print("deleted at {}\n", to);
  }
}

void PrintJson(const Versions& versions) {
  const arrow::RecordBatch& rows = *versions.rows;
  std::string out = "[";
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    out += row == 0 ? "\n  {" : ",\n  {";
    for (int i = 0; i < rows.num_columns(); ++i) {
      ByteBuffer name;
      json::AppendQuoted(name, rows.column_name(i));
      if (i != 0) out += ", ";
      out += name.view();
      out += ": ";
      out += CellJson(*rows.column(i), row);
    }
    out += '}';
  }
  out += rows.num_rows() == 0 ? "]" : "\n]";
  fmt::print("{}\n", out);
}

}  // namespace

Status RunHistory(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  MR_ASSIGN(const std::unique_ptr<Lake> lake, OpenExistingLake(config));
  const auto loaded = lake->catalog->LoadTable(MakeIdent("silver", SilverName(invocation.table)));
  if (!loaded.ok() && loaded.error().kind() == ErrorKind::kNotFound) {
    return Fail(ErrorKind::kNotFound,
                "there is no table silver.{} (yet); `millrace tables` lists those that there are",
                SilverName(invocation.table));
  }
  MR_ASSIGN(const LoadedTable table, loaded);
  const auto property = table.metadata.properties.find(std::string(silver::kColumnsProperty));
  if (property == table.metadata.properties.end()) {
    return Fail(ErrorKind::kUnsupported, "{} was not made by Millrace: it has no property {}",
                table.ident.ToString(), silver::kColumnsProperty);
  }
  MR_ASSIGN(const json::Value columns, json::Parse(property->second, silver::kColumnsProperty));
  MR_ASSIGN(const silver::Layout layout, silver::LayoutFromJson(columns));
  if (!layout.keyed()) {
    return Fail(ErrorKind::kUnsupported,
                "{} has no key, so its rows have no history of their own; use `millrace query` "
                "with conditions of yours",
                layout.table);
  }
  std::vector<std::string> names, conditions, shown;
  for (const silver::SilverColumn* column : layout.KeyColumns()) names.push_back(column->name);
  MR_ASSIGN(const std::vector<std::string> key, ParseRowKey(invocation.key, names));
  for (size_t i = 0; i < names.size(); ++i) {
    conditions.push_back(SqlIdentifier(names[i]) + " = " + SqlLiteral(key[i]));
    shown.push_back(names[i] + "=" + key[i]);
  }

  MR_ASSIGN(const std::unique_ptr<Engine> engine, OpenEngine(config));
  MR_ASSIGN(const EngineTable pinned, table::Pin(*lake->cache, table));
  MR_TRY(engine->Register(pinned));
  const std::string sql =
      Format("SELECT * FROM {}.{} WHERE {} ORDER BY version", SqlIdentifier(pinned.space),
             SqlIdentifier(pinned.name), Join(conditions, " AND "));
  const auto found = gold::ReadRows(*engine, sql, {});
  if (!found.ok()) {
    if (found.error().kind() != ErrorKind::kInvalidInput) return found.error();
    return Fail(ErrorKind::kInvalidInput, "{} is no key of {}: {}", Join(shown, ", "), layout.table,
                found.error().message().substr(0, found.error().message().find('\n')));
  }
  const std::shared_ptr<arrow::Table> rows = *found;
  if (rows->num_rows() == 0) {
    return Fail(ErrorKind::kNotFound, "{} never had a row with {}, as far as Silver is",
                layout.table, Join(shown, ", "));
  }
  auto batch = rows->CombineChunksToBatch();
  if (!batch.ok()) return Fail(ErrorKind::kInternal, "history: {}", batch.status().message());
  const Versions versions{*batch};
  if (invocation.json) {
    PrintJson(versions);
  } else {
    PrintText(versions, layout.table, Join(shown, ", "));
  }
  return {};
}

}  // namespace millrace::app
