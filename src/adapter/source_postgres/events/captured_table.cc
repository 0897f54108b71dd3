#include "adapter/source_postgres/events/captured_table.h"

#include "codec/json.h"

namespace millrace::postgres {
namespace {

std::string Quoted(std::string_view text) {
  ByteBuffer out;
  json::AppendQuoted(out, text);
  return std::string(out.view());
}

}  // namespace

CapturedTable Capture(const std::string& topic_prefix, TableSchema schema,
                      const std::vector<char>& delimiters, const std::vector<bool>& identity) {
  CapturedTable table;
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    CapturedTable::Column column;
    column.prefix = "," + Quoted(schema.columns[i].name) + ":";
    column.prefix_size = static_cast<uint32_t>(column.prefix.size());
    column.prefix.resize(column.prefix.size() + CapturedTable::kPrefixPad, ' ');
    column.identity = i < identity.size() && identity[i];
    column.encoder =
        EncoderFor(schema.columns[i].type, i < delimiters.size() ? delimiters[i] : ',');
    table.columns.push_back(std::move(column));
  }
  for (const SourceColumn* key : schema.KeyColumns()) {
    table.key.push_back(static_cast<uint16_t>(key - schema.columns.data()));
  }
  table.source_names =
      ",\"schema\":" + Quoted(schema.schema) + ",\"table\":" + Quoted(schema.table) + ",\"txId\":";
  auto stream = std::make_shared<Stream>();
  stream->topic = TopicName(topic_prefix, schema.schema, schema.table);
  stream->fingerprint = Fingerprint(schema);
  stream->schema = std::move(schema);
  table.stream = std::move(stream);
  return table;
}

}  // namespace millrace::postgres
