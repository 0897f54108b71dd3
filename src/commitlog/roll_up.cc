#include "commitlog/roll_up.h"

#include "base/failpoint.h"
#include "base/format.h"
#include "base/text.h"
#include "codec/compression.h"
#include "commitlog/commit_format.h"

namespace millrace::commitlog {
namespace {

constexpr std::string_view kPrefix = "_commits/rollup-";
constexpr std::string_view kSuffix = ".jsonl.zst";
constexpr int kLevel = 3;

}  // namespace

std::string RollUpPath(int64_t to) { return Format("{}{:020}{}", kPrefix, to, kSuffix); }

std::optional<int64_t> RollUpNumber(std::string_view path) {
  if (!path.starts_with(kPrefix) || !path.ends_with(kSuffix)) return std::nullopt;
  return ParseInt<int64_t>(
      path.substr(kPrefix.size(), path.size() - kPrefix.size() - kSuffix.size()));
}

Result<std::vector<int64_t>> ListRollUps(ObjectStore& store, int64_t after) {
  MR_ASSIGN(const auto objects,
            store.List(std::string(kPrefix), after == 0 ? "" : RollUpPath(after)));
  std::vector<int64_t> numbers;
  for (const ObjectInfo& object : objects) {
    if (const auto number = RollUpNumber(object.path)) numbers.push_back(*number);
  }
  return numbers;
}

Result<RollUp> ReadRollUp(ObjectStore& store, int64_t to) {
  const std::string path = RollUpPath(to);
  ByteBuffer stored, text;
  MR_TRY(store.Get(path, stored));
  if (const Status decoded = Decompress(Compression::kZstd, stored.view(), text); !decoded.ok()) {
    return decoded.error().Wrap("roll-up '" + path + "'");
  }
  std::vector<std::string_view> lines = Split(text.view(), '\n');
  if (lines.size() < 3 || !lines.back().empty()) {
    return Fail(ErrorKind::kCorrupt, "roll-up '{}' is cut short; restore it from a backup", path);
  }
  lines.pop_back();  // what is behind the last line's end
  RollUp result;
  MR_ASSIGN(result.state, DecodeState(lines.back(), path));
  lines.pop_back();
  if (result.state.number != to) {
    return Fail(ErrorKind::kCorrupt, "roll-up '{}' reaches commit {}", path, result.state.number);
  }
  int64_t number = to - static_cast<int64_t>(lines.size());
  for (const std::string_view line : lines) {
    MR_ASSIGN(BronzeCommit commit, DecodeCommit(line, ++number, path));
    result.commits.push_back(std::move(commit));
  }
  return result;
}

Status WriteRollUp(ObjectStore& store, int64_t first, const State& state) {
  ByteBuffer text, stored;
  for (int64_t number = first; number <= state.number; ++number) {
    const std::string path = CommitPath(number);
    const size_t begin = text.size();
    MR_TRY(store.Get(path, text));
    const std::string_view line = text.view(begin, text.size() - begin);
    MR_ASSIGN(const BronzeCommit checked, DecodeCommit(line, number, path));
    text.Append('\n');
  }
  text.Append(EncodeState(state));
  text.Append('\n');
  MR_ASSIGN(auto compressor, NewCompressor(Compression::kZstd, kLevel));
  MR_TRY(compressor->Write(text.view(), stored));
  MR_TRY(compressor->Finish(stored));
  MR_FAILPOINT("commitlog.before_rollup");
  MR_TRY(PutOnce(store, RollUpPath(state.number), stored.view()));
  MR_FAILPOINT("commitlog.after_rollup");
  return {};
}

}  // namespace millrace::commitlog
