#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/uuid.h"
#include "commitlog/commit_format.h"
#include "commitlog/commit_log.h"
#include "commitlog/roll_up.h"

namespace millrace::commitlog {
namespace {

constexpr int kClaims = 20;
// Only commits younger than kKeepCommits are sure to collide with a sleeper's put, so one that
// slept longer than this looks whether the log went on without it.
constexpr Micros kTrustFence = kMicrosPerDay;

Status CheckOwner(const State& state, const std::string& source, const std::string& slot) {
  if (state.number == 0 || (state.source == source && state.slot == slot)) return {};
  return Fail(ErrorKind::kInvalidInput,
              "this Bronze holds the changes of source '{}' by slot '{}', not of '{}' by slot "
              "'{}'; name another Bronze folder, or "
              "the source and slot it belongs to",
              state.source, state.slot, source, slot);
}

}  // namespace

Result<Writer> Writer::Open(ObjectStore& store, const Clock& clock, const std::string& source,
                            const std::string& slot) {
  Writer writer(store, clock);
  writer.writer_id_ = NewUuid();
  for (int claim = 0; claim < kClaims; ++claim) {
    MR_ASSIGN(writer.state_, Recover(store));
    MR_TRY(CheckOwner(writer.state_, source, slot));
    BronzeCommit commit;
    commit.number = writer.state_.number + 1;
    commit.epoch = writer.state_.epoch + 1;
    commit.writer = writer.writer_id_;
    commit.created_at = clock.Now();
    commit.source = source;
    commit.slot = slot;
    commit.position = writer.state_.position;
    commit.snapshot = writer.state_.snapshot;
    MR_FAILPOINT("commitlog.before_claim");
    const Status put = writer.Put(commit);
    if (!put.ok() && put.error().kind() == ErrorKind::kAlreadyExists) continue;
    MR_TRY(put);
    MR_FAILPOINT("commitlog.after_claim");
    MR_TRY(Fold(commit, writer.state_));
    MR_ASSIGN(const std::vector<int64_t> roll_ups, ListRollUps(store));
    writer.rolled_up_to_ = roll_ups.empty() ? 0 : roll_ups.back();
    writer.fence_checked_at_ = commit.created_at;
    return writer;
  }
  return Fail(ErrorKind::kConflict,
              "other writers of this Bronze won {} times in a row; stop all but one", kClaims);
}

// kAlreadyExists: another's commit has this number. An unknown outcome is settled here.
Status Writer::Put(const BronzeCommit& commit) {
  const std::string text = EncodeCommit(commit);
  const std::string path = CommitPath(commit.number);
  Status put = store_->PutIfAbsent(path, text);
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (put.ok()) return put;
    const ErrorKind kind = put.error().kind();
    if (kind == ErrorKind::kAlreadyExists) {
      MR_ASSIGN(const bool ours, IsOurs(commit.number, text));
      if (ours) return {};
      return put;
    }
    if (kind != ErrorKind::kUnknownOutcome) return put;
    // When it is there, putting again says "exists" once that is durable; when not, it is put now.
    put = store_->PutIfAbsent(path, text);
  }
  return put;
}

Result<bool> Writer::IsOurs(int64_t number, const std::string& text) {
  ByteBuffer stored;
  MR_TRY(store_->Get(CommitPath(number), stored));
  return stored.view() == text;
}

Status Writer::Append(BronzeCommit commit) {
  commit.epoch = state_.epoch;
  commit.writer = writer_id_;
  commit.source = state_.source;
  commit.slot = state_.slot;
  commit.number = state_.number + 1;
  commit.created_at = clock_->Now();
  State next = state_;
  if (const Status folded = Fold(commit, next); !folded.ok())
    return Error(ErrorKind::kInternal, folded.error().message());
  if (state_.position && (!commit.position || commit.position->last < state_.position->last)) {
    return Fail(ErrorKind::kInternal, "commit {} would move the source position back",
                commit.number);
  }
  MR_FAILPOINT("commitlog.before_append");
  Status put = Put(commit);
  // The proof that the tests would notice a writer that does not let itself be fenced.
  while (Sabotaged("drop_fence") && !put.ok() && put.error().kind() == ErrorKind::kAlreadyExists) {
    ++commit.number;
    next.number = commit.number;
    put = Put(commit);
  }
  if (!put.ok() && put.error().kind() == ErrorKind::kAlreadyExists) {
    return Fail(ErrorKind::kFenced,
                "another writer took over this Bronze at commit {}; stop this one", commit.number);
  }
  MR_TRY(put);
  MR_FAILPOINT("commitlog.after_append");
  const Micros now = clock_->Now();
  if (now - fence_checked_at_ > kTrustFence) {
    if (const Status fence = CheckFence(); !fence.ok()) {
      // The number was free only because the commit that had it was deleted after a roll-up.
      if (fence.error().kind() == ErrorKind::kFenced)
        MR_TRY(store_->Delete(CommitPath(commit.number)));
      return fence;
    }
  }
  fence_checked_at_ = now;
  state_ = std::move(next);
  return {};
}

// Whether the log went on without us: a roll-up that reaches our next number or beyond, or a commit
// of that number's successor.
Status Writer::CheckFence() {
  if (Sabotaged("drop_fence")) return {};
  MR_ASSIGN(const std::vector<int64_t> roll_ups, ListRollUps(*store_, state_.number));
  if (roll_ups.empty()) return {};
  return Fail(
      ErrorKind::kFenced,
      "another writer took over this Bronze and reached commit {}, beyond our {}; stop this one",
      roll_ups.back(), state_.number);
}

Status Writer::MaybeRollUp(int64_t every) {
  if (state_.number - rolled_up_to_ < every) return {};
  const int64_t held_up_to = rolled_up_to_;
  MR_TRY(WriteRollUp(*store_, rolled_up_to_ + 1, state_));
  MR_TRY(CheckFence());
  rolled_up_to_ = state_.number;
  return DeleteOld(held_up_to);
}

Status Writer::DeleteOld(int64_t held_up_to) {
  if (oldest_ == 0) {
    MR_ASSIGN(const auto commits, store_->List("_commits/0"));
    oldest_ = commits.empty() ? state_.number : CommitNumber(commits.front().path).value_or(1);
  }
  const Micros young = clock_->Now() - kKeepCommits;
  int64_t deleted = 0;
  for (; oldest_ <= held_up_to; ++oldest_, ++deleted) {
    const std::string path = CommitPath(oldest_);
    ByteBuffer text;
    const Status got = store_->Get(path, text);
    if (!got.ok() && got.error().kind() == ErrorKind::kNotFound) continue;
    MR_TRY(got);
    MR_ASSIGN(const BronzeCommit commit, DecodeCommit(text.view(), oldest_, path));
    if (commit.created_at >= young) break;
    MR_TRY(store_->Delete(path));
  }
  if (deleted > 0)
    log::Info("commitlog", "deleted {} commits that a roll-up holds and that are older than 7 days",
              deleted);
  return {};
}

}  // namespace millrace::commitlog
