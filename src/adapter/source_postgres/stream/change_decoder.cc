#include "adapter/source_postgres/stream/change_decoder.h"

#include "base/format.h"

namespace millrace::postgres {
namespace {

Error OutOfOrder(std::string_view what) { return Fail(ErrorKind::kCorrupt, "pgoutput: {}", what); }

// A key column's value in the new row: what was sent, or the old one when PostgreSQL left an
// unchanged TOAST value out.
const TupleValue* NewKeyValue(const Tuple& new_row, const Tuple* old_row, uint16_t i) {
  if (new_row[i].kind != TupleValue::Kind::kUnchangedToast) return &new_row[i];
  if (old_row == nullptr || (*old_row)[i].kind != TupleValue::Kind::kText) return nullptr;
  return &(*old_row)[i];
}

}  // namespace

Status ChangeDecoder::Handle(Lsn lsn, std::string_view message) {
  if (message.empty()) return OutOfOrder("an empty message");
  switch (message[0]) {
    case 'I':
    case 'U':
    case 'D':
      return HandleRow(lsn, message);
    case 'B':
      return HandleBegin(message);
    case 'C':
      return HandleCommit(message);
    case 'R':
      return HandleRelation(message);
    case 'T':
      return HandleTruncate(lsn, message);
    case 'O': {
      MR_ASSIGN(const OriginMessage origin, ParseOrigin(message));
      context_.origin = std::string(origin.name);
      context_.origin_lsn = origin.lsn;
      encoder_ready_ = false;
      return {};
    }
    case 'Y':  // TYPE: we ask the catalog
    case 'M':
      return {};
    default:
      return OutOfOrder(
          Format("a message of unknown type {:#04x}", static_cast<unsigned char>(message[0])));
  }
}

Status ChangeDecoder::HandleBegin(std::string_view message) {
  if (in_transaction_) return OutOfOrder("BEGIN within a transaction");
  MR_ASSIGN(const BeginMessage begin, ParseBegin(message));
  in_transaction_ = true;
  skipping_ = begin.final_lsn <= position_.last.commit_lsn;
  encoder_ready_ = false;
  commit_lsn_ = begin.final_lsn;
  ordinal_ = 0;
  context_ = {.commit_lsn = begin.final_lsn,
              .commit_time = begin.commit_time,
              .xid = begin.xid,
              .snapshot = false,
              .previous_end = last_end_,
              .origin = std::nullopt,
              .origin_lsn = 0,
              .read_time = WallClockNow()};
  return {};
}

Status ChangeDecoder::HandleCommit(std::string_view message) {
  if (!in_transaction_) return OutOfOrder("COMMIT without BEGIN");
  MR_ASSIGN(const CommitMessage commit, ParseCommit(message));
  if (commit.commit_lsn != commit_lsn_)
    return OutOfOrder("COMMIT of another transaction than BEGIN's");
  in_transaction_ = false;
  // Whether an empty transaction is sent at all depends on the server's version and on whether it
  // was streamed: events must not.
  if (skipping_ || ordinal_ > 0) last_end_ = commit.end_lsn;
  position_.resume_lsn = std::max(position_.resume_lsn, commit.end_lsn);
  if (skipping_) return {};
  position_.last = {commit_lsn_, ordinal_ > 0 ? ordinal_ - 1 : 0};
  position_.commit_time = commit.commit_time;
  // A transaction without events of ours (servers before 15 send those) only moves the position of
  // what is waiting anyway.
  if (ordinal_ > 0 || !writer_->empty()) writer_->EndsAt(position_);
  if (writer_->full()) MR_TRY(writer_->Flush());
  return {};
}

Status ChangeDecoder::HandleRelation(std::string_view message) {
  MR_ASSIGN(RelationMessage relation, ParseRelation(message));
  last_entry_ = nullptr;
  last_oid_ = 0;
  MR_ASSIGN(std::unique_ptr<CapturedTable> table, resolver_(relation, commit_lsn_));
  Entry& entry = relations_[relation.oid];
  entry.table = std::move(table);
  entry.old_row.resize(relation.columns.size());
  entry.new_row.resize(relation.columns.size());
  entry.relation = std::move(relation);
  return {};
}

Status ChangeDecoder::HandleRow(Lsn lsn, std::string_view message) {
  if (!in_transaction_) return OutOfOrder("a row outside of a transaction");
  MR_ASSIGN(const RowMessage row, ParseRow(message));
  if (row.relation != last_oid_ || last_entry_ == nullptr) {
    const auto found = relations_.find(row.relation);
    if (found == relations_.end())
      return OutOfOrder(Format("a row of relation {} before its RELATION", row.relation));
    last_oid_ = row.relation;
    last_entry_ = &found->second;
  }
  Entry& entry = *last_entry_;
  if (skipping_ || entry.table == nullptr) return {};
  if (entry.table->pending) {
    MR_ASSIGN(const bool left_out, LeftOut(entry));
    if (left_out) return {};
  }
  MR_ASSIGN(const OldTuple old, ParseTuples(row, entry.old_row, entry.new_row));
  switch (row.type) {
    case 'I':
      return Put(*entry.table,
                 {.op = 'c', .key = &entry.new_row, .after = &entry.new_row, .lsn = lsn});
    case 'D':
      return Put(*entry.table, {.op = 'd',
                                .key = &entry.old_row,
                                .before = &entry.old_row,
                                .before_identity_only = old == OldTuple::kKey,
                                .lsn = lsn});
    default:
      return Update(entry, old, lsn);
  }
}

Status ChangeDecoder::Update(Entry& entry, OldTuple old, Lsn lsn) {
  CapturedTable& table = *entry.table;
  const Tuple* old_row = old == OldTuple::kNone ? nullptr : &entry.old_row;
  bool key_changed = false;
  for (const uint16_t i : table.key) {
    const TupleValue* value = NewKeyValue(entry.new_row, old_row, i);
    if (value == nullptr) {
      return Fail(ErrorKind::kUnsupported,
                  "table {}: an update came without the value of key column '{}', which lies out "
                  "of line; set REPLICA IDENTITY FULL",
                  table.stream->schema.QualifiedName(), table.stream->schema.columns[i].name);
    }
    if (old_row == nullptr) continue;
    const TupleValue& before = (*old_row)[i];
    key_changed |= before.kind != value->kind || before.text != value->text;
  }
  // With identity FULL the old row has every value; an old key row has the key's only, and NULL
  // elsewhere means nothing there.
  const Tuple* toast = old == OldTuple::kFull ? old_row : nullptr;
  if (old == OldTuple::kKey) {
    for (const uint16_t i : table.key) {
      if (entry.new_row[i].kind == TupleValue::Kind::kUnchangedToast)
        entry.new_row[i] = entry.old_row[i];
    }
  }
  const bool identity_only = old == OldTuple::kKey;
  if (!key_changed) {
    if (ReadLater(table, entry.new_row, toast)) return {};
    return Put(table, {.op = 'u',
                       .key = &entry.new_row,
                       .before = old_row,
                       .before_identity_only = identity_only,
                       .after = &entry.new_row,
                       .toast = toast,
                       .lsn = lsn});
  }
  MR_TRY(Put(table, {.op = 'd',
                     .key = &entry.old_row,
                     .before = &entry.old_row,
                     .before_identity_only = identity_only,
                     .toast = toast,
                     .header_name = "__debezium.newkey",
                     .header_key = &entry.new_row,
                     .lsn = lsn}));
  if (ReadLater(table, entry.new_row, toast)) return {};
  return Put(table, {.op = 'c',
                     .key = &entry.new_row,
                     .after = &entry.new_row,
                     .toast = toast,
                     .header_name = "__debezium.oldkey",
                     .header_key = &entry.old_row,
                     .lsn = lsn});
}

bool ChangeDecoder::ReadLater(const CapturedTable& table, const Tuple& row,
                              const Tuple* toast) const {
  if (!later_gate_) return false;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i].kind != TupleValue::Kind::kUnchangedToast) continue;
    if (toast == nullptr || (*toast)[i].kind == TupleValue::Kind::kUnchangedToast)
      return later_gate_(table, row, toast);
  }
  return false;
}

Status ChangeDecoder::HandleTruncate(Lsn lsn, std::string_view message) {
  if (!in_transaction_) return OutOfOrder("TRUNCATE outside of a transaction");
  MR_ASSIGN(const TruncateMessage truncate, ParseTruncate(message));
  if (skipping_) return {};
  for (const uint32_t oid : truncate.relations) {
    const auto found = relations_.find(oid);
    if (found == relations_.end())
      return OutOfOrder(Format("TRUNCATE of relation {} before its RELATION", oid));
    if (found->second.table == nullptr) continue;
    if (found->second.table->pending) {
      MR_ASSIGN(const bool left_out, LeftOut(found->second));
      if (left_out) continue;
    }
    MR_TRY(Put(*found->second.table, {.op = 't', .lsn = lsn}));
  }
  return {};
}

Result<bool> ChangeDecoder::LeftOut(Entry& entry) {
  if (!pending_gate_) return false;
  MR_ASSIGN(const Gate gate, pending_gate_(*entry.table));
  if (gate != Gate::kOver) return gate == Gate::kLeaveOut;
  // The snapshot told what the table looks like.
  MR_ASSIGN(entry.table, resolver_(entry.relation, commit_lsn_));
  if (entry.table != nullptr && entry.table->pending) {
    return Fail(ErrorKind::kUnavailable, "table {}.{}: changed again while its rows were read",
                entry.relation.schema, entry.relation.table);
  }
  return entry.table == nullptr;
}

void ChangeDecoder::SnapshotPut(const EventPosition& last) {
  if (mid_transaction()) return;
  position_.last = last;
  position_.resume_lsn = std::max(position_.resume_lsn, last.commit_lsn + 1);
}

Status ChangeDecoder::Put(CapturedTable& table, Event event) {
  if (!encoder_ready_) {
    encoder_.Begin(context_);
    encoder_ready_ = true;
    writer_->Continues();
  }
  event.ordinal = ordinal_++;
  const uint32_t stream = writer_->StreamIndex(table);
  encoder_.Append(table, stream, event, writer_->batch());
  if (writer_->full()) MR_TRY(writer_->Flush());
  return {};
}

}  // namespace millrace::postgres
