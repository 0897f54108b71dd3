#include "pipeline/silver/cut_input.h"

#include <algorithm>

#include "base/format.h"
#include "commitlog/commit_log.h"

namespace millrace::silver {
namespace {

constexpr size_t kReadAhead = 64;

}  // namespace

Result<CutInput> GatherCut(ObjectStore& bronze, int64_t from, const CutLimits& limits,
                           FilesByTopic& files) {
  CutInput input;
  input.from = input.to = from;
  std::vector<CutFile> pending;  // of commits without a position so far
  int64_t bytes = 0, read = from;
  size_t commits = 0;
  while (!input.more) {
    MR_ASSIGN(const std::vector<BronzeCommit> batch,
              commitlog::ReadAfter(bronze, read, kReadAhead));
    if (batch.empty()) break;
    for (const BronzeCommit& commit : batch) {
      if (commit.number > limits.up_to) return input;
      int64_t size = 0;
      for (const BronzeFile& file : commit.files) size += file.bytes;
      if (input.to != from && (bytes + size > limits.bytes || commits >= limits.commits)) {
        input.more = true;
        break;
      }
      bytes += size;
      ++commits;
      read = commit.number;
      for (const BronzeFile& file : commit.files) pending.push_back({commit.number, file});
      if (!commit.position || commit.snapshot == SnapshotState::kRunning) continue;
      for (CutFile& file : pending) files[file.file.topic].push_back(std::move(file));
      input.files += static_cast<int64_t>(pending.size());
      pending.clear();
      if (input.to == from) input.first_created_at = commit.created_at;
      input.last_created_at = commit.created_at;
      input.to = commit.number;
      input.position = *commit.position;
      input.prefix = commit.source;
      input.writer = commit.writer;
    }
  }
  return input;
}

Status CheckLog(ObjectStore& bronze, int64_t number, const std::string& writer) {
  if (number == 0) return {};
  MR_ASSIGN(const std::vector<BronzeCommit> last, commitlog::ReadAfter(bronze, number - 1, 1));
  if (last.empty()) {
    return Fail(
        ErrorKind::kCorrupt,
        "Bronze ends before commit {}, up to which Silver has taken it: restore Bronze from "
        "a backup, or name a new lake.path",
        number);
  }
  if (writer.empty() || last.front().writer == writer) return {};
  return Fail(
      ErrorKind::kCorrupt,
      "commit {} of Bronze is not the one that Silver has taken: Bronze was begun anew under "
      "the Silver tables; restore it from a backup, or name a new lake.path",
      number);
}

Result<std::optional<TableSchema>> NewestSchema(ObjectStore& bronze, const std::string& topic,
                                                int64_t from, int64_t up_to) {
  std::string fingerprint;
  for (int64_t read = from; read < up_to;) {
    MR_ASSIGN(const std::vector<BronzeCommit> batch,
              commitlog::ReadAfter(bronze, read, kReadAhead));
    if (batch.empty()) break;
    for (const BronzeCommit& commit : batch) {
      read = commit.number;
      if (read > up_to) break;
      for (const BronzeFile& file : commit.files) {
        if (file.topic == topic) fingerprint = file.schema;
      }
    }
  }
  if (fingerprint.empty()) return std::optional<TableSchema>();
  MR_ASSIGN(TableSchema schema, commitlog::ReadSchema(bronze, topic, fingerprint));
  return std::optional<TableSchema>(std::move(schema));
}

Result<std::optional<CutFile>> FindAnew(ObjectStore& bronze, const std::string& topic, int64_t from,
                                        int64_t up_to) {
  std::optional<CutFile> newest;
  while (from < up_to) {
    MR_ASSIGN(const std::vector<BronzeCommit> batch,
              commitlog::ReadAfter(bronze, from, kReadAhead));
    if (batch.empty()) break;
    for (const BronzeCommit& commit : batch) {
      if (commit.number > up_to) break;
      for (const BronzeFile& file : commit.files) {
        if (file.topic == topic && file.anew) newest = CutFile{commit.number, file};
      }
    }
    from = batch.back().number;
  }
  return newest;
}

void BeginAt(const CutFile& anew, std::vector<CutFile>& files) {
  std::erase_if(
      files, [&](const CutFile& file) { return file.file.first_offset < anew.file.first_offset; });
}

}  // namespace millrace::silver
