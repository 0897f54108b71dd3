#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codec/compression.h"
#include "codec/json.h"
#include "model/position.h"
#include "model/snapshot_range.h"

// The Bronze commit file: docs/formats/bronze.md.
namespace millrace {

struct BronzeFile {
  std::string path;  // relative to the Bronze root
  std::string topic;
  int32_t partition = 0;
  int64_t first_offset = 0;
  int64_t last_offset = 0;
  int64_t records = 0;
  int64_t bytes = 0;   // as stored
  std::string sha256;  // of the stored bytes
  std::string schema;  // fingerprint under _schemas/<topic>/
  Compression compression = Compression::kZstd;
  int64_t min_timestamp_ms = 0, max_timestamp_ms = 0;
  bool snapshot = false;  // holds only `r` events of the initial snapshot
  bool anew = false;      // its first event says that the table is read again from here on
};

enum class SnapshotState { kNone, kRunning, kDone };

struct BronzeCommit {
  int64_t number = 0;  // 1, 2, 3, ... without gaps
  int64_t epoch = 0;   // of the writer; a writer takes newest + 1 when it opens the log
  std::string writer;  // uuid of the writing process
  Micros created_at = 0;
  std::string source;  // topic prefix: whose changes these are
  std::string slot;    // the replication slot whose confirmed_flush follows this log
  std::optional<SourcePosition> position;  // absent only before rows of the initial snapshot are in
  SnapshotState snapshot = SnapshotState::kNone;
  std::vector<BronzeFile> files;  // by topic, then offset; empty for idle progress
  // What of the initial snapshot was not in before and is with this commit; rows of others may be
  // in its files too. Only while it runs.
  std::vector<SnapshotRange> snapshot_ranges = {};
};

json::Value ToJson(const BronzeCommit& commit);
Result<BronzeCommit> BronzeCommitFromJson(const json::Value& value, std::string_view what);

// "_commits/00000000000000000042.json"
std::string CommitPath(int64_t number);
// "<topic>/2026-11-24/22/<topic>+0+00000000000000000000+7-1a2b3c4d.jsonl.zst"; the hour is UTC of
// the first record.
std::string BronzeFilePath(const std::string& topic, int32_t partition, int64_t first_offset,
                           int64_t epoch, uint32_t random, Micros first_record_time,
                           Compression compression);
std::string SchemaPath(const std::string& topic, const std::string& fingerprint);

}  // namespace millrace
