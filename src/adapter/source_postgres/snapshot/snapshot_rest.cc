#include "adapter/source_postgres/snapshot/snapshot_rest.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"

namespace millrace::postgres {
namespace {

// Keys that wait for the point; beyond that the table with the most is read from its start.
constexpr size_t kKeyMemory = 64 << 20;
constexpr size_t kKeyOverhead = 128;  // of a key in the set, about

std::vector<int16_t> KeyAttnums(const TableSchema& schema) {
  std::vector<int16_t> attnums;
  for (const SourceColumn* column : schema.KeyColumns()) attnums.push_back(column->attnum);
  return attnums;
}

}  // namespace

Result<std::unique_ptr<SnapshotRest>> SnapshotRest::Open(const PostgresSourceOptions& options,
                                                         const std::vector<Table>& tables,
                                                         const std::vector<SnapshotRange>& read) {
  std::unique_ptr<SnapshotRest> rest(new SnapshotRest(options));
  for (const Table& table : tables) rest->entries_.push_back(table.entry);
  MR_ASSIGN(rest->holder_, Connection::Open(options, Connection::Mode::kReplication));
  MR_ASSIGN(rest->slot_, CreateTemporarySlot(*rest->holder_, options.slot));
  MR_ASSIGN(rest->session_, OpenSnapshotSession(options, rest->entries_, rest->slot_.snapshot));
  int64_t left = 0;
  for (size_t i = 0; i < tables.size(); ++i) {
    const std::vector<int16_t> key = KeyAttnums(rest->session_.tables[i].stream->schema);
    const bool followed =
        tables[i].followed && !key.empty() && (tables[i].key.empty() || tables[i].key == key);
    rest->places_[tables[i].entry.oid] = i;
    rest->remainders_.push_back(LeaveOutRead(read, i, followed, rest->session_.relations));
    left += rest->remainders_.back() != Remainder::kNothing;
  }
  log::Info("capture", "the initial snapshot goes on at {}: {} of {} tables are not read whole",
            FormatLsn(rest->point()), left, tables.size());
  return rest;
}

std::optional<size_t> SnapshotRest::Find(uint32_t relation_oid) const {
  const auto found = places_.find(relation_oid);
  return found == places_.end() ? std::nullopt : std::optional<size_t>(found->second);
}

bool SnapshotRest::IsPending(uint32_t relation_oid) const {
  const auto table = Find(relation_oid);
  return table && remainders_[*table] == Remainder::kAll;
}

void SnapshotRest::ReadAll(size_t table) {
  keys_.erase(table);
  for (SnapshotRelation& relation : session_.relations) {
    if (relation.table == table) relation.unread = {{}};
  }
}

void SnapshotRest::Renew(uint32_t relation_oid, Lsn) {
  const auto table = Find(relation_oid);
  if (!table) return;
  remainders_[*table] = Remainder::kAll;
  ReadAll(*table);
}

bool SnapshotRest::TakesOver(const CapturedTable& table, const Tuple& row, const Tuple* toast) {
  const auto place = Find(table.stream->schema.relation_oid);
  if (!place || remainders_[*place] != Remainder::kRows) return false;
  if (crowded_.contains(*place)) return true;
  RowKey key = KeyOfRow(table, row, toast);
  size_t bytes = kKeyOverhead;
  for (const std::string& value : key) bytes += sizeof(std::string) + value.size();
  if (keys_[*place].insert(std::move(key)).second) key_bytes_ += bytes;
  if (key_bytes_ <= kKeyMemory) return true;
  const size_t most =
      std::max_element(keys_.begin(), keys_.end(), [](const auto& a, const auto& b) {
        return a.second.size() < b.second.size();
      })->first;
  log::Warn("capture", "table {}: too much has changed since its snapshot began, it is read again",
            entries_[most].QualifiedName());
  crowded_.insert(most);
  ReadAll(most);
  key_bytes_ = 0;
  for (const auto& [other, keys] : keys_) key_bytes_ += keys.size() * bytes;
  return true;
}

Status SnapshotRest::PutKeys(EventEncoder& encoder, BatchWriter& writer, int64_t& ordinal) {
  for (const auto& [place, keys] : keys_) {
    CapturedTable& table = session_.tables[place];
    MR_TRY(ReadKeys(*session_.connection, table, entries_[place].partitioned, keys,
                    [&](const Tuple& row) -> Status {
                      Event event{.op = 'r', .key = &row, .after = &row};
                      event.lsn = point();
                      event.ordinal = ordinal++;
                      const uint32_t stream = writer.StreamIndex(table);
                      encoder.Append(table, stream, event, writer.batch());
                      return writer.full() ? writer.Flush() : Status();
                    }));
  }
  return {};
}

void SnapshotRest::PutTruncates(const SnapshotPlace& place, EventEncoder& encoder,
                                BatchWriter& writer, int64_t& ordinal) {
  for (size_t i = 0; i < remainders_.size(); ++i) {
    if (remainders_[i] != Remainder::kAll) continue;
    CapturedTable& table = session_.tables[i];
    Event event{.op = 't'};
    event.lsn = point();
    event.ordinal = ordinal++;
    const uint32_t stream = writer.StreamIndex(table);
    encoder.Append(table, stream, event, writer.batch());
    writer.BeginsAnew();
  }
  for (const SnapshotRelation& relation : session_.relations) {
    if (remainders_[relation.table] != Remainder::kAll) continue;
    writer.Completes({.relation_oid = relation.oid,
                      .file_node = relation.file_node,
                      .point = point(),
                      .first_block = 0,
                      .end_block = 0},
                     place.position);
  }
}

Result<SourcePosition> SnapshotRest::Read(
    const SourcePosition& position, RecordSink& sink,
    const std::function<void(const SnapshotProgress&)>& progress, std::stop_token stop) {
  SnapshotPlace place{.slot = slot_, .commit_lsn = 0, .position = position};
  place.position.resume_lsn = std::max(position.resume_lsn, point());
  place.commit_lsn = place.position.resume_lsn - 1;
  place.position.last = {place.commit_lsn, 0};
  place.position.commit_time = session_.time;

  EventEncoder encoder = SnapshotEncoder(options_, session_, place);
  BatchWriter writer(sink, options_.batch_bytes);
  int64_t ordinal = 0;
  // Before anything that may be committed: the position says that all up to the point is in.
  MR_TRY(PutKeys(encoder, writer, ordinal));
  PutTruncates(place, encoder, writer, ordinal);
  MR_TRY(writer.Flush());
  MR_FAILPOINT("capture.snapshot_keys_read");
  MR_ASSIGN(ordinal, ReadChunks(options_, session_, entries_,
                                PlanChunks(session_.relations, options_.snapshot_chunk_bytes,
                                           session_.block_size),
                                place, ordinal, sink, progress, stop));
  place.position.last.ordinal = ordinal;
  return place.position;
}

}  // namespace millrace::postgres
