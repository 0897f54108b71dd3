#include "pipeline/capture/capture_stage.h"

#include <gtest/gtest.h>

#include <thread>

#include "testing/fake_source.h"

namespace millrace::capture {
namespace {

using testing::FakeDatabase;
using testing::FakeSource;

// What is durable, shared by the sinks of all attempts, and how they shall fail.
struct Durable {
  std::mutex mutex;
  ResumePoint resume;
  std::map<std::string, std::vector<std::string>> values;
  int opened = 0;
  int snapshots_begun = 0;
  std::vector<Error> open_failures;  // of the next opens, last first
  int fail_silently_after =
      -1;  // batches; then `failed` is called from another thread, and Write goes on taking
};

// A sink that makes each complete transaction durable at once.
class FakeSink final : public DurableSink {
 public:
  FakeSink(Durable& durable, SinkEvents events)
      : durable_(&durable), events_(std::move(events)), resume_(durable.resume) {}
  ResumePoint resume() const override { return resume_; }
  Status BeginSnapshot() override {
    std::lock_guard lock(durable_->mutex);
    ++durable_->snapshots_begun;
    durable_->resume.snapshot_running = true;
    return {};
  }
  Status Write(RecordBatch batch) override {
    std::unique_lock lock(durable_->mutex);
    if (failing_.joinable()) return {};
    if (durable_->fail_silently_after >= 0 && durable_->fail_silently_after-- == 0) {
      failing_ = std::jthread(
          [this] { events_.failed(Error(ErrorKind::kOutOfSpace, "the disk is full")); });
      return {};
    }
    for (const Record& record : batch.records) {
      values_[batch.streams[record.stream]->topic].emplace_back(
          batch.bytes.view(record.offset + record.key_size, record.value_size));
    }
    if (!batch.ends_at) return {};
    for (auto& [topic, values] : values_) {
      durable_->values[topic].insert(durable_->values[topic].end(), values.begin(), values.end());
    }
    values_.clear();
    durable_->resume = {batch.ends_at, false};
    lock.unlock();
    events_.durable(*batch.ends_at);
    return {};
  }
  Status Flush() override { return {}; }
  Status Finish() override { return {}; }

 private:
  Durable* const durable_;
  const SinkEvents events_;
  const ResumePoint resume_;
  std::map<std::string, std::vector<std::string>> values_;
  std::jthread failing_;
};

struct Rig {
  Durable durable;
  FakeDatabase database;
  CaptureStage stage{
      [this](SinkEvents events) -> Result<std::unique_ptr<DurableSink>> {
        ++durable.opened;
        if (!durable.open_failures.empty()) {
          const Error error = durable.open_failures.back();
          durable.open_failures.pop_back();
          return error;
        }
        return std::unique_ptr<DurableSink>(new FakeSink(durable, std::move(events)));
      },
      [this](const ResumePoint&) -> Result<std::unique_ptr<Source>> {
        return std::unique_ptr<Source>(new FakeSource(database));
      }};
  Rig() {
    database.rows = {{"a", "1"}, {"b", "2"}};
    database.transactions = {{{"a", "3"}}, {{"b", "4"}, {"a", "5"}}};
  }
};

template <typename Condition>
bool Eventually(const Condition& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

TEST(CaptureStage, OnceTakesASnapshotAndEverythingThatIsThere) {
  Rig rig;
  const auto report = rig.stage.RunOnce({});
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_TRUE(report->did_work);
  EXPECT_EQ(rig.durable.values, rig.database.Expected());
  EXPECT_EQ(rig.durable.snapshots_begun, 1);
  EXPECT_EQ(*report->details.String("durable_lsn"), FormatLsn(FakeDatabase::After(2).resume_lsn));
  EXPECT_EQ(rig.database.confirmed, FakeDatabase::After(2).resume_lsn);

  rig.database.transactions.push_back({{"a", "6"}});
  const auto again = rig.stage.RunOnce({});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(*again->details.Bool("snapshot"));
  EXPECT_EQ(rig.durable.values, rig.database.Expected());
  EXPECT_EQ(rig.durable.snapshots_begun, 1);
}

TEST(CaptureStage, RunStreamsUntilItIsStopped) {
  Rig rig;
  std::stop_source stop;
  Status done;
  std::jthread runner([&] { done = rig.stage.Run(stop.get_token()); });
  EXPECT_TRUE(Eventually([&] { return rig.stage.status().phase == Phase::kStreaming; }));
  stop.request_stop();
  runner.join();
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(rig.stage.status().phase, Phase::kStopped);
  EXPECT_EQ(rig.durable.opened, 1);
}

TEST(CaptureStage, ASinkThatGivesUpWhileTheSourceIsSilentEndsTheAttempt) {
  Rig rig;
  rig.durable.fail_silently_after =
      4;  // two rows, the snapshot's end, one transaction; then the disk is full
  std::stop_source stop;
  Status done;
  std::jthread runner([&] { done = rig.stage.Run(stop.get_token()); });
  EXPECT_TRUE(Eventually([&] { return rig.stage.status().phase == Phase::kWaiting; }));
  EXPECT_EQ(rig.stage.status().last_error->kind(), ErrorKind::kOutOfSpace);
  EXPECT_TRUE(Eventually(
      [&] { return rig.stage.status().phase == Phase::kStreaming; }));  // the second attempt
  EXPECT_TRUE(Eventually([&] {
    std::lock_guard lock(rig.durable.mutex);
    return rig.durable.values == rig.database.Expected();
  }));
  stop.request_stop();
  runner.join();
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(rig.durable.opened, 2);
  EXPECT_EQ(rig.durable.snapshots_begun, 1);
}

TEST(CaptureStage, ErrorsThatCannotHealEndTheRun) {
  for (const ErrorKind kind : {ErrorKind::kFenced, ErrorKind::kPermission, ErrorKind::kInvalidInput,
                               ErrorKind::kCorrupt}) {
    Rig rig;
    rig.durable.open_failures = {Error(kind, "no")};
    const Status done = rig.stage.Run({});
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().kind(), kind);
    EXPECT_EQ(rig.durable.opened, 1);
  }
}

TEST(CaptureStage, StopEndsTheWaitBetweenAttempts) {
  Rig rig;
  rig.durable.open_failures.assign(100, Error(ErrorKind::kUnavailable, "no"));
  std::stop_source stop;
  std::jthread runner([&] { EXPECT_TRUE(rig.stage.Run(stop.get_token()).ok()); });
  EXPECT_TRUE(Eventually([&] { return rig.stage.status().phase == Phase::kWaiting; }));
  stop.request_stop();
  runner.join();
  EXPECT_LE(rig.durable.opened, 2);
}

TEST(Retry, DelaysDoubleToHalfAMinuteAndStartAnew) {
  Backoff backoff;
  int64_t before = 0;
  for (int i = 0; i < 20; ++i) {
    const int64_t delay = backoff.Next(0).count();
    EXPECT_GE(delay, before);
    before = delay;
  }
  EXPECT_EQ(before, 30'000);
  EXPECT_GE(backoff.Next(~uint64_t{0}).count(), 22'500);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(0).count(), 1000);
}

}  // namespace
}  // namespace millrace::capture
