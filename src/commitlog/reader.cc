#include "base/format.h"
#include "codec/compression.h"
#include "codec/hash.h"
#include "commitlog/commit_format.h"
#include "commitlog/commit_log.h"
#include "commitlog/roll_up.h"

namespace millrace::commitlog {
namespace {

Result<BronzeCommit> ReadCommit(ObjectStore& store, int64_t number) {
  const std::string path = CommitPath(number);
  ByteBuffer text;
  MR_TRY(store.Get(path, text));
  return DecodeCommit(text.view(), number, path);
}

bool IsNotFound(const Status& status) {
  return !status.ok() && status.error().kind() == ErrorKind::kNotFound;
}

Error MissingCommit(int64_t number) {
  return Fail(ErrorKind::kCorrupt, "commit {} is missing from the log; restore '{}' from a backup",
              number, CommitPath(number));
}

// Whether `number` is not there although its successor is: an error. False: the log ends before it.
Result<bool> IsGap(ObjectStore& store, int64_t number) {
  const auto there = [&store](int64_t n) -> Result<bool> {
    const auto head = store.Head(CommitPath(n));
    if (!head.ok() && head.error().kind() != ErrorKind::kNotFound) return head.error();
    return head.ok();
  };
  MR_ASSIGN(const bool successor, there(number + 1));
  if (!successor) return false;
  MR_ASSIGN(const bool by_now, there(number));  // both may have come since
  if (!by_now) return MissingCommit(number);
  return false;
}

// What a commit that is not there means: the end of the log (false), or an old commit whose roll-up
// has to be read (true).
Result<bool> IsRolledUp(ObjectStore& store, int64_t number) {
  if (number > 1) {
    // Commits vanish oldest first, so the one before would be gone too.
    const auto before = store.Head(CommitPath(number - 1));
    if (before.ok()) return IsGap(store, number);
    if (before.error().kind() != ErrorKind::kNotFound) return before.error();
  }
  MR_ASSIGN(const std::vector<int64_t> roll_ups, ListRollUps(store, number - 1));
  if (!roll_ups.empty()) return true;
  MR_ASSIGN(const auto later, store.List("_commits/0", CommitPath(number)));
  if (number > 1 || !later.empty()) return MissingCommit(later.empty() ? number - 1 : number);
  return false;
}

}  // namespace

Result<State> Recover(ObjectStore& store) {
  State state;
  MR_ASSIGN(const std::vector<int64_t> roll_ups, ListRollUps(store));
  if (!roll_ups.empty()) {
    MR_ASSIGN(RollUp newest, ReadRollUp(store, roll_ups.back()));
    state = std::move(newest.state);
  }
  MR_ASSIGN(const auto commits,
            store.List("_commits/0", state.number == 0 ? "" : CommitPath(state.number)));
  for (const ObjectInfo& object : commits) {
    const int64_t number = state.number + 1;
    if (object.path != CommitPath(number)) return MissingCommit(number);
    MR_ASSIGN(const BronzeCommit commit, ReadCommit(store, number));
    MR_TRY(Fold(commit, state));
  }
  return state;
}

Result<std::vector<BronzeCommit>> ReadAfter(ObjectStore& store, int64_t number, size_t limit) {
  std::vector<BronzeCommit> commits;
  while (commits.size() < limit) {
    const int64_t next = number + 1;
    auto commit = ReadCommit(store, next);
    if (commit.ok()) {
      commits.push_back(std::move(commit).value());
      number = next;
      continue;
    }
    if (commit.error().kind() != ErrorKind::kNotFound) return commit.error();
    if (!commits.empty()) return commits;  // the end, or the caller's next turn finds the roll-up
    MR_ASSIGN(const bool rolled_up, IsRolledUp(store, next));
    if (!rolled_up) return commits;
    MR_ASSIGN(const std::vector<int64_t> roll_ups, ListRollUps(store, number));
    MR_ASSIGN(RollUp roll_up, ReadRollUp(store, roll_ups.front()));
    for (BronzeCommit& old : roll_up.commits) {
      if (old.number <= number || commits.size() == limit) continue;
      if (old.number != number + 1) return MissingCommit(number + 1);
      number = old.number;
      commits.push_back(std::move(old));
    }
  }
  return commits;
}

Status ReadFile(ObjectStore& store, const BronzeFile& file, ByteBuffer& out) {
  ByteBuffer stored;
  if (const Status got = store.Get(file.path, stored); IsNotFound(got)) {
    return Fail(ErrorKind::kCorrupt,
                "'{}' is named by a commit and missing; restore it from a backup", file.path);
  } else if (!got.ok()) {
    return got;
  }
  if (static_cast<int64_t>(stored.size()) != file.bytes ||
      Sha256Hex(stored.view()) != file.sha256) {
    return Fail(
        ErrorKind::kCorrupt,
        "'{}' has not the size and checksum that its commit names; restore it from a backup",
        file.path);
  }
  if (const Status decoded = Decompress(file.compression, stored.view(), out); !decoded.ok()) {
    return decoded.error().Wrap("'" + file.path + "'");
  }
  return {};
}

Result<TableSchema> ReadSchema(ObjectStore& store, const std::string& topic,
                               const std::string& fingerprint) {
  const std::string path = SchemaPath(topic, fingerprint);
  ByteBuffer text;
  MR_TRY(store.Get(path, text));
  if (Sha256Hex(text.view()).substr(0, fingerprint.size()) != fingerprint) {
    return Fail(ErrorKind::kCorrupt,
                "'{}' does not have the fingerprint in its name; restore it from a backup", path);
  }
  MR_ASSIGN(const json::Value value, json::Parse(text.view(), path));
  return TableSchemaFromJson(value);
}

Status WriteSchema(ObjectStore& store, const std::string& topic, const TableSchema& schema) {
  // The very bytes that Fingerprint hashes.
  return PutOnce(store, SchemaPath(topic, Fingerprint(schema)), json::Write(ToJson(schema)));
}

Status PutOnce(ObjectStore& store, const std::string& path, std::string_view bytes) {
  Status put = store.PutIfAbsent(path, bytes);
  // Should the first have happened after all, the second finds it and knows it to be durable.
  if (!put.ok() && put.error().kind() == ErrorKind::kUnknownOutcome)
    put = store.PutIfAbsent(path, bytes);
  if (!put.ok() && put.error().kind() == ErrorKind::kAlreadyExists) return {};
  return put;
}

}  // namespace millrace::commitlog
