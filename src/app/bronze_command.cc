#include <cstdio>

#include "app/invocation.h"
#include "app/lake.h"
#include "app/lake_lock.h"
#include "app/text_table.h"
#include "base/format.h"
#include "commitlog/commit_log.h"

namespace millrace::app {
namespace {

// What killed writers leave is younger than this only while it is being written.
constexpr Micros kOrphanGrace = 3600 * kMicrosPerSecond;

struct Verified {
  int64_t commits = 0, files = 0, records = 0, bytes = 0;
};

// Reads every commit and every file that they name: sizes, checksums, offsets without gaps.
Result<Verified> VerifyLog(ObjectStore& bronze) {
  Verified verified;
  ByteBuffer lines;
  int64_t number = 0;
  while (true) {
    MR_ASSIGN(const std::vector<BronzeCommit> commits, commitlog::ReadAfter(bronze, number, 1000));
    if (commits.empty()) return verified;
    for (const BronzeCommit& commit : commits) {
      for (const BronzeFile& file : commit.files) {
        lines.Clear();
        MR_TRY(commitlog::ReadFile(bronze, file, lines));
        ++verified.files;
        verified.records += file.records;
        verified.bytes += file.bytes;
      }
      ++verified.commits;
      number = commit.number;
    }
  }
}

}  // namespace

Status RunBronze(const Invocation& invocation) {
  MR_ASSIGN(const Config config, invocation.Load());
  MR_ASSIGN(const std::unique_ptr<Lake> lake, OpenExistingLake(config));
  // Deleting is the writer's business; checking needs no lock.
  const auto lock = LakeLock::Take(config.lake.path, {"bronze"}, "bronze");
  if (lock.ok()) {
    MR_ASSIGN(const auto writer, commitlog::Writer::Open(*lake->bronze, lake->clock,
                                                         config.source.name, config.source.slot));
    MR_ASSIGN(const int64_t removed,
              commitlog::RemoveOrphans(*lake->bronze, lake->clock, kOrphanGrace));
    fmt::print("removed {} files that killed writers left behind\n", GroupDigits(removed));
  } else {
    fmt::print("left-overs of killed writers are not looked for now: {}\n", lock.error().message());
  }
  MR_ASSIGN(const Verified verified, VerifyLog(*lake->bronze));
  fmt::print("checked {} commits with {} files, {} events, {}: all as committed\n",
             GroupDigits(verified.commits), GroupDigits(verified.files),
             GroupDigits(verified.records), HumanBytes(verified.bytes));
  return {};
}

}  // namespace millrace::app
