#include "model/bronze_commit.h"

#include <array>

#include "base/format.h"

namespace millrace {
namespace {

constexpr std::array<std::pair<SnapshotState, std::string_view>, 3> kStates = {{
    {SnapshotState::kNone, "none"},
    {SnapshotState::kRunning, "running"},
    {SnapshotState::kDone, "done"},
}};

json::Value FileToJson(const BronzeFile& file) {
  json::Value v;
  v.Set("path", file.path);
  v.Set("topic", file.topic);
  v.Set("partition", static_cast<int64_t>(file.partition));
  v.Set("first_offset", file.first_offset);
  v.Set("last_offset", file.last_offset);
  v.Set("records", file.records);
  v.Set("bytes", file.bytes);
  v.Set("sha256", file.sha256);
  v.Set("schema", file.schema);
  v.Set("compression", CompressionName(file.compression));
  v.Set("min_timestamp_ms", file.min_timestamp_ms);
  v.Set("max_timestamp_ms", file.max_timestamp_ms);
  v.Set("snapshot", file.snapshot);
  if (file.anew) v.Set("anew", true);
  return v;
}

Result<BronzeFile> FileFromJson(const json::Value& value) {
  BronzeFile file;
  MR_ASSIGN(file.path, value.String("path"));
  MR_ASSIGN(file.topic, value.String("topic"));
  MR_ASSIGN(const int64_t partition, value.Int("partition"));
  file.partition = static_cast<int32_t>(partition);
  MR_ASSIGN(file.first_offset, value.Int("first_offset"));
  MR_ASSIGN(file.last_offset, value.Int("last_offset"));
  MR_ASSIGN(file.records, value.Int("records"));
  MR_ASSIGN(file.bytes, value.Int("bytes"));
  MR_ASSIGN(file.sha256, value.String("sha256"));
  MR_ASSIGN(file.schema, value.String("schema"));
  MR_ASSIGN(const std::string compression, value.String("compression"));
  MR_ASSIGN(file.compression, ParseCompression(compression));
  MR_ASSIGN(file.min_timestamp_ms, value.Int("min_timestamp_ms"));
  MR_ASSIGN(file.max_timestamp_ms, value.Int("max_timestamp_ms"));
  MR_ASSIGN(file.snapshot, value.Bool("snapshot"));
  if (value.Find("anew") != nullptr) {
    MR_ASSIGN(file.anew, value.Bool("anew"));
  }
  return file;
}

Result<BronzeCommit> Read(const json::Value& value) {
  BronzeCommit commit;
  MR_ASSIGN(commit.number, value.Int("number"));
  MR_ASSIGN(commit.epoch, value.Int("epoch"));
  MR_ASSIGN(commit.writer, value.String("writer"));
  MR_ASSIGN(commit.created_at, value.Int("created_at"));
  MR_ASSIGN(commit.source, value.String("source"));
  MR_ASSIGN(commit.slot, value.String("slot"));
  if (const json::Value* position = value.Find("position");
      position != nullptr && !position->is_null()) {
    MR_ASSIGN(commit.position, SourcePositionFromJson(*position));
  }
  MR_ASSIGN(const std::string state, value.String("snapshot"));
  bool known = false;
  for (const auto& [candidate, name] : kStates) {
    if (name != state) continue;
    commit.snapshot = candidate;
    known = true;
  }
  if (!known) return Fail(ErrorKind::kCorrupt, "snapshot state '{}' is not known", state);
  const json::Value* files = value.Find("files");
  if (files == nullptr || !files->is_array())
    return Fail(ErrorKind::kCorrupt, "member 'files' is missing or no array");
  for (const json::Value& item : files->AsArray()) {
    MR_ASSIGN(BronzeFile file, FileFromJson(item));
    commit.files.push_back(std::move(file));
  }
  if (const json::Value* ranges = value.Find("snapshot_ranges");
      ranges != nullptr && ranges->is_array()) {
    for (const json::Value& item : ranges->AsArray()) {
      MR_ASSIGN(const SnapshotRange range, SnapshotRangeFromJson(item));
      commit.snapshot_ranges.push_back(range);
    }
  }
  return commit;
}

}  // namespace

json::Value ToJson(const BronzeCommit& commit) {
  json::Value v;
  v.Set("number", commit.number);
  v.Set("epoch", commit.epoch);
  v.Set("writer", commit.writer);
  v.Set("created_at", commit.created_at);
  v.Set("source", commit.source);
  v.Set("slot", commit.slot);
  v.Set("position", commit.position ? ToJson(*commit.position) : json::Value());
  for (const auto& [state, name] : kStates) {
    if (state == commit.snapshot) v.Set("snapshot", name);
  }
  json::Value::Array files;
  for (const BronzeFile& file : commit.files) files.push_back(FileToJson(file));
  v.Set("files", std::move(files));
  if (!commit.snapshot_ranges.empty()) {
    json::Value::Array ranges;
    for (const SnapshotRange& range : commit.snapshot_ranges) ranges.push_back(ToJson(range));
    v.Set("snapshot_ranges", std::move(ranges));
  }
  return v;
}

Result<BronzeCommit> BronzeCommitFromJson(const json::Value& value, std::string_view what) {
  auto commit = Read(value);
  if (!commit.ok()) return commit.error().Wrap(what);
  return commit;
}

std::string CommitPath(int64_t number) { return Format("_commits/{:020}.json", number); }

std::string BronzeFilePath(const std::string& topic, int32_t partition, int64_t first_offset,
                           int64_t epoch, uint32_t random, Micros first_record_time,
                           Compression compression) {
  const std::string time = FormatTimestamp(first_record_time);  // 2026-11-24T22:38:39...
  return Format("{0}/{1}/{2}/{0}+{3}+{4:020}+{5}-{6:08x}.jsonl{7}", topic, time.substr(0, 10),
                time.substr(11, 2), partition, first_offset, epoch, random,
                CompressionSuffix(compression));
}

std::string SchemaPath(const std::string& topic, const std::string& fingerprint) {
  return Format("_schemas/{}/{}.json", topic, fingerprint);
}

}  // namespace millrace
