#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "commitlog/commit_log.h"
#include "port/object_store.h"

// A roll-up holds the commits of a range as lines, then the state after them as the closing line,
// in one zstd frame. Roll-ups are never deleted: together with the commits after the newest one
// they are the whole log.
namespace millrace::commitlog {

std::string RollUpPath(int64_t to);  // "_commits/rollup-<to, 20 digits>.jsonl.zst"

// The number that a roll-up reaches, or nullopt for another path.
std::optional<int64_t> RollUpNumber(std::string_view path);

// The numbers that the stored roll-ups reach, ascending; those above `after` only.
Result<std::vector<int64_t>> ListRollUps(ObjectStore& store, int64_t after = 0);

struct RollUp {
  std::vector<BronzeCommit>
      commits;  // ascending, without gaps, the last one has number `state.number`
  State state;
};
Result<RollUp> ReadRollUp(ObjectStore& store, int64_t to);

// Stores the commits first..state.number, read from their own objects. An existing roll-up of that
// name is OK: the same commits.
Status WriteRollUp(ObjectStore& store, int64_t first, const State& state);

// Stores an object whose bytes follow from its path, so that an existing one is as good as ours.
Status PutOnce(ObjectStore& store, const std::string& path, std::string_view bytes);

}  // namespace millrace::commitlog
