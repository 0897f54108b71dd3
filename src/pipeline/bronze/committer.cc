#include "pipeline/bronze/committer.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <tuple>

#include "base/failpoint.h"

namespace millrace::bronze {

namespace {

constexpr size_t kStores = 8;  // at a time

}  // namespace

Status Committer::StoreSchema(const Stream& stream) {
  const std::pair<std::string, std::string> name{stream.topic, stream.fingerprint};
  if (schemas_.contains(name)) return {};
  MR_TRY(commitlog::WriteSchema(*store_, stream.topic, stream.schema));
  schemas_.insert(name);
  return {};
}

Status Committer::Store(std::vector<ClosedFile> files) {
  for (const ClosedFile& closed : files) MR_TRY(StoreSchema(*closed.stream));
  std::vector<Status> done(files.size());
  std::atomic<size_t> next = 0;
  const auto store = [&] {
    for (size_t i = next++; i < files.size(); i = next++) done[i] = files[i].Store(*store_);
  };
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; i < std::min(files.size(), kStores); ++i) others.emplace_back(store);
    store();
  }
  for (const Status& status : done) MR_TRY(status);
  for (ClosedFile& closed : files) stored_.push_back(std::move(closed.file));
  return {};
}

Status Committer::Commit(const CommitMark& mark) {
  BronzeCommit commit;
  commit.position = mark.position;
  commit.snapshot = mark.snapshot;
  commit.snapshot_ranges = mark.snapshot_ranges;
  commit.files = std::move(stored_);
  stored_.clear();
  std::sort(commit.files.begin(), commit.files.end(), [](const BronzeFile& a, const BronzeFile& b) {
    return std::tie(a.topic, a.first_offset) < std::tie(b.topic, b.first_offset);
  });
  // The proof that the tests would notice a confirmation that comes too early.
  if (Sabotaged("confirm_before_commit")) MR_TRY(Confirm(mark));
  MR_FAILPOINT("bronze.before_commit");
  MR_TRY(log_.Append(std::move(commit)));
  MR_FAILPOINT("bronze.after_commit");
  return Sabotaged("confirm_before_commit") ? Status() : Confirm(mark);
}

Status Committer::Confirm(const CommitMark& mark) {
  if (!mark.position) return {};
  MR_FAILPOINT("bronze.before_confirm");
  durable_(*mark.position);
  MR_FAILPOINT("bronze.after_confirm");
  return {};
}

}  // namespace millrace::bronze
