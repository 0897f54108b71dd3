#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/bronze_commit.h"
#include "model/table_schema.h"
#include "port/object_store.h"

namespace millrace::silver {

// Whole Bronze commits that one cut takes.
struct CutInput {
  int64_t from = 0, to = 0;  // commits from + 1 to `to`; equal: there is nothing
  SourcePosition position;   // of the last of them
  std::string prefix;        // topic prefix
  std::string writer;        // of the last commit
  Micros first_created_at = 0, last_created_at = 0;
  int64_t files = 0;
  bool more = false;  // the limits were reached
};
struct CutFile {
  int64_t commit = 0;
  BronzeFile file;
};
using FilesByTopic = std::map<std::string, std::vector<CutFile>>;

struct CutLimits {
  int64_t bytes;
  size_t commits;
  int64_t up_to = INT64_MAX;  // commit number
};
// Commits after `from`, at least one with a position, up to the limits. Commits before the initial
// snapshot is complete make no cut: they are taken together with the one that completes it.
Result<CutInput> GatherCut(ObjectStore& bronze, int64_t from, const CutLimits& limits,
                           FilesByTopic& files);

// Whether Bronze is the log that commit `number`, by `writer` (empty: not known), was taken from. A
// folder that was emptied and filled anew has other rows under the same numbers.
Status CheckLog(ObjectStore& bronze, int64_t number, const std::string& writer);

// The schema version of a topic's newest file in commits `from` + 1 to `up_to`; empty: it has none
// there.
Result<std::optional<TableSchema>> NewestSchema(ObjectStore& bronze, const std::string& topic,
                                                int64_t from, int64_t up_to);

// Where a table that is held back can begin anew: the newest commit after `from`, up to `up_to`,
// with a file that begins its topic anew. The table's state needs nothing before that file.
Result<std::optional<CutFile>> FindAnew(ObjectStore& bronze, const std::string& topic, int64_t from,
                                        int64_t up_to);
// Leaves out what comes before the file.
void BeginAt(const CutFile& anew, std::vector<CutFile>& files);

}  // namespace millrace::silver
