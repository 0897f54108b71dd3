#include "adapter/source_postgres/protocol/pgoutput.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/format.h"

namespace millrace::postgres {
namespace {

// Reads big-endian numbers and strings off the front. After a read past the end every read gives
// zero or "" and ok() is false.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  template <typename Int>
  Int Take() {
    if (static_cast<size_t>(end_ - p_) < sizeof(Int)) return Overrun<Int>();
    std::make_unsigned_t<Int> value;
    std::memcpy(&value, p_, sizeof value);
    p_ += sizeof value;
    if constexpr (sizeof(Int) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(Int) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(Int) == 8) value = __builtin_bswap64(value);
    return static_cast<Int>(value);
  }
  char TakeChar() { return p_ == end_ ? Overrun<char>() : *p_++; }
  std::string_view TakeString() {  // up to a zero byte, which is skipped
    const void* zero = p_ == end_ ? nullptr : std::memchr(p_, 0, static_cast<size_t>(end_ - p_));
    if (zero == nullptr) return Overrun<std::string_view>();
    const std::string_view text(p_, static_cast<size_t>(static_cast<const char*>(zero) - p_));
    p_ += text.size() + 1;
    return text;
  }
  std::string_view TakeBytes(size_t n) {
    if (static_cast<size_t>(end_ - p_) < n) return Overrun<std::string_view>();
    const std::string_view bytes(p_, n);
    p_ += n;
    return bytes;
  }
  std::string_view rest() const { return {p_, static_cast<size_t>(end_ - p_)}; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }
  bool ok() const { return ok_; }

 private:
  template <typename T>
  T Overrun() {
    ok_ = false;
    p_ = end_;
    return T{};
  }
  const char* p_;
  const char* end_;
  bool ok_ = true;
};

// Microseconds since 2000 on the wire. A damaged message may hold any value: it wraps.
Micros TakeTime(Cursor& in) {
  return static_cast<Micros>(in.Take<uint64_t>() + static_cast<uint64_t>(kPostgresEpoch));
}

Error Damaged(std::string_view what) {
  return Fail(
      ErrorKind::kCorrupt,
      "pgoutput: a {} message is cut short or of a form that protocol version 2 does not have",
      what);
}

bool ReadTuple(Cursor& in, Tuple& row) {
  if (in.Take<int16_t>() != static_cast<int16_t>(row.size())) return false;
  for (TupleValue& value : row) {
    switch (in.TakeChar()) {
      case 'n':
        value = {TupleValue::Kind::kNull, {}};
        break;
      case 'u':
        value = {TupleValue::Kind::kUnchangedToast, {}};
        break;
      case 't': {
        const int32_t size = in.Take<int32_t>();
        if (size < 0) return false;
        value = {TupleValue::Kind::kText, in.TakeBytes(static_cast<size_t>(size))};
        break;
      }
      default:
        return false;
    }
  }
  return in.ok();
}

}  // namespace

Result<BeginMessage> ParseBegin(std::string_view message) {
  Cursor in(message);
  BeginMessage begin;
  const char type = in.TakeChar();
  begin.final_lsn = in.Take<uint64_t>();
  begin.commit_time = TakeTime(in);
  begin.xid = in.Take<uint32_t>();
  if (!in.ok() || type != 'B') return Damaged("BEGIN");
  return begin;
}

Result<CommitMessage> ParseCommit(std::string_view message) {
  Cursor in(message);
  CommitMessage commit;
  const char type = in.TakeChar();
  in.TakeChar();  // flags, unused
  commit.commit_lsn = in.Take<uint64_t>();
  commit.end_lsn = in.Take<uint64_t>();
  commit.commit_time = TakeTime(in);
  if (!in.ok() || type != 'C') return Damaged("COMMIT");
  return commit;
}

Result<OriginMessage> ParseOrigin(std::string_view message) {
  Cursor in(message);
  OriginMessage origin;
  const char type = in.TakeChar();
  origin.lsn = in.Take<uint64_t>();
  origin.name = in.TakeString();
  if (!in.ok() || type != 'O') return Damaged("ORIGIN");
  return origin;
}

Result<RelationMessage> ParseRelation(std::string_view message) {
  Cursor in(message);
  RelationMessage relation;
  const char type = in.TakeChar();
  relation.oid = in.Take<uint32_t>();
  relation.schema = in.TakeString();
  relation.table = in.TakeString();
  relation.replica_identity = in.TakeChar();
  const auto count = in.Take<int16_t>();
  if (!in.ok() || type != 'R' || count < 0) return Damaged("RELATION");
  for (int16_t i = 0; i < count; ++i) {
    RelationColumn column;
    column.identity = (in.TakeChar() & 1) != 0;
    column.name = in.TakeString();
    column.type_oid = in.Take<uint32_t>();
    column.typmod = in.Take<int32_t>();
    if (!in.ok()) return Damaged("RELATION");
    relation.columns.push_back(std::move(column));
  }
  return relation;
}

Result<TruncateMessage> ParseTruncate(std::string_view message) {
  Cursor in(message);
  TruncateMessage truncate;
  const char type = in.TakeChar();
  const auto count = in.Take<uint32_t>();
  in.TakeChar();  // options: CASCADE, RESTART IDENTITY; the relations are all listed anyway
  if (!in.ok() || type != 'T' || in.left() / 4 < count) return Damaged("TRUNCATE");
  for (uint32_t i = 0; i < count; ++i) truncate.relations.push_back(in.Take<uint32_t>());
  return truncate;
}

Result<StreamStartMessage> ParseStreamStart(std::string_view message) {
  Cursor in(message);
  StreamStartMessage start;
  const char type = in.TakeChar();
  start.xid = in.Take<uint32_t>();
  start.first = in.TakeChar() != 0;
  if (!in.ok() || type != 'S') return Damaged("STREAM START");
  return start;
}

Result<StreamAbortMessage> ParseStreamAbort(std::string_view message) {
  Cursor in(message);
  StreamAbortMessage abort;
  const char type = in.TakeChar();
  abort.xid = in.Take<uint32_t>();
  abort.subxid = in.Take<uint32_t>();
  if (!in.ok() || type != 'A') return Damaged("STREAM ABORT");
  return abort;
}

Result<StreamCommitMessage> ParseStreamCommit(std::string_view message) {
  Cursor in(message);
  StreamCommitMessage commit;
  const char type = in.TakeChar();
  const std::string_view xid = message.substr(std::min<size_t>(1, message.size()), 4);
  commit.xid = in.Take<uint32_t>();
  in.TakeChar();  // flags, unused
  const std::string_view commit_lsn = in.TakeBytes(8);
  in.TakeBytes(8);  // end LSN
  const std::string_view time = in.TakeBytes(8);
  if (!in.ok() || type != 'c') return Damaged("STREAM COMMIT");
  commit.begin.append("B").append(commit_lsn).append(time).append(xid);
  commit.commit.append("C").append(message.substr(1 + xid.size()));
  return commit;
}

Result<StreamedMessage> ParseStreamed(std::string_view message) {
  Cursor in(message);
  StreamedMessage streamed;
  in.TakeChar();
  streamed.xid = in.Take<uint32_t>();
  streamed.rest = in.rest();
  if (!in.ok()) return Damaged("streamed");
  return streamed;
}

Result<RowMessage> ParseRow(std::string_view message) {
  Cursor in(message);
  RowMessage row;
  row.type = in.TakeChar();
  row.relation = in.Take<uint32_t>();
  row.rest = in.rest();
  if (!in.ok() || (row.type != 'I' && row.type != 'U' && row.type != 'D')) return Damaged("row");
  return row;
}

Result<OldTuple> ParseTuples(const RowMessage& row, Tuple& old_row, Tuple& new_row) {
  Cursor in(row.rest);
  OldTuple old = OldTuple::kNone;
  char tag = in.TakeChar();
  if (row.type != 'I' && (tag == 'K' || tag == 'O')) {
    old = tag == 'K' ? OldTuple::kKey : OldTuple::kFull;
    if (!ReadTuple(in, old_row)) return Damaged("row");
    if (row.type == 'U') tag = in.TakeChar();
  }
  if (row.type == 'D') {
    if (old == OldTuple::kNone) return Damaged("DELETE");
  } else if (tag != 'N' || !ReadTuple(in, new_row)) {
    return Damaged("row");
  }
  if (in.left() != 0) return Damaged("row");
  return old;
}

}  // namespace millrace::postgres
