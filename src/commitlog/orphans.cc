#include <unordered_map>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "commitlog/commit_format.h"
#include "commitlog/commit_log.h"
#include "commitlog/roll_up.h"

namespace millrace::commitlog {
namespace {

// The epoch in "<topic>/<day>/<hour>/<topic>+<partition>+<offset>+<epoch>-<random>.jsonl...", or nullopt when it is no data object.
std::optional<int64_t> EpochOf(std::string_view path) {
  const size_t plus = path.rfind('+');
  const size_t dash = path.find('-', plus == std::string_view::npos ? path.size() : plus);
  if (dash == std::string_view::npos || path.starts_with('_')) return std::nullopt;
  return ParseInt<int64_t>(path.substr(plus + 1, dash - plus - 1));
}

}  // namespace

Result<int64_t> RemoveOrphans(ObjectStore& store, const Clock& clock, Micros grace) {
  // Listed first: what an older writer stored since then stays for the next turn.
  MR_ASSIGN(const std::vector<ObjectInfo> objects, store.List(""));
  MR_ASSIGN(const State state, Recover(store));
  const Micros old = clock.Now() - grace;
  std::unordered_map<std::string, int64_t> candidates;  // path to size
  for (const ObjectInfo& object : objects) {
    const auto epoch = EpochOf(object.path);
    if (epoch && *epoch < state.epoch && object.modified_at < old) candidates.emplace(object.path, object.size);
  }
  for (int64_t number = 0; number < state.number && !candidates.empty();) {
    MR_ASSIGN(const std::vector<BronzeCommit> commits, ReadAfter(store, number, 1000));
    if (commits.empty()) {  // never take a file for an orphan on the word of half a log
      return Fail(ErrorKind::kCorrupt, "the log of commits ends at {} instead of {}", number, state.number);
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
  if (removed > 0) log::Info("commitlog", "removed {} data objects ({} bytes) that no commit names", removed, bytes);
  return removed;
}

}  // namespace millrace::commitlog
