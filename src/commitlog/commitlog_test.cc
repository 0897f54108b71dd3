#include <gtest/gtest.h>

#include "codec/compression.h"
#include "codec/hash.h"
#include "commitlog/commit_format.h"
#include "commitlog/commit_log.h"
#include "commitlog/roll_up.h"
#include "testing/fault_store.h"
#include "testing/manual_clock.h"
#include "testing/memory_store.h"

namespace millrace::commitlog {
namespace {

using testing::FaultStore;
using testing::ManualClock;
using testing::MemoryStore;

constexpr const char* kTopic = "shop.public.orders";

template <typename T>
std::string Why(const Result<T>& result) {
  return result.ok() ? "ok" : result.error().ToString();
}

struct Log {
  MemoryStore store;
  ManualClock clock;
  Writer Open() {
    auto writer = Writer::Open(store, clock, "shop", "millrace");
    EXPECT_TRUE(writer.ok()) << Why(writer);
    return std::move(writer).value();
  }
};

// The next commit of `records` records in one file.
BronzeCommit Next(const State& state, int64_t records) {
  BronzeCommit commit;
  const auto known = state.next_offsets.find(kTopic);
  const int64_t first = known == state.next_offsets.end() ? 0 : known->second;
  if (records > 0) {
    BronzeFile file;
    file.topic = kTopic;
    file.path = BronzeFilePath(kTopic, 0, first, state.epoch, 7, 0, Compression::kZstd);
    file.first_offset = first;
    file.last_offset = first + records - 1;
    file.records = records;
    commit.files = {file};
  }
  const Lsn lsn = state.position ? state.position->last.commit_lsn + 100 : 100;
  commit.position = SourcePosition{42, 1, {lsn, 3}, lsn + 50, 1000};
  commit.snapshot = SnapshotState::kDone;
  return commit;
}

void ExpectSame(const State& a, const State& b) { EXPECT_EQ(EncodeState(a), EncodeState(b)); }

TEST(CommitLog, AnEmptyLogIsState0) {
  MemoryStore store;
  const auto state = Recover(store);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->number, 0);
  EXPECT_FALSE(state->position.has_value());
  EXPECT_TRUE(ReadAfter(store, 0, 10)->empty());
}

TEST(CommitLog, OpeningClaimsAnEpochAndAppendsFollow) {
  Log log;
  Writer writer = log.Open();
  EXPECT_EQ(writer.epoch(), 1);
  ASSERT_TRUE(writer.Append(Next(writer.state(), 3)).ok());
  ASSERT_TRUE(writer.Append(Next(writer.state(), 2)).ok());
  Writer second = log.Open();
  EXPECT_EQ(second.epoch(), 2);
  EXPECT_EQ(second.state().number, 4);
  EXPECT_EQ(second.state().next_offsets.at(kTopic), 5);
  EXPECT_EQ(second.state().position->last.commit_lsn, 200U);
  EXPECT_EQ(second.state().snapshot, SnapshotState::kDone);
  const auto commits = ReadAfter(log.store, 1, 2);
  ASSERT_TRUE(commits.ok());
  ASSERT_EQ(commits->size(), 2U);
  EXPECT_EQ(commits->front().number, 2);
  EXPECT_EQ(commits->front().source, "shop");
  EXPECT_EQ(commits->back().files.front().first_offset, 3);
}

TEST(CommitLog, AWriterThatWakesUpLateIsFencedAndShowsNothing) {
  Log log;
  Writer zombie = log.Open();
  ASSERT_TRUE(zombie.Append(Next(zombie.state(), 3)).ok());
  const BronzeCommit late = Next(zombie.state(), 9);
  Writer writer = log.Open();
  ASSERT_TRUE(writer.Append(Next(writer.state(), 2)).ok());
  const Status put = zombie.Append(late);
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind(), ErrorKind::kFenced);
  ExpectSame(*Recover(log.store), writer.state());
  EXPECT_EQ(writer.state().next_offsets.at(kTopic), 5);
}

TEST(CommitLog, AnotherSourceOrSlotIsRefused) {
  Log log;
  log.Open();
  EXPECT_EQ(Writer::Open(log.store, log.clock, "other", "millrace").error().kind(),
            ErrorKind::kInvalidInput);
  EXPECT_EQ(Writer::Open(log.store, log.clock, "shop", "other").error().kind(),
            ErrorKind::kInvalidInput);
}

TEST(CommitLog, FilesMustContinueTheirTopic) {
  Log log;
  Writer writer = log.Open();
  BronzeCommit gap = Next(writer.state(), 3);
  gap.files.front().first_offset = 1;
  gap.files.front().last_offset = 3;
  EXPECT_EQ(writer.Append(gap).error().kind(), ErrorKind::kInternal);
  BronzeCommit back = Next(writer.state(), 1);
  ASSERT_TRUE(writer.Append(Next(writer.state(), 1)).ok());
  EXPECT_EQ(writer.Append(back).error().kind(), ErrorKind::kInternal);
  EXPECT_EQ(Recover(log.store)->number, 2);
}

TEST(CommitLog, APutThatMayHaveHappenedIsReadBack) {
  Log log;
  FaultStore faults(log.store);
  auto writer = Writer::Open(faults, log.clock, "shop", "millrace");
  ASSERT_TRUE(writer.ok());
  faults.Plan(0, FaultStore::Fault::kAfter);
  ASSERT_TRUE(writer->Append(Next(writer->state(), 3)).ok());
  ExpectSame(*Recover(log.store), writer->state());
  faults.Plan(0, FaultStore::Fault::kBefore, ErrorKind::kUnknownOutcome);
  ASSERT_TRUE(writer->Append(Next(writer->state(), 3)).ok());
  ExpectSame(*Recover(log.store), writer->state());
  EXPECT_EQ(writer->state().next_offsets.at(kTopic), 6);
}

TEST(CommitLog, AFailedPutLeavesTheStateAsItWas) {
  Log log;
  FaultStore faults(log.store);
  auto writer = Writer::Open(faults, log.clock, "shop", "millrace");
  faults.Plan(0, FaultStore::Fault::kBefore, ErrorKind::kOutOfSpace);
  EXPECT_EQ(writer->Append(Next(writer->state(), 3)).error().kind(), ErrorKind::kOutOfSpace);
  EXPECT_EQ(writer->state().number, 1);
  ExpectSame(*Recover(log.store), writer->state());
}

TEST(CommitLog, DamageIsNamed) {
  Log log;
  Writer writer = log.Open();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(writer.Append(Next(writer.state(), 1)).ok());
  ByteBuffer stored;
  ASSERT_TRUE(log.store.Get(CommitPath(3), stored).ok());
  const std::string good(stored.view());
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(DecodeCommit(bad, 3, "x").ok()) << at;
    EXPECT_FALSE(DecodeCommit(std::string_view(good).substr(0, at), 3, "x").ok()) << at;
  }
  ASSERT_TRUE(log.store.Put(CommitPath(3), good.substr(0, 50)).ok());
  EXPECT_EQ(Recover(log.store).error().kind(), ErrorKind::kCorrupt);
  EXPECT_NE(Why(ReadAfter(log.store, 2, 10)).find(CommitPath(3)), std::string::npos);
  ASSERT_TRUE(log.store.Delete(CommitPath(3)).ok());
  EXPECT_EQ(Recover(log.store).error().kind(), ErrorKind::kCorrupt);
  EXPECT_NE(Why(Recover(log.store)).find(CommitPath(3)), std::string::npos);
  // To a reader that stands there a gap is no end of the log.
  EXPECT_EQ(ReadAfter(log.store, 2, 10).error().kind(), ErrorKind::kCorrupt);
  EXPECT_NE(Why(ReadAfter(log.store, 2, 10)).find(CommitPath(3)), std::string::npos);
}

TEST(CommitLog, UnknownMembersPassAndNewerFormatsDoNot) {
  BronzeCommit commit;
  commit.number = 1;
  commit.source = "shop";
  const std::string text = EncodeCommit(commit);
  const auto reseal = [&](const std::string& from, const std::string& to) {
    std::string body = text.substr(0, text.rfind(",\"checksum\""));
    body.replace(body.find(from), from.size(), to);
    return body + ",\"checksum\":\"" + Sha256Hex(body).substr(0, 16) + "\"}";
  };
  const auto later =
      DecodeCommit(reseal("\"number\"", "\"novelty\":[1,{\"x\":2}],\"number\""), 1, "x");
  ASSERT_TRUE(later.ok()) << Why(later);
  EXPECT_EQ(later->source, "shop");
  EXPECT_EQ(
      DecodeCommit(reseal("\"format_version\":1", "\"format_version\":2"), 1, "x").error().kind(),
      ErrorKind::kUnsupported);
}

TEST(CommitLog, LookingForNewCommitsDoesNotList) {
  Log log;
  Writer writer = log.Open();
  ASSERT_TRUE(writer.Append(Next(writer.state(), 1)).ok());
  const int64_t before = log.store.reads();
  EXPECT_TRUE(ReadAfter(log.store, 2, 10)->empty());
  EXPECT_EQ(log.store.reads(), before);  // a missing object is no read
}

TEST(RollUp, RecoverAndReadAfterSeeTheSameLogWithAndWithoutCommits) {
  Log log;
  Writer writer = log.Open();
  for (int i = 0; i < 25; ++i) {
    ASSERT_TRUE(writer.Append(Next(writer.state(), 1 + i % 3)).ok());
    const Status rolled = writer.MaybeRollUp(10);
    ASSERT_TRUE(rolled.ok()) << Why(rolled);
  }
  EXPECT_EQ(*ListRollUps(log.store), (std::vector<int64_t>{10, 20}));
  std::vector<std::string> before;
  const auto all = ReadAfter(log.store, 0, 1000);
  for (const BronzeCommit& commit : *all) before.push_back(EncodeCommit(commit));
  ASSERT_EQ(before.size(), 26U);

  // 8 days later the commits that an earlier roll-up holds go.
  log.clock.Advance(8 * kMicrosPerDay);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(writer.Append(Next(writer.state(), 2)).ok());
    ASSERT_TRUE(writer.MaybeRollUp(10).ok());
  }
  EXPECT_FALSE(log.store.Head(CommitPath(20)).ok());
  EXPECT_TRUE(log.store.Head(CommitPath(21)).ok());
  ExpectSame(*Recover(log.store), writer.state());
  for (int64_t from : {0, 1, 9, 10, 11, 19, 20, 21, 25}) {
    std::vector<std::string> got;
    for (int64_t at = from;;) {
      const auto part = ReadAfter(log.store, at, 7);
      ASSERT_TRUE(part.ok()) << Why(part);
      if (part->empty()) break;
      for (const BronzeCommit& commit : *part) got.push_back(EncodeCommit(commit));
      at = part->back().number;
    }
    ASSERT_EQ(got.size(), static_cast<size_t>(30 - from));
    for (size_t i = 0; i + static_cast<size_t>(from) < before.size(); ++i)
      EXPECT_EQ(got[i], before[i + static_cast<size_t>(from)]);
  }
  Writer second = log.Open();
  ASSERT_TRUE(second.Append(Next(second.state(), 2)).ok());
}

TEST(RollUp, YoungCommitsStay) {
  Log log;
  Writer writer = log.Open();
  for (int i = 0; i < 40; ++i) {
    log.clock.Advance(kMicrosPerDay / 10);
    ASSERT_TRUE(writer.Append(Next(writer.state(), 1)).ok());
    ASSERT_TRUE(writer.MaybeRollUp(10).ok());
  }
  for (int64_t number = 1; number <= 41; ++number)
    EXPECT_TRUE(log.store.Head(CommitPath(number)).ok()) << number;
}

// A writer that slept so long that the commits which fenced it were deleted: its put finds the
// number free.
TEST(RollUp, ASleeperBehindTheRollUpIsFenced) {
  Log log;
  Writer sleeper = log.Open();
  ASSERT_TRUE(sleeper.Append(Next(sleeper.state(), 1)).ok());
  Writer writer = log.Open();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(writer.Append(Next(writer.state(), 1)).ok());
    ASSERT_TRUE(writer.MaybeRollUp(10).ok());
    if (i == 15) log.clock.Advance(9 * kMicrosPerDay);
  }
  ASSERT_FALSE(log.store.Head(CommitPath(3)).ok());
  const Status put = sleeper.Append(Next(sleeper.state(), 5));
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind(), ErrorKind::kFenced);
  EXPECT_FALSE(log.store.Head(CommitPath(3)).ok());
  ExpectSame(*Recover(log.store), writer.state());
}

TEST(RollUp, DamageIsNamed) {
  Log log;
  Writer writer = log.Open();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(writer.Append(Next(writer.state(), 1)).ok());
  ASSERT_TRUE(writer.MaybeRollUp(10).ok());
  ByteBuffer stored;
  ASSERT_TRUE(log.store.Get(RollUpPath(13), stored).ok());
  ASSERT_TRUE(ReadRollUp(log.store, 13).ok());
  for (const size_t keep : {size_t{0}, size_t{9}, stored.size() / 2, stored.size() - 1}) {
    ASSERT_TRUE(log.store.Put(RollUpPath(13), stored.view(0, keep)).ok());
    EXPECT_EQ(ReadRollUp(log.store, 13).error().kind(), ErrorKind::kCorrupt) << keep;
  }
  std::string flipped(stored.view());
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 4);
  ASSERT_TRUE(log.store.Put(RollUpPath(13), flipped).ok());
  EXPECT_EQ(Recover(log.store).error().kind(), ErrorKind::kCorrupt);
}

TEST(Schemas, AreStoredOnceAndChecked) {
  MemoryStore store;
  TableSchema schema;
  schema.schema = "public";
  schema.table = "orders";
  schema.relation_oid = 16400;
  SourceColumn id;
  id.attnum = 1;
  id.name = "id";
  id.type_name = "bigint";
  id.type.kind = LogicalKind::kInt64;
  id.key_position = 1;
  schema.columns = {id};
  const std::string fingerprint = Fingerprint(schema);
  ASSERT_TRUE(WriteSchema(store, kTopic, schema).ok());
  ASSERT_TRUE(WriteSchema(store, kTopic, schema).ok());
  const auto back = ReadSchema(store, kTopic, fingerprint);
  ASSERT_TRUE(back.ok()) << Why(back);
  EXPECT_EQ(back->columns.front().name, "id");
  ByteBuffer text;
  ASSERT_TRUE(store.Get(SchemaPath(kTopic, fingerprint), text).ok());
  std::string damaged(text.view());
  damaged.replace(damaged.find("16400"), 5, "16401");
  ASSERT_TRUE(store.Put(SchemaPath(kTopic, fingerprint), damaged).ok());
  EXPECT_EQ(ReadSchema(store, kTopic, fingerprint).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(ReadSchema(store, kTopic, "0000000000000000").error().kind(), ErrorKind::kNotFound);
}

TEST(Files, DamageIsFound) {
  MemoryStore store;
  BronzeFile file;
  file.path = "t/x";
  file.compression = Compression::kNone;
  file.bytes = 5;
  file.sha256 = Sha256Hex("hello");
  ByteBuffer out;
  EXPECT_EQ(ReadFile(store, file, out).error().kind(), ErrorKind::kCorrupt);
  ASSERT_TRUE(store.Put("t/x", "hello").ok());
  ASSERT_TRUE(ReadFile(store, file, out).ok());
  EXPECT_EQ(out.view(), "hello");
  ASSERT_TRUE(store.Put("t/x", "hellO").ok());
  EXPECT_EQ(ReadFile(store, file, out).error().kind(), ErrorKind::kCorrupt);
}

TEST(Orphans, OnlyUnnamedFilesOfOlderEpochsGo) {
  Log log;
  Writer writer = log.Open();
  ASSERT_TRUE(WriteSchema(log.store, kTopic, {}).ok());
  const BronzeCommit named = Next(writer.state(), 3);
  ASSERT_TRUE(log.store.Put(named.files.front().path, "named").ok());
  const std::string orphan = BronzeFilePath(kTopic, 0, 3, 1, 8, 0, Compression::kZstd);
  const std::string current = BronzeFilePath(kTopic, 0, 3, 2, 9, 0, Compression::kZstd);
  const std::string young = BronzeFilePath(kTopic, 0, 4, 1, 9, 0, Compression::kZstd);
  for (const std::string& path : {orphan, current, young})
    ASSERT_TRUE(log.store.Put(path, "x").ok());
  ASSERT_TRUE(log.store.Put("notes/read-me.txt", "not ours").ok());
  log.store.set_modified_at(young, log.clock.Now());
  ASSERT_TRUE(writer.Append(named).ok());
  Writer second = log.Open();
  const auto removed = RemoveOrphans(log.store, log.clock, kMicrosPerSecond);
  ASSERT_TRUE(removed.ok()) << Why(removed);
  EXPECT_EQ(*removed, 1);
  EXPECT_FALSE(log.store.Head(orphan).ok());
  for (const std::string& path :
       {named.files.front().path, current, young, std::string("notes/read-me.txt")}) {
    EXPECT_TRUE(log.store.Head(path).ok()) << path;
  }
}

// A year of Bronze before it must not make a start slow: only the days and commits since the last
// writers' claims are looked at.
TEST(Orphans, TheSearchLeavesOldDaysAlone) {
  Log log;
  ASSERT_TRUE(WriteSchema(log.store, kTopic, {}).ok());
  constexpr Micros kOld = 1'700'000'000 * kMicrosPerSecond;
  constexpr Micros kNew = kOld + 100 * kMicrosPerDay;
  const auto append = [&](Writer& writer, Micros time) {
    BronzeCommit commit = Next(writer.state(), 1);
    commit.files.front().path = BronzeFilePath(kTopic, 0, commit.files.front().first_offset,
                                               writer.epoch(), 7, time, Compression::kZstd);
    commit.position->commit_time = time;
    ASSERT_TRUE(log.store.Put(commit.files.front().path, "x").ok());
    ASSERT_TRUE(writer.Append(commit).ok());
  };
  const auto leave = [&](const Writer& writer, Micros time) {
    const std::string path =
        BronzeFilePath(kTopic, 0, 999, writer.epoch(), 8, time, Compression::kZstd);
    EXPECT_TRUE(log.store.Put(path, "x").ok());
    return path;
  };
  std::vector<std::string> old_files, new_files;
  for (int i = 0; i < 3; ++i) {
    Writer writer = log.Open();
    append(writer, kOld + i);
    old_files.push_back(leave(writer, kOld + i));
  }
  // While the log's whole history is within the kept claims, all of it is searched.
  ASSERT_EQ(*RemoveOrphans(log.store, log.clock, 0),
            2);  // the newest writer's own is not an orphan
  for (size_t i = 0; i < kKeptClaims + 1; ++i) {
    Writer writer = log.Open();
    append(writer, kNew + static_cast<Micros>(i));
    new_files.push_back(leave(writer, kNew + static_cast<Micros>(i)));
  }
  ASSERT_EQ(Recover(log.store)->claims.size(), kKeptClaims);
  const int64_t removed = *RemoveOrphans(log.store, log.clock, 0);
  EXPECT_EQ(removed, static_cast<int64_t>(kKeptClaims) - 1);
  EXPECT_FALSE(log.store.Head(new_files[1]).ok());
  EXPECT_TRUE(log.store.Head(new_files.back()).ok());
  EXPECT_TRUE(log.store.Head(old_files[2])
                  .ok());  // of a writer that is no longer kept: costs room, nothing else
  Writer writer = log.Open();
  ASSERT_TRUE(writer.MaybeRollUp(1).ok());
  ExpectSame(*Recover(log.store), writer.state());
  EXPECT_EQ(*RemoveOrphans(log.store, log.clock, 0), 1);
  EXPECT_FALSE(log.store.Head(new_files.back()).ok());
}

}  // namespace
}  // namespace millrace::commitlog
