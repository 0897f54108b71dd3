#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "adapter/source_postgres/events/batch_writer.h"
#include "adapter/source_postgres/events/event_encoder.h"
#include "adapter/source_postgres/protocol/pgoutput.h"
#include "model/position.h"

namespace millrace::postgres {

// pgoutput messages in, batches of events out. Knows transactions, ordinals and key changes; knows
// no connection.
class ChangeDecoder {
 public:
  // Makes the captured version of a relation that the stream just described; nullptr when the table
  // is not ours to capture.
  // In the transaction that commits at `commit_lsn`.
  using Resolver =
      std::function<Result<std::unique_ptr<CapturedTable>>(const RelationMessage&, Lsn commit_lsn)>;

  // Asked before each row of a table that is pending. May put the snapshot that it waits for here
  // first, and takes the table's mark away when it did.
  enum class Gate {
    kLeaveOut,  // the row is covered by a snapshot that comes later in the stream
    kGoOn,      // that snapshot is still to come, and the row stays: CapturedTable::goes_on
    kOver,      // the snapshot was put: the table is pending no more
  };
  using PendingGate = std::function<Result<Gate>(CapturedTable&)>;
  void set_pending_gate(PendingGate gate) { pending_gate_ = std::move(gate); }

  // Asked when an update leaves out values of a row that are not in the old one either: true when
  // the row will be read, at a later place in the stream, and what came of it is to be left out.
  using LaterGate = std::function<bool(const CapturedTable&, const Tuple& row, const Tuple* toast)>;
  void set_later_gate(LaterGate gate) { later_gate_ = std::move(gate); }

  // `start`: what is covered already; transactions up to start.last.commit_lsn are skipped.
  ChangeDecoder(EventEncoder encoder, Resolver resolver, BatchWriter& writer,
                const SourcePosition& start)
      : encoder_(std::move(encoder)),
        resolver_(std::move(resolver)),
        writer_(&writer),
        position_(start) {}

  // One message that lay at `lsn` in the WAL. Full batches are handed over from here. kCorrupt: not
  // pgoutput, or out of order.
  Status Handle(Lsn lsn, std::string_view message);

  bool in_transaction() const { return in_transaction_; }
  // Whether events of the open transaction were made already.
  bool mid_transaction() const { return in_transaction_ && ordinal_ > 0; }
  // Whether everything before `point`, and nothing from it on, has been seen.
  bool StandsAt(Lsn point) const {
    return in_transaction_ ? !mid_transaction() && commit_lsn_ >= point
                           : position_.resume_lsn >= point;
  }
  // REQUIRES: in_transaction().
  Lsn transaction_lsn() const { return commit_lsn_; }
  // The end of the last transaction seen.
  const SourcePosition& position() const { return position_; }
  // A keepalive said that all before `lsn` was sent. REQUIRES: !in_transaction().
  void Advance(Lsn lsn) { position_.resume_lsn = std::max(position_.resume_lsn, lsn); }
  // The commit_lsn under which the rows of a snapshot as of `point` go here: above the transactions
  // before, below all that come.
  Lsn SnapshotLsn(Lsn point) const { return std::max(point, position_.resume_lsn) - 1; }
  // A snapshot was put here; `last` is its last event. In the middle of a transaction the position
  // stays that of the one before.
  void SnapshotPut(const EventPosition& last);

 private:
  struct Entry {
    std::unique_ptr<CapturedTable> table;  // nullptr: not captured
    RelationMessage relation;
    Tuple old_row, new_row;  // scratch, as wide as the relation
  };

  Status HandleBegin(std::string_view message);
  Status HandleCommit(std::string_view message);
  Status HandleRelation(std::string_view message);
  Status HandleRow(Lsn lsn, std::string_view message);
  Status HandleTruncate(Lsn lsn, std::string_view message);
  Status Update(Entry& entry, OldTuple old, Lsn lsn);
  Status Put(CapturedTable& table, Event event);
  Result<bool> LeftOut(Entry& entry);
  bool ReadLater(const CapturedTable& table, const Tuple& row, const Tuple* toast) const;

  EventEncoder encoder_;
  Resolver resolver_;
  PendingGate pending_gate_;
  LaterGate later_gate_;
  BatchWriter* writer_;
  SourcePosition position_;
  std::unordered_map<uint32_t, Entry> relations_;
  // The relation of the row before: most rows follow one of their own table.
  uint32_t last_oid_ = 0;
  Entry* last_entry_ = nullptr;

  bool in_transaction_ = false;
  bool skipping_ = false;  // this transaction is covered already
  bool encoder_ready_ = false;
  Lsn commit_lsn_ = 0;
  Lsn last_end_ = 0;  // of the transaction before, when we saw it
  int64_t ordinal_ = 0;
  EventContext context_;
};

}  // namespace millrace::postgres
