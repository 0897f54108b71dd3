#include "commitlog/commit_format.h"

#include "base/format.h"
#include "base/text.h"
#include "codec/hash.h"

namespace millrace::commitlog {
namespace {

constexpr std::string_view kBefore = R"(,"checksum":")";
constexpr std::string_view kBehind = R"("})";
constexpr size_t kHexDigits = 16;
constexpr size_t kTail = kBefore.size() + kHexDigits + kBehind.size();

std::string Checksum(std::string_view body) { return Sha256Hex(body).substr(0, kHexDigits); }

// Puts the format version in front of the members and the checksum behind.
std::string Seal(json::Value members) {
  json::Value sealed;
  sealed.Set("format_version", kFormatVersion);
  for (json::Value::Member& member : members.AsObject())
    sealed.Set(member.first, std::move(member.second));
  std::string text = json::Write(sealed);
  text.pop_back();  // the closing brace
  const std::string checksum = Checksum(text);
  text.append(kBefore).append(checksum).append(kBehind);
  return text;
}

Result<json::Value> Unseal(std::string_view line, std::string_view what) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  const size_t body = line.size() < kTail ? 0 : line.size() - kTail;
  if (body == 0 || line.substr(body, kBefore.size()) != kBefore || !line.ends_with(kBehind) ||
      line.substr(body + kBefore.size(), kHexDigits) != Checksum(line.substr(0, body))) {
    return Fail(ErrorKind::kCorrupt,
                "{}: the bytes do not match their checksum; restore the object from a backup",
                what);
  }
  MR_ASSIGN(json::Value value, json::Parse(line, what));
  MR_ASSIGN(const int64_t version, value.Int("format_version"));
  if (version > kFormatVersion) {
    return Fail(ErrorKind::kUnsupported,
                "{}: format version {} is newer than this program knows ({}); upgrade millrace",
                what, version, kFormatVersion);
  }
  return value;
}

json::Value SnapshotName(SnapshotState state) {
  BronzeCommit carrier;
  carrier.snapshot = state;
  return *ToJson(carrier).Find("snapshot");
}

}  // namespace

std::string EncodeCommit(const BronzeCommit& commit) { return Seal(ToJson(commit)); }

Result<BronzeCommit> DecodeCommit(std::string_view line, int64_t expected_number,
                                  std::string_view what) {
  MR_ASSIGN(const json::Value value, Unseal(line, what));
  MR_ASSIGN(BronzeCommit commit, BronzeCommitFromJson(value, what));
  if (commit.number != expected_number) {
    return Fail(ErrorKind::kCorrupt, "{}: holds commit {}, not {}", what, commit.number,
                expected_number);
  }
  return commit;
}

std::optional<int64_t> CommitNumber(std::string_view path) {
  constexpr std::string_view kFolder = "_commits/";
  constexpr std::string_view kSuffix = ".json";
  if (!path.starts_with(kFolder) || !path.ends_with(kSuffix)) return std::nullopt;
  path.remove_prefix(kFolder.size());
  return ParseInt<int64_t>(path.substr(0, path.size() - kSuffix.size()));
}

std::string EncodeState(const State& state) {
  json::Value v;
  v.Set("kind", "state");
  v.Set("number", state.number);
  v.Set("epoch", state.epoch);
  v.Set("source", state.source);
  v.Set("slot", state.slot);
  v.Set("position", state.position ? ToJson(*state.position) : json::Value());
  v.Set("snapshot", SnapshotName(state.snapshot));
  if (!state.snapshot_ranges.empty()) {
    json::Value::Array ranges;
    for (const SnapshotRange& range : state.snapshot_ranges) ranges.push_back(ToJson(range));
    v.Set("snapshot_ranges", std::move(ranges));
  }
  json::Value offsets{json::Value::Object{}};
  for (const auto& [topic, next] : state.next_offsets) offsets.Set(topic, next);
  v.Set("next_offsets", std::move(offsets));
  json::Value::Array claims;
  for (const Claim& claim : state.claims) {
    json::Value item;
    item.Set("epoch", claim.epoch);
    item.Set("number", claim.number);
    item.Set("commit_time", claim.commit_time);
    claims.push_back(std::move(item));
  }
  v.Set("claims", std::move(claims));
  return Seal(std::move(v));
}

Result<State> DecodeState(std::string_view line, std::string_view what) {
  MR_ASSIGN(json::Value value, Unseal(line, what));
  MR_ASSIGN(const std::string kind, value.StringOr("kind", ""));
  if (kind != "state") return Fail(ErrorKind::kCorrupt, "{}: the closing line is missing", what);
  State state;
  const json::Value* offsets = value.Find("next_offsets");
  if (offsets == nullptr || !offsets->is_object()) {
    return Fail(ErrorKind::kCorrupt, "{}: member 'next_offsets' is missing or no object", what);
  }
  for (const auto& [topic, next] : offsets->AsObject()) {
    if (!next.is_integer())
      return Fail(ErrorKind::kCorrupt, "{}: next offset of '{}' is no integer", what, topic);
    state.next_offsets[topic] = next.AsInt();
  }
  if (const json::Value* claims = value.Find("claims"); claims != nullptr && claims->is_array()) {
    for (const json::Value& item : claims->AsArray()) {
      Claim claim;
      MR_ASSIGN(claim.epoch, item.Int("epoch"));
      MR_ASSIGN(claim.number, item.Int("number"));
      MR_ASSIGN(claim.commit_time, item.Int("commit_time"));
      state.claims.push_back(claim);
    }
  }
  // The rest has a commit's members, so a commit's reader takes them.
  value.Set("writer", "");
  value.Set("created_at", 0);
  value.Set("files", json::Value::Array{});
  MR_ASSIGN(BronzeCommit rest, BronzeCommitFromJson(value, what));
  state.number = rest.number;
  state.epoch = rest.epoch;
  state.source = std::move(rest.source);
  state.slot = std::move(rest.slot);
  state.position = rest.position;
  state.snapshot = rest.snapshot;
  state.snapshot_ranges = std::move(rest.snapshot_ranges);
  return state;
}

Status Fold(const BronzeCommit& commit, State& state) {
  if (commit.number != state.number + 1) {
    return Fail(ErrorKind::kCorrupt, "commit {} follows commit {}", commit.number, state.number);
  }
  if (commit.epoch < state.epoch) {
    return Fail(ErrorKind::kCorrupt, "commit {} has epoch {}, after epoch {}", commit.number,
                commit.epoch, state.epoch);
  }
  for (const BronzeFile& file : commit.files) {
    const auto known = state.next_offsets.find(file.topic);
    const int64_t next = known == state.next_offsets.end() ? 0 : known->second;
    if (file.first_offset != next || file.last_offset - file.first_offset + 1 != file.records ||
        file.records <= 0) {
      return Fail(ErrorKind::kCorrupt,
                  "commit {}: '{}' holds offsets {} to {}, and {} is next in its topic",
                  commit.number, file.path, file.first_offset, file.last_offset, next);
    }
    state.next_offsets[file.topic] = file.last_offset + 1;
  }
  if (commit.epoch > state.epoch) {
    if (state.claims.size() == kKeptClaims) state.claims.erase(state.claims.begin());
    state.claims.push_back(
        {commit.epoch, commit.number, commit.position ? commit.position->commit_time : 0});
  }
  state.number = commit.number;
  state.epoch = commit.epoch;
  state.source = commit.source;
  state.slot = commit.slot;
  state.position = commit.position;
  state.snapshot = commit.snapshot;
  if (commit.snapshot != SnapshotState::kRunning || !commit.position) state.snapshot_ranges.clear();
  for (const SnapshotRange& range : commit.snapshot_ranges) AddRange(state.snapshot_ranges, range);
  return {};
}

}  // namespace millrace::commitlog
