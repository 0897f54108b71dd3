#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "adapter/source_postgres/events/batch_writer.h"
#include "adapter/source_postgres/snapshot/key_reader.h"
#include "adapter/source_postgres/snapshot/snapshot.h"
#include "adapter/source_postgres/tables/pending_rows.h"

namespace millrace::postgres {

// What is left of an initial snapshot that was broken off, as of a later point of the stream: a
// temporary slot's consistent point. docs/decisions/0012 says why the rows that come of it are
// exact. The stream is carried up to the point first, with this at its side; then the rest is read.
// Not thread-safe.
class SnapshotRest final : public PendingRows {
 public:
  struct Table {
    TableEntry entry;
    bool followed = false;          // its updates and deletes are published
    std::vector<int16_t> key = {};  // attnums that rows so far were known by; empty: not known
  };
  // `read`: what Bronze has. Errors as of CreateTemporarySlot and OpenSnapshotSession.
  static Result<std::unique_ptr<SnapshotRest>> Open(const PostgresSourceOptions& options,
                                                    const std::vector<Table>& tables,
                                                    const std::vector<SnapshotRange>& read);

  Lsn point() const { return slot_.consistent_point; }

  // While the stream is carried up to the point.
  bool IsPending(uint32_t relation_oid) const override;
  void Renew(uint32_t relation_oid, Lsn commit_lsn) override;
  // ChangeDecoder::LaterGate.
  bool TakesOver(const CapturedTable& table, const Tuple& row, const Tuple* toast);

  // Reads the rest into the stream, which stands at `position`; gives the position that it ends at.
  Result<SourcePosition> Read(const SourcePosition& position, RecordSink& sink,
                              const std::function<void(const SnapshotProgress&)>& progress,
                              std::stop_token stop);

  const SnapshotSession& session() const { return session_; }

 private:
  explicit SnapshotRest(const PostgresSourceOptions& options) : options_(options) {}
  // The place of a table in the session; nullopt: not ours.
  std::optional<size_t> Find(uint32_t relation_oid) const;
  void ReadAll(size_t table);
  Status PutKeys(EventEncoder& encoder, BatchWriter& writer, int64_t& ordinal);
  // A `t` for each table that begins anew, and that its ranges so far are void.
  void PutTruncates(const SnapshotPlace& place, EventEncoder& encoder, BatchWriter& writer,
                    int64_t& ordinal);

  const PostgresSourceOptions& options_;
  std::unique_ptr<Connection> holder_;  // keeps slot and snapshot alive
  CreatedSlot slot_;
  SnapshotSession session_;
  std::vector<TableEntry> entries_;
  std::vector<Remainder> remainders_;        // per table
  std::map<uint32_t, size_t> places_;        // by oid
  std::map<size_t, std::set<RowKey>> keys_;  // rows to be read, by table
  std::set<size_t> crowded_;                 // too many of them: all rows are read
  size_t key_bytes_ = 0;
};

}  // namespace millrace::postgres
