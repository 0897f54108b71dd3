#include "testing/fake_source.h"

#include <condition_variable>

#include "base/format.h"

namespace millrace::testing {
namespace {

constexpr Lsn kStep = 100;

StreamPtr MakeStream(const std::string& topic) {
  Stream stream;
  stream.topic = topic;
  stream.schema.schema = "public";
  stream.schema.table = topic.substr(topic.rfind('.') + 1);
  SourceColumn column;
  column.attnum = 1;
  column.name = "id";
  column.type_name = "bigint";
  column.type.kind = LogicalKind::kInt64;
  column.key_position = 1;
  stream.schema.columns = {column};
  stream.fingerprint = Fingerprint(stream.schema);
  return std::make_shared<const Stream>(std::move(stream));
}

}  // namespace

RecordBatch MakeBatch(const std::vector<FakeDatabase::Change>& changes, int64_t timestamp_ms) {
  RecordBatch batch;
  std::map<std::string, uint32_t> streams;
  for (const FakeDatabase::Change& change : changes) {
    const auto [known, added] =
        streams.emplace(change.topic, static_cast<uint32_t>(streams.size()));
    if (added) batch.streams.push_back(MakeStream(change.topic));
    Record record{};
    record.stream = known->second;
    record.offset = batch.bytes.size();
    batch.bytes.Append(R"({"id":1})");
    record.key_size = 8;
    record.value_size = static_cast<uint32_t>(change.value.size());
    batch.bytes.Append(change.value);
    record.timestamp_ms = timestamp_ms;
    batch.records.push_back(record);
  }
  return batch;
}

SourcePosition FakeDatabase::After(size_t transactions) {
  SourcePosition position{77, 1, {0, 0}, kSlotLsn + kStep * transactions, 0};
  position.last = {position.resume_lsn - (transactions == 0 ? 0 : 10), 0};
  return position;
}

std::map<std::string, std::vector<std::string>> FakeDatabase::Expected() const {
  std::map<std::string, std::vector<std::string>> expected;
  for (const Change& row : rows) expected[row.topic].push_back(row.value);
  for (const Transaction& transaction : transactions) {
    for (const Change& change : transaction) expected[change.topic].push_back(change.value);
  }
  return expected;
}

Status FakeSource::Prepare(const ResumePoint& resume,
                           const std::function<Status()>& before_create) {
  if (resume.position) {
    std::lock_guard lock(database_->mutex);
    if (!database_->slot || database_->confirmed > resume.position->resume_lsn) {
      return Fail(ErrorKind::kFenced, "the slot is gone or ahead at {}",
                  FormatLsn(database_->confirmed));
    }
    next_ = (resume.position->resume_lsn - FakeDatabase::kSlotLsn) / kStep;
    return {};
  }
  MR_TRY(before_create());
  std::lock_guard lock(database_->mutex);
  database_->slot = true;
  needs_snapshot_ = true;
  return {};
}

Status FakeSource::Snapshot(RecordSink& sink,
                            const std::function<void(const SnapshotProgress&)>& progress,
                            std::stop_token stop) {
  SnapshotProgress now;
  for (const FakeDatabase::Change& row : database_->rows) {
    if (stop.stop_requested()) return Error(ErrorKind::kCancelled, "stopped");
    MR_TRY(sink.Write(MakeBatch({row}, database_->now_ms)));
    ++now.rows;
    progress(now);
  }
  RecordBatch end;
  end.ends_at = FakeDatabase::After(0);
  end.ends_snapshot = true;
  return sink.Write(std::move(end));
}

Status FakeSource::Stream(RecordSink& sink, std::optional<Lsn> until_lsn, std::stop_token stop) {
  for (; next_ < database_->transactions.size(); ++next_) {
    const FakeDatabase::Transaction& transaction = database_->transactions[next_];
    for (size_t begin = 0; begin == 0 || begin < transaction.size();
         begin += database_->batch_records) {
      if (stop.stop_requested()) return {};
      const size_t end = std::min(transaction.size(), begin + database_->batch_records);
      RecordBatch batch = MakeBatch({transaction.begin() + static_cast<ptrdiff_t>(begin),
                                     transaction.begin() + static_cast<ptrdiff_t>(end)},
                                    database_->now_ms);
      if (end == transaction.size()) batch.ends_at = FakeDatabase::After(next_ + 1);
      MR_TRY(sink.Write(std::move(batch)));
    }
  }
  RecordBatch keepalive;
  keepalive.ends_at = FakeDatabase::After(next_);
  MR_TRY(sink.Write(std::move(keepalive)));
  if (until_lsn) return {};
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, stop, [] { return false; });
  return {};
}

void FakeSource::Confirm(const SourcePosition& position) {
  std::lock_guard lock(database_->mutex);
  if (database_->on_confirm) database_->on_confirm(position);
  database_->confirmed = std::max(database_->confirmed, position.resume_lsn);
}

Result<Lsn> FakeSource::CurrentLsn() {
  return FakeDatabase::After(database_->transactions.size()).resume_lsn;
}

}  // namespace millrace::testing
