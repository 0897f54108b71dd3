#include "pipeline/bronze/commit_builder.h"

#include <algorithm>

#include "base/format.h"
#include "base/uuid.h"
#include "pipeline/bronze/record_line.h"

namespace millrace::bronze {

CommitBuilder::CommitBuilder(ObjectStore& store, const Options& options, int64_t epoch,
                             const std::map<std::string, int64_t>& next_offsets, Rolled rolled)
    : store_(&store),
      options_(options),
      epoch_(epoch),
      rolled_(std::move(rolled)),
      workshop_(options.compression, options.level) {
  for (const auto& [name, next] : next_offsets) Find(name).next_offset = next;
}

CommitBuilder::Topic& CommitBuilder::Find(const std::string& name) {
  Topic& topic = topics_[name];
  if (topic.name.empty()) topic.name = name;
  return topic;
}

bool CommitBuilder::MustRoll(const OpenFile& file, const StreamPtr& stream,
                             int64_t timestamp_ms) const {
  if (file.raw_bytes() >= options_.file_bytes) return true;
  if (file.stream() != stream && file.stream()->fingerprint != stream->fingerprint) return true;
  // Commit times may run backwards a little; a file does not roll for that.
  return HourOf(timestamp_ms) > file.first_hour();
}

Status CommitBuilder::Open(Topic& topic, const StreamPtr& stream, int64_t timestamp_ms, bool anew) {
  while (workshop_.compressors_in_use() >= options_.max_streamed_files) MR_TRY(RollLargest());
  BronzeFile file;
  file.path =
      BronzeFilePath(topic.name, 0, topic.next_offset, epoch_, static_cast<uint32_t>(RandomBits()),
                     timestamp_ms * 1000, options_.compression);
  file.topic = topic.name;
  file.first_offset = topic.next_offset;
  file.schema = stream->fingerprint;
  file.compression = options_.compression;
  file.snapshot = snapshot_;
  file.anew = anew;
  topic.file = std::make_unique<OpenFile>(*store_, workshop_, std::move(file), stream);
  return {};
}

Status CommitBuilder::Roll(Topic& topic) {
  pending_ -= topic.file->pending_bytes();
  MR_ASSIGN(ClosedFile closed, topic.file->Close());
  topic.file.reset();
  return rolled_(std::move(closed));
}

Status CommitBuilder::RollLargest() {
  Topic* largest = nullptr;
  for (auto& [name, topic] : topics_) {
    if (topic.file && (largest == nullptr || topic.file->raw_bytes() > largest->file->raw_bytes()))
      largest = &topic;
  }
  return Roll(*largest);
}

Status CommitBuilder::Add(const RecordBatch& batch) {
  of_stream_.clear();
  for (const StreamPtr& stream : batch.streams) of_stream_.push_back(&Find(stream->topic));
  size_t next_anew = 0;
  for (const Record& record : batch.records) {
    const bool anew =
        next_anew < batch.anew.size() && &record - batch.records.data() == batch.anew[next_anew];
    if (anew) ++next_anew;
    if (!WithinBatch(batch, record))
      return Fail(ErrorKind::kInternal, "a record does not lie within its batch");
    Topic& topic = *of_stream_[record.stream];
    const StreamPtr& stream = batch.streams[record.stream];
    if (topic.file && (anew || MustRoll(*topic.file, stream, record.timestamp_ms)))
      MR_TRY(Roll(topic));
    if (!topic.file) MR_TRY(Open(topic, stream, record.timestamp_ms, anew));
    const int64_t raw = topic.file->raw_bytes();
    const int64_t pending = topic.file->pending_bytes();
    MR_TRY(topic.file->Add(batch, record));
    ++topic.next_offset;
    ++records_;
    bytes_ += topic.file->raw_bytes() - raw;
    pending_ += topic.file->pending_bytes() - pending;
    if (pending_ > options_.pending_bytes) MR_TRY(RollLargest());
  }
  return {};
}

Result<std::vector<ClosedFile>> CommitBuilder::Close() {
  std::vector<ClosedFile> files;
  for (auto& [name, topic] : topics_) {
    if (!topic.file) continue;
    MR_ASSIGN(ClosedFile closed, topic.file->Close());
    topic.file.reset();
    files.push_back(std::move(closed));
  }
  std::sort(files.begin(), files.end(),
            [](const ClosedFile& a, const ClosedFile& b) { return a.file.topic < b.file.topic; });
  records_ = bytes_ = pending_ = 0;
  return files;
}

}  // namespace millrace::bronze
