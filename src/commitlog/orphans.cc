#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "commitlog/commit_format.h"
#include "commitlog/commit_log.h"
#include "commitlog/roll_up.h"

namespace millrace::commitlog {
namespace {

// The epoch in "<topic>/<day>/<hour>/<topic>+<partition>+<offset>+<epoch>-<random>.jsonl...", or
// nullopt when it is no data object.
std::optional<int64_t> EpochOf(std::string_view path) {
  const size_t plus = path.rfind('+');
  const size_t dash = path.find('-', plus == std::string_view::npos ? path.size() : plus);
  if (dash == std::string_view::npos || path.starts_with('_')) return std::nullopt;
  return ParseInt<int64_t>(path.substr(plus + 1, dash - plus - 1));
}

// Every topic that may have data: its schema is stored before its first object.
Result<std::set<std::string>> Topics(ObjectStore& store) {
  constexpr std::string_view kSchemas = "_schemas/";
  MR_ASSIGN(const std::vector<ObjectInfo> schemas, store.List(std::string(kSchemas)));
  std::set<std::string> topics;
  for (const ObjectInfo& schema : schemas) {
    const std::string_view rest = std::string_view(schema.path).substr(kSchemas.size());
    topics.emplace(rest.substr(0, rest.find('/')));
  }
  return topics;
}

// The day from which on a writer that claimed its epoch then wrote, as the objects' paths have it;
// empty when that is not known. Commit times may run backwards a little.
std::string FirstDay(const Claim& claim) {
  return claim.commit_time == 0 ? ""
                                : FormatTimestamp(claim.commit_time - kMicrosPerDay).substr(0, 10);
}

}  // namespace

Result<int64_t> RemoveOrphans(ObjectStore& store, const Clock& clock, Micros grace) {
  MR_ASSIGN(const State state, Recover(store));
  const Claim first = state.claims.empty() ? Claim() : state.claims.front();
  const std::string day = FirstDay(first);
  const Micros old = clock.Now() - grace;
  MR_ASSIGN(const std::set<std::string> topics, Topics(store));
  std::unordered_map<std::string, int64_t> candidates;  // path to size
  for (const std::string& topic : topics) {
    MR_ASSIGN(const std::vector<ObjectInfo> objects,
              store.List(topic + "/", day.empty() ? "" : topic + "/" + day));
    for (const ObjectInfo& object : objects) {
      const auto epoch = EpochOf(object.path);
      const bool by_older = epoch && *epoch >= first.epoch && *epoch < state.epoch;
      if (by_older && object.modified_at < old) candidates.emplace(object.path, object.size);
    }
  }
  // A writer's commits name its own files only, so those since the first claim tell.
  for (int64_t number = std::max<int64_t>(0, first.number - 1);
       number < state.number && !candidates.empty();) {
    MR_ASSIGN(const std::vector<BronzeCommit> commits, ReadAfter(store, number, 1000));
    if (commits.empty()) {  // never take a file for an orphan on the word of half a log
      return Fail(ErrorKind::kCorrupt, "the log of commits ends at {} instead of {}", number,
                  state.number);
    }
    for (const BronzeCommit& commit : commits) {
      for (const BronzeFile& file : commit.files) candidates.erase(file.path);
    }
    number = commits.back().number;
  }
  int64_t bytes = 0;
  for (const auto& [path, size] : candidates) {
    MR_TRY(store.Delete(path));
    bytes += size;
  }
  const auto removed = static_cast<int64_t>(candidates.size());
  if (removed > 0)
    log::Info("commitlog", "removed {} data objects ({} bytes) that no commit names", removed,
              bytes);
  return removed;
}

}  // namespace millrace::commitlog
