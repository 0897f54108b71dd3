#include "pipeline/bronze/bronze_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "testing/bronze_contents.h"
#include "testing/fake_source.h"
#include "testing/fault_store.h"
#include "testing/manual_clock.h"
#include "testing/memory_store.h"

namespace millrace::bronze {
namespace {

using std::chrono::milliseconds;
using testing::FakeDatabase;
using testing::FakeSource;
using testing::FaultStore;
using testing::MakeBatch;
using testing::ManualClock;
using testing::MemoryStore;
using testing::ReadBronze;

constexpr int64_t kNow = 1'800'000'000'000;

Options SmallOptions() {
  Options options;
  options.source = "shop";
  options.slot = "millrace";
  options.orphan_grace = -kMicrosPerDay * 1'000'000;  // the fakes' clocks are far apart
  return options;
}

struct Bench {
  MemoryStore store;
  ManualClock clock;
  std::mutex mutex;
  std::vector<SourcePosition> durable;
  std::optional<Error> failed;

  std::unique_ptr<BronzeWriter> Open(ObjectStore& on, const Options& options = SmallOptions()) {
    SinkEvents events;
    events.durable = [this](const SourcePosition& position) {
      std::lock_guard lock(mutex);
      durable.push_back(position);
    };
    events.failed = [this](const Error& error) {
      std::lock_guard lock(mutex);
      failed = error;
    };
    auto writer = BronzeWriter::Open(on, clock, options, events);
    EXPECT_TRUE(writer.ok()) << writer.error().ToString();
    return std::move(writer).value();
  }
};

RecordBatch Batch(const std::string& topic, const std::vector<std::string>& values,
                  std::optional<size_t> ends_after, int64_t timestamp_ms = kNow) {
  std::vector<FakeDatabase::Change> changes;
  for (const std::string& value : values) changes.push_back({topic, value});
  RecordBatch batch = MakeBatch(changes, timestamp_ms);
  if (ends_after) batch.ends_at = FakeDatabase::After(*ends_after);
  return batch;
}

std::vector<BronzeCommit> Commits(ObjectStore& store) {
  auto commits = commitlog::ReadAfter(store, 0, 10'000);
  EXPECT_TRUE(commits.ok());
  return std::move(commits).value();
}

TEST(CommitPolicy, WaitsForTheBoundaryTheIntervalAndSilence) {
  const Options options;
  Uncommitted state;
  state.records = 5;
  state.since_commit = std::chrono::seconds(60);
  EXPECT_EQ(TimeToCommit(state, options), std::nullopt);  // inside a transaction
  state.at_boundary = true;
  EXPECT_EQ(TimeToCommit(state, options), Duration(options.idle));
  state.silence = options.idle;
  EXPECT_EQ(TimeToCommit(state, options), Duration::zero());
  state.since_commit = milliseconds(40);
  EXPECT_EQ(TimeToCommit(state, options), Duration(milliseconds(60)));
  state.silence = milliseconds(0);
  state.age = options.commit_interval;
  EXPECT_EQ(TimeToCommit(state, options), Duration::zero());
  state.age = milliseconds(499);
  EXPECT_EQ(TimeToCommit(state, options), Duration(milliseconds(1)));
  state.bytes = options.commit_bytes;
  EXPECT_EQ(TimeToCommit(state, options), Duration::zero());
}

TEST(CommitPolicy, ProgressAloneIsRareAndSnapshotsEndAtOnce) {
  const Options options;
  Uncommitted state;
  state.at_boundary = true;
  state.since_commit = std::chrono::seconds(4);
  EXPECT_EQ(TimeToCommit(state, options), std::nullopt);  // nothing moved
  state.moved = true;
  EXPECT_EQ(TimeToCommit(state, options), Duration(std::chrono::seconds(6)));
  state.since_commit = std::chrono::seconds(11);
  EXPECT_EQ(TimeToCommit(state, options), Duration::zero());
  state.since_commit = {};
  state.ends_snapshot = true;
  EXPECT_EQ(TimeToCommit(state, options), Duration::zero());
}

TEST(BronzeWriter, CommitsWhatItTookInOrderAndConfirmsIt) {
  Bench bench;
  auto writer = bench.Open(bench.store);
  ASSERT_TRUE(writer->Write(Batch("shop.public.a", {"1", "2"}, std::nullopt)).ok());
  ASSERT_TRUE(writer->Write(Batch("shop.public.b", {"3"}, 1)).ok());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_EQ(bench.durable.size(), 1U);
  EXPECT_EQ(bench.durable.back().resume_lsn, FakeDatabase::After(1).resume_lsn);
  ASSERT_TRUE(writer->Write(Batch("shop.public.a", {"null"}, 2)).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(ReadBronze(bench.store),
            (std::map<std::string, std::vector<std::string>>{{"shop.public.a", {"1", "2", "null"}},
                                                             {"shop.public.b", {"3"}}}));
  const auto commits = Commits(bench.store);
  ASSERT_EQ(commits.size(), 3U);  // the claim and two
  EXPECT_EQ(commits[1].files.size(), 2U);
  EXPECT_EQ(commits[2].position->resume_lsn, FakeDatabase::After(2).resume_lsn);
  EXPECT_EQ(writer->progress().records, 4);
  EXPECT_EQ(writer->Write(Batch("t", {"1"}, 3)).error().kind(), ErrorKind::kCancelled);
}

TEST(BronzeWriter, CommitsWithoutBeingAskedWhenTheInputFallsSilent) {
  Bench bench;
  auto writer = bench.Open(bench.store);
  ASSERT_TRUE(writer->Write(Batch("t", {"1"}, 1)).ok());
  for (int i = 0; i < 500 && writer->progress().commits == 0; ++i)
    std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(writer->progress().commits, 1);
}

TEST(BronzeWriter, NeverCommitsInsideATransaction) {
  Bench bench;
  Options options = SmallOptions();
  options.commit_interval = options.min_gap = options.idle = milliseconds(0);
  auto writer = bench.Open(bench.store, options);
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(writer->Write(Batch("t", {"1", "2"}, std::nullopt)).ok());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_TRUE(bench.durable.empty());
  ASSERT_TRUE(writer->Write(Batch("t", {"3"}, 1)).ok());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_EQ(bench.durable.size(), 1U);
  ASSERT_TRUE(writer->Write(Batch("t", {"lost"}, std::nullopt)).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(ReadBronze(bench.store)["t"].size(), 41U);
}

TEST(BronzeWriter, IdleProgressIsCommittedOnFlushAndNotRepeated) {
  Bench bench;
  auto writer = bench.Open(bench.store);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(writer->Write(Batch("t", {}, 5)).ok());
    ASSERT_TRUE(writer->Flush().ok());
  }
  EXPECT_EQ(Commits(bench.store).size(), 2U);
  EXPECT_EQ(bench.durable.size(), 1U);
}

TEST(BronzeWriter, FilesRollBySizeSchemaAndHour) {
  Bench bench;
  Options options = SmallOptions();
  options.file_bytes = 1 << 20;
  auto writer = bench.Open(bench.store, options);
  const std::string value = "\"" + std::string(1000, 'v') + "\"";
  for (int i = 0; i < 30; ++i)
    ASSERT_TRUE(writer->Write(Batch("t", std::vector<std::string>(100, value), std::nullopt)).ok());
  RecordBatch other = Batch("t", {"1"}, std::nullopt);
  Stream changed = *other.streams.front();
  changed.schema.columns.front().type_name = "integer";
  changed.fingerprint = Fingerprint(changed.schema);
  other.streams.front() = std::make_shared<const Stream>(changed);
  ASSERT_TRUE(writer->Write(std::move(other)).ok());
  RecordBatch later = Batch("t", {"2"}, std::nullopt, kNow + 3'600'000);
  later.streams.front() = std::make_shared<const Stream>(changed);
  ASSERT_TRUE(writer->Write(std::move(later)).ok());
  ASSERT_TRUE(writer->Write(Batch("t", {}, 1)).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const auto files = Commits(bench.store).back().files;
  ASSERT_EQ(files.size(), 6U);  // four by size (the fourth not full), one by schema, one by hour
  EXPECT_NE(files[3].schema, files[4].schema);
  EXPECT_EQ(files[4].schema, files[5].schema);
  EXPECT_NE(files[4].path.substr(0, 16), files[5].path.substr(0, 16));
  EXPECT_EQ(ReadBronze(bench.store)["t"].size(), 3002U);
}

TEST(BronzeWriter, ASnapshotIsOneCommitAndVanishesWhenItIsCutOff) {
  Bench bench;
  {
    auto writer = bench.Open(bench.store);
    EXPECT_FALSE(writer->resume().snapshot_running);
    ASSERT_TRUE(writer->BeginSnapshot().ok());
    ASSERT_TRUE(writer->Write(Batch("t", {"1", "2"}, std::nullopt)).ok());
    ASSERT_TRUE(writer->Flush().ok());
  }
  EXPECT_TRUE(ReadBronze(bench.store).empty());
  {
    auto writer = bench.Open(bench.store);
    EXPECT_TRUE(writer->resume().snapshot_running);
    EXPECT_FALSE(writer->resume().position.has_value());
    ASSERT_TRUE(writer->BeginSnapshot().ok());
    std::vector<std::jthread> workers;
    for (int worker = 0; worker < 3; ++worker) {
      workers.emplace_back([&] {
        for (int i = 0; i < 50; ++i)
          EXPECT_TRUE(writer->Write(Batch("t", {"1", "2"}, std::nullopt)).ok());
      });
    }
    workers.clear();
    RecordBatch end = Batch("t", {}, 0);
    end.ends_snapshot = true;
    ASSERT_TRUE(writer->Write(std::move(end)).ok());
    ASSERT_TRUE(writer->Write(Batch("t", {"3"}, 1)).ok());
    ASSERT_TRUE(writer->Finish().ok());
  }
  const auto commits = Commits(bench.store);
  EXPECT_EQ(commits.back().snapshot, SnapshotState::kDone);
  for (const BronzeCommit& commit : commits) {
    for (const BronzeFile& file : commit.files)
      EXPECT_EQ(file.snapshot, file.first_offset < 300) << file.path;
  }
  EXPECT_EQ(ReadBronze(bench.store)["t"].size(), 301U);
}

TEST(BronzeWriter, AnOlderWriterIsFencedAndShowsNothing) {
  Bench bench;
  auto zombie = bench.Open(bench.store);
  ASSERT_TRUE(zombie->Write(Batch("t", {"1"}, 1)).ok());
  ASSERT_TRUE(zombie->Flush().ok());
  auto writer = bench.Open(bench.store);
  const Status late_write = zombie->Write(Batch("t", {"666"}, 2));
  const Status late = zombie->Flush();
  EXPECT_TRUE(late_write.ok());
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind(), ErrorKind::kFenced);
  EXPECT_EQ(bench.failed->kind(), ErrorKind::kFenced);
  EXPECT_EQ(zombie->Write(Batch("t", {"667"}, 3)).error().kind(), ErrorKind::kFenced);
  ASSERT_TRUE(writer->Write(Batch("t", {"2"}, 2)).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(ReadBronze(bench.store)["t"], (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(bench.durable.size(), 2U);
}

// Every write of a run meets a full disk in turn: the run reports it, confirms nothing that is not
// committed, and a new writer goes on.
TEST(BronzeWriter, AFullDiskAtAnyWriteLosesNothing) {
  for (const auto fault : {FaultStore::Fault::kBefore, FaultStore::Fault::kAfter}) {
    for (int64_t nth = 0; nth < 9; ++nth) {
      Bench bench;
      FaultStore faults(bench.store);
      auto writer = bench.Open(faults);
      faults.Plan(nth, fault, ErrorKind::kOutOfSpace);
      Status flushed;
      size_t sent = 0;
      for (; sent < 2 && flushed.ok(); ++sent) {
        EXPECT_TRUE(writer->Write(Batch("a", {"1", "2"}, std::nullopt)).ok());
        EXPECT_TRUE(writer->Write(Batch("b", {"3"}, sent + 1)).ok());
        flushed = writer->Flush();
      }
      if (!flushed.ok()) {
        EXPECT_EQ(flushed.error().kind(), ErrorKind::kOutOfSpace);
        EXPECT_EQ(bench.failed->kind(), ErrorKind::kOutOfSpace);
      }
      writer.reset();
      faults.Heal();
      const auto state = commitlog::Recover(bench.store);
      ASSERT_TRUE(state.ok());
      const Lsn confirmed = bench.durable.empty() ? 0 : bench.durable.back().resume_lsn;
      EXPECT_LE(confirmed, state->position ? state->position->resume_lsn : 0);
      writer = bench.Open(faults);
      size_t next = writer->resume().position
                        ? (writer->resume().position->resume_lsn - FakeDatabase::kSlotLsn) / 100
                        : 0;
      for (; next < 2; ++next) {
        ASSERT_TRUE(writer->Write(Batch("a", {"1", "2"}, std::nullopt)).ok());
        ASSERT_TRUE(writer->Write(Batch("b", {"3"}, next + 1)).ok());
      }
      ASSERT_TRUE(writer->Finish().ok());
      const auto contents = ReadBronze(bench.store);
      EXPECT_EQ(contents.at("a"), (std::vector<std::string>{"1", "2", "1", "2"})) << nth;
      EXPECT_EQ(contents.at("b"), (std::vector<std::string>{"3", "3"})) << nth;
    }
  }
}

TEST(BronzeWriter, AllCompressionsReadBackAndManyTopicsShareTheMemory) {
  for (const Compression compression :
       {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    Bench bench;
    Options options = SmallOptions();
    options.compression = compression;
    options.pending_bytes = 3 << 20;
    options.max_streamed_files = 2;
    auto writer = bench.Open(bench.store, options);
    std::map<std::string, std::vector<std::string>> expected;
    std::mt19937_64 random(1);
    for (int i = 0; i < 400; ++i) {
      const std::string topic = "t" + std::to_string(i % 9);
      std::vector<std::string> values;
      for (int v = 0; v < 50; ++v)
        values.push_back("\"" + std::string(200 + random() % 200, 'x') + std::to_string(random()) +
                         "\"");
      expected[topic].insert(expected[topic].end(), values.begin(), values.end());
      ASSERT_TRUE(writer->Write(Batch(topic, values, static_cast<size_t>(i + 1))).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
    EXPECT_EQ(ReadBronze(bench.store), expected);
  }
}

// Random transactions, random failures of any kind at any write, random restarts: in the end each
// record is there once, in order, and at no time was something confirmed that a new writer would
// not find.
TEST(BronzeProperty, RandomFailuresLoseNothingAndDoubleNothing) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    MemoryStore store;
    FaultStore faults(store);
    ManualClock clock;
    FakeDatabase database;
    database.batch_records = 1 + random() % 9;
    for (size_t row = random() % 40; row > 0; --row) {
      database.rows.push_back({"t" + std::to_string(random() % 3), std::to_string(row)});
    }
    for (int t = 0; t < 60; ++t) {
      FakeDatabase::Transaction changes(random() % 8 == 0 ? 30 : random() % 4);
      for (auto& change : changes)
        change = {"t" + std::to_string(random() % 3), std::to_string(random() % 1'000'000)};
      database.transactions.push_back(changes);
    }
    database.on_confirm = [&](const SourcePosition& position) {
      const auto state = commitlog::Recover(store);
      ASSERT_TRUE(state.ok());
      ASSERT_TRUE(state->position && state->position->resume_lsn >= position.resume_lsn)
          << "confirmed before it was durable";
    };
    Options options = SmallOptions();
    options.commit_interval = options.min_gap = options.idle = milliseconds(0);
    options.roll_up_every = 7;
    options.file_bytes = 500;
    bool complete = false;
    for (int attempt = 0; attempt < 500 && !complete; ++attempt) {
      faults.Heal();
      if (attempt < 40) {
        constexpr FaultStore::Fault kFaults[] = {
            FaultStore::Fault::kBefore, FaultStore::Fault::kAfter, FaultStore::Fault::kDeadly};
        constexpr ErrorKind kKinds[] = {ErrorKind::kUnavailable, ErrorKind::kOutOfSpace,
                                        ErrorKind::kUnknownOutcome};
        faults.Plan(static_cast<int64_t>(random() % 30), kFaults[random() % 3],
                    kKinds[random() % 3]);
      }
      FakeSource source(database);
      SinkEvents events;
      events.durable = [&](const SourcePosition& position) { source.Confirm(position); };
      auto writer = BronzeWriter::Open(faults, clock, options, events);
      if (!writer.ok()) continue;
      const Status prepared =
          source.Prepare((*writer)->resume(), [&] { return (*writer)->BeginSnapshot(); });
      if (!prepared.ok()) {
        ASSERT_NE(prepared.error().kind(), ErrorKind::kFenced) << prepared.error().ToString();
        continue;
      }
      if (source.needs_snapshot() &&
          !source.Snapshot(**writer, [](const SnapshotProgress&) {}, {}).ok())
        continue;
      if (!source.Stream(**writer, Lsn{1}, {}).ok()) continue;
      complete = (*writer)->Finish().ok();
    }
    ASSERT_TRUE(complete);
    EXPECT_EQ(ReadBronze(store), database.Expected());
  }
}

}  // namespace
}  // namespace millrace::bronze
