#include "adapter/source_postgres/events/event_encoder.h"

#include <charconv>

#include "base/format.h"
#include "codec/json.h"

namespace millrace::postgres {
namespace {

constexpr std::string_view kVersion = "millrace-0.1";

std::string Quoted(std::string_view text) {
  ByteBuffer out;
  json::AppendQuoted(out, text);
  return std::string(out.view());
}

template <typename Int>
char* Digits(char* to, Int value) {
  return std::to_chars(to, to + 20, value).ptr;
}

void AppendMember(const CapturedTable::Column& column, const TupleValue& value, ByteBuffer& out) {
  char* to = out.Space(column.prefix_size + CapturedTable::kPrefixPad);
  std::memcpy(to, column.prefix.data(), CapturedTable::kPrefixPad);
  if (column.prefix_size > CapturedTable::kPrefixPad)
    std::memcpy(to, column.prefix.data(), column.prefix_size);
  if (value.kind == TupleValue::Kind::kNull) {
    std::memcpy(to + column.prefix_size, "null", 4);
    out.Advance(column.prefix_size + 4);
    return;
  }
  out.Advance(column.prefix_size);
  column.encoder.Encode(value.text, out);
}

// Every member was written with a comma before it: the first becomes the opening brace.
void CloseObject(size_t start, ByteBuffer& out) {
  if (out.size() == start) {
    out.Append("{}", 2);
  } else {
    out.data()[start] = '{';
    out.Append('}');
  }
}

void AppendRow(const CapturedTable& table, const Tuple& row, const Tuple* toast, ByteBuffer& out) {
  const size_t start = out.size();
  for (size_t i = 0; i < row.size(); ++i) {
    const TupleValue* value = &row[i];
    if (value->kind == TupleValue::Kind::kUnchangedToast) {
      if (toast == nullptr || (*toast)[i].kind == TupleValue::Kind::kUnchangedToast) continue;
      value = &(*toast)[i];
    }
    AppendMember(table.columns[i], *value, out);
  }
  CloseObject(start, out);
}

void AppendIdentity(const CapturedTable& table, const Tuple& row, ByteBuffer& out) {
  const size_t start = out.size();
  for (size_t i = 0; i < row.size(); ++i) {
    if (table.columns[i].identity) AppendMember(table.columns[i], row[i], out);
  }
  CloseObject(start, out);
}

void AppendKey(const CapturedTable& table, const Tuple& row, const Tuple* toast, ByteBuffer& out) {
  const size_t start = out.size();
  for (const uint16_t i : table.key) {
    const bool elsewhere = row[i].kind == TupleValue::Kind::kUnchangedToast && toast != nullptr;
    AppendMember(table.columns[i], elsewhere ? (*toast)[i] : row[i], out);
  }
  CloseObject(start, out);
}

}  // namespace

EventEncoder::EventEncoder(std::string_view name, std::string_view database)
    : head_(Format(
          ",\"source\":{{\"version\":\"{}\",\"connector\":\"postgresql\",\"name\":{},\"ts_ms\":",
          kVersion, Quoted(name))),
      database_(Quoted(database)) {}

void EventEncoder::Begin(const EventContext& context) {
  timestamp_ms_ = context.commit_time / 1000;
  const std::string previous =
      context.previous_end == 0 ? "null" : Format("\\\"{}\\\"", context.previous_end);
  before_sequence_lsn_ = Format("{}{},\"snapshot\":\"{}\",\"db\":{},\"sequence\":\"[{},\\\"", head_,
                                timestamp_ms_, context.snapshot, database_, previous);
  after_sequence_lsn_ = Format("\\\"]\",\"ts_us\":{0},\"ts_ns\":{0}000", context.commit_time);
  before_lsn_ = Format("{},\"lsn\":", context.xid ? std::to_string(*context.xid) : "null");
  const std::string origin = context.origin ? Quoted(*context.origin) : "null";
  const std::string origin_lsn =
      context.origin_lsn != 0 ? std::to_string(context.origin_lsn) : "null";
  before_ordinal_ = Format(
      ",\"xmin\":null,\"origin\":{},\"origin_lsn\":{},\"commit_lsn\":{},\"ordinal\":", origin,
      origin_lsn, context.commit_lsn);
  tail_ = Format("\",\"ts_ms\":{},\"ts_us\":{},\"ts_ns\":{}000}}", context.read_time / 1000,
                 context.read_time, context.read_time);
}

void EventEncoder::Append(const CapturedTable& table, uint32_t stream_index, const Event& event,
                          RecordBatch& batch) {
  ByteBuffer& out = batch.bytes;
  const size_t start = out.size();
  if (event.key != nullptr && !table.key.empty()) AppendKey(table, *event.key, event.toast, out);
  const size_t key_end = out.size();

  out.Append("{\"before\":", 10);
  if (event.before == nullptr) {
    out.Append("null", 4);
  } else if (event.before_identity_only) {
    AppendIdentity(table, *event.before, out);
  } else {
    AppendRow(table, *event.before, nullptr, out);
  }
  out.Append(",\"after\":", 9);
  if (event.after == nullptr) {
    out.Append("null", 4);
  } else {
    AppendRow(table, *event.after, event.toast, out);
  }

  constexpr std::string_view kBeforeOp = "},\"transaction\":null,\"op\":\"";
  char lsn[20];
  const size_t lsn_size = static_cast<size_t>(Digits(lsn, event.lsn) - lsn);
  char* const source = out.Space(
      before_sequence_lsn_.size() + after_sequence_lsn_.size() + table.source_names.size() +
      before_lsn_.size() + before_ordinal_.size() + kBeforeOp.size() + tail_.size() + 3 * 20 + 1);
  char* to = source;
  const auto put = [&to](std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    to += text.size();
  };
  put(before_sequence_lsn_);
  put({lsn, lsn_size});
  put(after_sequence_lsn_);
  put(table.source_names);
  put(before_lsn_);
  put({lsn, lsn_size});
  put(before_ordinal_);
  to = Digits(to, event.ordinal);
  put(kBeforeOp);
  *to++ = event.op;
  put(tail_);
  out.Advance(static_cast<size_t>(to - source));
  const size_t value_end = out.size();

  if (!event.header_name.empty()) {
    out.Append("{\"", 2);
    out.Append(event.header_name);
    out.Append("\":", 2);
    AppendKey(table, *event.header_key, event.toast, out);
    out.Append('}');
  }
  batch.records.push_back({.stream = stream_index,
                           .key_size = static_cast<uint32_t>(key_end - start),
                           .value_size = static_cast<uint32_t>(value_end - key_end),
                           .headers_size = static_cast<uint32_t>(out.size() - value_end),
                           .offset = start,
                           .timestamp_ms = timestamp_ms_});
}

}  // namespace millrace::postgres
