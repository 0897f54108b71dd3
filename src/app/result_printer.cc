#include "app/result_printer.h"

#include <arrow/api.h>
#include <arrow/c/bridge.h>

#include <cstdio>
#include <optional>

#include "app/cell_text.h"
#include "app/text_table.h"
#include "base/format.h"
#include "base/text.h"
#include "codec/json.h"

namespace millrace::app {
namespace {

constexpr int64_t kTableRows = 1000;

std::string CsvField(const std::string& text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string Quoted(const std::string& text) {
  ByteBuffer buffer;
  json::AppendQuoted(buffer, text);
  return std::string(buffer.view());
}

void PrintCsv(const arrow::RecordBatch& batch) {
  std::string out;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    for (int i = 0; i < batch.num_columns(); ++i) {
      if (i != 0) out += ',';
      if (!batch.column(i)->IsNull(row)) out += CsvField(CellText(*batch.column(i), row));
    }
    out += "\r\n";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

void PrintJson(const arrow::RecordBatch& batch, const std::vector<std::string>& quoted_names) {
  std::string out;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    out += '{';
    for (int i = 0; i < batch.num_columns(); ++i) {
      out += (i == 0 ? "" : ",") + quoted_names[static_cast<size_t>(i)] + ":" +
             CellJson(*batch.column(i), row);
    }
    out += "}\n";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

}  // namespace

Status PrintRows(ArrowArrayStream* stream, OutputFormat format) {
  const auto failed = [](const arrow::Status& status) {
    return Fail(ErrorKind::kInvalidInput, "the query failed: {}", status.message());
  };
  auto reader = arrow::ImportRecordBatchReader(stream);
  if (!reader.ok()) return failed(reader.status());
  const auto& fields = (*reader)->schema()->fields();
  std::vector<TextTable::Column> columns;
  std::vector<std::string> quoted_names, header;
  for (const auto& field : fields) {
    columns.push_back({field->name(), IsNumeric(*field->type())});
    quoted_names.push_back(Quoted(field->name()));
    header.push_back(CsvField(field->name()));
  }
  if (format == OutputFormat::kCsv) fmt::print("{}\r\n", Join(header, ","));
  TextTable table(columns);
  int64_t total = 0;
  while (true) {
    auto batch = (*reader)->Next();
    if (!batch.ok()) return failed(batch.status());
    if (*batch == nullptr) break;
    const arrow::RecordBatch& rows = **batch;
    if (format == OutputFormat::kCsv) PrintCsv(rows);
    if (format == OutputFormat::kJson) PrintJson(rows, quoted_names);
    if (format == OutputFormat::kTable) {
      for (int64_t row = 0; row < rows.num_rows() && total + row < kTableRows; ++row) {
        std::vector<std::string> cells;
        for (int i = 0; i < rows.num_columns(); ++i) {
          cells.push_back(rows.column(i)->IsNull(row) ? "NULL" : CellText(*rows.column(i), row));
        }
        table.Add(cells);
      }
    }
    total += rows.num_rows();
  }
  if (format != OutputFormat::kTable) return {};
  fmt::print("{}", table.Render());
  if (total > kTableRows) {
    fmt::print("({} of {} rows; --format csv or json prints all)\n", kTableRows,
               GroupDigits(total));
  } else {
    fmt::print("({} row{})\n", total, total == 1 ? "" : "s");
  }
  return {};
}

}  // namespace millrace::app
