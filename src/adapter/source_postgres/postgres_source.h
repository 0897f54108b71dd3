#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapter/source_postgres/server/connection.h"
#include "adapter/source_postgres/server/options.h"
#include "adapter/source_postgres/server/slot.h"
#include "adapter/source_postgres/snapshot/snapshot_rest.h"
#include "adapter/source_postgres/stream/change_decoder.h"
#include "adapter/source_postgres/stream/replication_stream.h"
#include "adapter/source_postgres/tables/catalog.h"
#include "adapter/source_postgres/tables/table_watcher.h"
#include "port/source.h"

namespace millrace::postgres {

// PostgreSQL (14 and later) by logical replication with pgoutput: port/source.h. One slot, up to
// two publications, events of the `exact` profile. Prepare, Snapshot and Stream are called from one
// thread; Confirm and CurrentLsn from any.
class PostgresSource final : public Source {
 public:
  // Connects and checks what has to hold for any run: wal_level, encoding, version. Changes nothing
  // on the server.
  static Result<std::unique_ptr<PostgresSource>> Open(PostgresSourceOptions options);

  ~PostgresSource() override;

  Status Prepare(const ResumePoint& resume, const std::function<Status()>& before_create) override;
  bool needs_snapshot() const override { return created_slot_ || rest_; }
  Status Snapshot(RecordSink& sink, const std::function<void(const SnapshotProgress&)>& progress,
                  std::stop_token stop) override;
  Status Stream(RecordSink& sink, std::optional<Lsn> until_lsn, std::stop_token stop) override;
  void Confirm(const SourcePosition& position) override;
  Result<Lsn> CurrentLsn() override;

 private:
  explicit PostgresSource(PostgresSourceOptions options) : options_(std::move(options)) {}

  void CloseStream();
  // The version of a table from here on.
  void Remember(const TableSchema& schema);
  Status CheckKeys();
  Status CreatePublications();
  Status KeepPublications();
  Status CreateOwnSlot(const std::function<Status()>& before_create);
  Status Resume(const SourcePosition& position, const std::optional<SlotState>& slot);
  Status AdoptSlot(const SlotState& slot);
  // Of a snapshot that was broken off.
  Status OpenRest(const std::vector<SnapshotRange>& read);
  Status StreamToRest(RecordSink& sink, std::stop_token stop);
  Result<SourcePosition> ReadRest(RecordSink& sink,
                                  const std::function<void(const SnapshotProgress&)>& progress,
                                  std::stop_token stop);
  Result<SourcePosition> ReadWhole(RecordSink& sink,
                                   const std::function<void(const SnapshotProgress&)>& progress,
                                   std::stop_token stop);
  // Reads a large backlog, up to `until` or until little is left, through the SQL interface.
  // `take_arrival`: after each message.
  Status ReadBacklog(const std::string& publication_names,
                     const std::function<Status()>& take_arrival, ChangeDecoder& decoder,
                     BatchWriter& writer, std::optional<Lsn> until, std::stop_token stop);
  // The slot to what was confirmed while no stream told it.
  void AdvanceSlot();
  Status ReadArrival(TableWatcher& watcher, ChangeDecoder& decoder, BatchWriter& writer,
                     std::stop_token stop);
  // What the stream's rows of a relation are from here on: relation_versions.cc.
  Result<std::unique_ptr<CapturedTable>> Resolve(const RelationMessage& relation, Lsn commit_lsn);
  Result<std::unique_ptr<CapturedTable>> ResolveOnce(const RelationMessage& relation,
                                                     Lsn commit_lsn);
  Result<std::unique_ptr<CapturedTable>> TakeForNew(const RelationMessage& relation,
                                                    Lsn commit_lsn);
  bool Captures(const std::string& qualified_name) const;

  const PostgresSourceOptions options_;
  std::unique_ptr<Connection> catalog_;      // an ordinary connection; re-opened when it broke
  std::unique_ptr<Connection> replication_;  // holds the exported snapshot until it streams
  SystemIdentity system_;
  std::vector<TableEntry> tables_;
  std::optional<CreatedSlot> created_slot_;
  std::unique_ptr<SnapshotRest> rest_;   // of a snapshot that was broken off
  PendingRows* pending_rows_ = nullptr;  // of what is being streamed
  std::optional<SourcePosition> start_;  // where streaming begins
  bool managed_ = false;                 // the publication is ours to change
  TypeCatalog types_;
  std::map<uint32_t, TableSchema> known_;   // by relation oid: the version before
  std::map<uint32_t, int16_t> high_water_;  // by relation oid: the highest attnum of any version
  // By relation oid: LiveTable::storage under that version.
  std::map<uint32_t, std::string> storage_;
  std::set<uint32_t> reread_;  // pending tables whose events go on: CapturedTable::goes_on

  // Stays open after Stream returned, so that what is confirmed then still reaches the slot; until
  // Prepare or the end of this object.
  std::unique_ptr<ReplicationStream> stream_;
  Lsn confirmed_ = 0;
  // What was confirmed while no stream was open has not reached the slot.
  bool slot_behind_ = false;
  std::unique_ptr<TableWatcher> watcher_;
  std::mutex stream_mutex_;  // guards stream_, confirmed_, slot_behind_ and watcher_
};

}  // namespace millrace::postgres
