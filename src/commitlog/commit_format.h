#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "commitlog/commit_log.h"
#include "model/bronze_commit.h"

// A commit and a state as bytes: one line of JSON that starts with its format version and ends with
// a checksum of what is before it.
namespace millrace::commitlog {

// Readers refuse a newer version and pass over members that they do not know.
inline constexpr int64_t kFormatVersion = 1;

std::string EncodeCommit(const BronzeCommit& commit);
// kCorrupt when the checksum, a member or the number is wrong, kUnsupported for a newer format.
// `what` names the object in messages.
Result<BronzeCommit> DecodeCommit(std::string_view line, int64_t expected_number,
                                  std::string_view what);

// The number in a commit's path, or nullopt for another path.
std::optional<int64_t> CommitNumber(std::string_view path);

std::string EncodeState(const State& state);
Result<State> DecodeState(std::string_view line, std::string_view what);

// The state after one more commit: pure. kCorrupt when the commit does not follow: its number, its
// epoch, or the offsets of a topic.
Status Fold(const BronzeCommit& commit, State& state);

}  // namespace millrace::commitlog
