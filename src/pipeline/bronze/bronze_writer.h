#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/bounded_queue.h"
#include "pipeline/bronze/commit_builder.h"
#include "pipeline/bronze/commit_policy.h"
#include "pipeline/bronze/committer.h"
#include "pipeline/bronze/options.h"
#include "port/clock.h"
#include "port/durable_sink.h"

namespace millrace::bronze {

// What the writer did since it was opened.
struct Progress {
  int64_t records = 0;  // committed
  int64_t bytes = 0;    // of their lines
  int64_t commits = 0;
  int64_t newest_commit = 0;
  std::optional<SourcePosition> position;  // of the newest commit
};

// The sink that writes Bronze. One thread turns batches into compressed files, another makes them
// durable and commits, so that decoding, compression and syncing overlap; while a commit is on its
// way the next one gathers. Write may be called from many threads, the rest from the owner's only.
class BronzeWriter final : public DurableSink {
 public:
  // Opens the log as its one writer (fences an older one) and removes leftovers. Errors as
  // commitlog::Writer::Open.
  static Result<std::unique_ptr<BronzeWriter>> Open(ObjectStore& store, const Clock& clock,
                                                    const Options& options, SinkEvents events);
  ~BronzeWriter() override;

  Status Write(RecordBatch batch) override;
  ResumePoint resume() const override { return resume_; }
  Status BeginSnapshot() override;
  Status Flush() override;
  Status Finish() override;

  Progress progress() const;

 private:
  using Steady = std::chrono::steady_clock;

  // Batches and requests, in order. A request is answered when its ticket is done.
  struct Input {
    enum class Kind { kBatch, kFlush, kBeginSnapshot };
    Kind kind = Kind::kBatch;
    RecordBatch batch;
    int64_t ticket = 0;
  };
  struct Work {
    std::vector<ClosedFile> files;
    std::vector<StreamPtr> tables;  // named without records
    std::optional<CommitMark> commit;
    int64_t records = 0, bytes = 0;
    int64_t ticket = 0;
  };

  BronzeWriter(ObjectStore& store, const Options& options, commitlog::Writer log,
               SinkEvents events);

  void Build();   // the building thread
  void Commit();  // the committing thread
  Status Take(Input input);
  Status TakeBatch(RecordBatch batch);
  Status HandOver(int64_t ticket);  // what is open, as a commit
  Status Pass(Work work);           // to the committing thread
  Status Do(Work work);             // in the committing thread
  Uncommitted Look() const;
  std::optional<Duration> Wait() const;
  Status Ask(Input::Kind kind);  // sends a request and waits for its answer
  void Fail(const Error& error);
  Error Failure() const;

  const Options options_;
  const SinkEvents events_;
  const ResumePoint resume_;
  std::stop_source stop_;

  // The building thread's own.
  CommitBuilder builder_;
  bool snapshot_ = false;  // until the batch that ends it
  bool at_boundary_ = false, ends_snapshot_ = false, moved_ = false;
  std::vector<StreamPtr> named_;       // tables without records, for the next commit
  std::vector<SnapshotRange> ranges_;  // read, for the next commit
  std::optional<SourcePosition> boundary_;
  SnapshotState snapshot_state_;
  Steady::time_point first_record_at_, last_input_at_;

  // The committing thread's own.
  Committer committer_;

  BoundedQueue<Input> input_;
  BoundedQueue<Work> work_;
  std::atomic<int> commits_on_their_way_ = 0;
  std::atomic<Steady::time_point> last_commit_at_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::optional<Error> failure_;
  bool failure_reported_ = false;  // nothing is taken any more and the owner knows
  int64_t last_ticket_ = 0, done_ticket_ = 0;
  Progress progress_;

  std::jthread builder_thread_, committer_thread_;  // last: they use all of the above
};

}  // namespace millrace::bronze
