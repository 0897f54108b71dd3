#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/lake.h"
#include "app/table_facts.h"
#include "codec/json.h"
#include "commitlog/commit_log.h"
#include "pipeline/silver/cuts.h"

namespace millrace::app {

// How far every stage is. Gathered from what is stored, but for the source, which is asked.
struct LakeStatus {
  // The newest row of _millrace.cuts.
  struct NewestCut {
    Lsn commit_lsn = 0;
    std::optional<Micros> commit_time, published_at;
  };
  struct Table {
    std::string name;
    std::string topic;  // Silver
    TableFacts facts;
  };
  Micros now = 0;
  std::optional<Lsn> source_lsn;            // the server's end of WAL
  std::optional<std::string> source_error;  // why it is not known
  commitlog::State bronze;
  std::optional<Micros> last_commit_at;
  silver::CutMark mark;  // cut 0: nothing published yet
  std::optional<NewestCut> cut;
  // What Bronze holds beyond the mark. Zero records: Silver has everything, whatever idle commits
  // came since.
  int64_t pending_commits = 0, pending_records = 0;
  std::vector<Table> silver, gold;
  std::optional<std::string> bronze_writer, silver_writer,
      gold_writer;  // processes of this machine

  // Bytes of WAL that are not yet in Bronze; nullopt when the source or our position is not known.
  std::optional<int64_t> SourceLag() const;
};
Result<LakeStatus> ReadLakeStatus(const Config& config);

json::Value ToJson(const LakeStatus& status, const Config& config);
std::string ToText(const LakeStatus& status, const Config& config);

}  // namespace millrace::app
