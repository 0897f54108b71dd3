// Going on after an end, and what is refused.
#include <thread>

#include "adapter/source_postgres/check_source.h"
#include "adapter/source_postgres/postgres_source_fixture.h"

namespace millrace::postgres {
namespace {

class ResumeTest : public PostgresSourceTest {};

TEST_F(ResumeTest, ResumesAfterTheLastPositionWithoutLossOrRepeat) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)");
  StreamToNow(*source, sink);
  ASSERT_EQ(sink.records.size(), 2u);
  const SourcePosition position = *sink.position;
  source.reset();  // as after a kill: nothing was confirmed
  Sql("INSERT INTO t VALUES (3)");
  auto again = Open(Options());
  ASSERT_TRUE(Resume(*again, position).ok());
  EXPECT_FALSE(again->needs_snapshot());
  StreamToNow(*again, sink);
  ASSERT_EQ(sink.records.size(), 3u);
  EXPECT_EQ(sink.records[2].key, R"({"id":3})");
}

TEST_F(ResumeTest, TheSlotFollowsWhatIsConfirmedAndNothingElse) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.status_interval = std::chrono::milliseconds(200);
  auto source = Begin(sink, options);
  const std::string slot_sql =
      "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + options.slot +
      "'";
  const std::string at_start = Sql(slot_sql);
  std::jthread streaming([&](std::stop_token stop) {
    const Status status = source->Stream(sink, std::nullopt, stop);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
  });
  Sql("INSERT INTO t VALUES (1)");
  const auto wait_for = [&](auto condition) {
    for (int i = 0; i < 200 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return condition();
  };
  ASSERT_TRUE(wait_for([&] {
    const std::lock_guard lock(sink.mutex_);
    return sink.records.size() == 1;
  }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(Sql(slot_sql), at_start);
  SourcePosition position;
  {
    const std::lock_guard lock(sink.mutex_);
    position = *sink.position;
  }
  source->Confirm(position);
  EXPECT_TRUE(wait_for([&] { return Sql(slot_sql) == FormatLsn(position.resume_lsn) + "\n"; }))
      << Sql(slot_sql) << " is not " << FormatLsn(position.resume_lsn);

  // Writes to tables that are not ours move the position of an idle source.
  Sql("CREATE DATABASE elsewhere", "postgres");
  EXPECT_TRUE(wait_for([&] {
    const std::lock_guard lock(sink.mutex_);
    return sink.position->resume_lsn > position.resume_lsn;
  }));
  streaming.request_stop();
  streaming.join();
  source.reset();
  Sql("DROP DATABASE elsewhere", "postgres");
  EXPECT_EQ(Sql("SELECT active FROM pg_replication_slots WHERE slot_name = '" + options.slot + "'"),
            "f\n");
}

// A sink that blocks for longer than wal_sender_timeout: the server must not give up on us.
TEST_F(ResumeTest, ABlockedSinkDoesNotLoseTheConnection) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  class SlowSink final : public RecordSink {
   public:
    Status Write(RecordBatch batch) override {
      if (!batch.records.empty() && !slept) {
        slept = true;
        std::this_thread::sleep_for(std::chrono::seconds(7));
      }
      records += batch.records.size();
      return {};
    }
    bool slept = false;
    size_t records = 0;
  } slow;
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.status_interval = std::chrono::milliseconds(1000);
  options.batch_bytes = 16 << 10;
  auto source = Begin(sink, options);
  Sql("INSERT INTO t SELECT generate_series(1, 50000)");
  const auto lsn = source->CurrentLsn();
  const Status status = source->Stream(slow, *lsn, {});
  EXPECT_TRUE(status.ok()) << status.error().ToString();
  EXPECT_EQ(slow.records, 50000u);
}

TEST_F(ResumeTest, FencesWhatWouldLoseChanges) {
  Sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  StreamToNow(*source, sink);
  const SourcePosition position = *sink.position;
  source.reset();

  SourcePosition other = position;
  other.system_id += 1;
  auto again = Open(Options());
  EXPECT_EQ(Resume(*again, other).error().kind(), ErrorKind::kFenced);
  other = position;
  other.timeline = 7;
  EXPECT_EQ(Resume(*again, other).error().kind(), ErrorKind::kFenced);

  Sql("INSERT INTO t VALUES (2); SELECT pg_replication_slot_advance('" + Options().slot +
      "', pg_current_wal_lsn())");
  const Status ahead = Resume(*again, position);
  ASSERT_FALSE(ahead.ok());
  EXPECT_EQ(ahead.error().kind(), ErrorKind::kFenced);
  EXPECT_THAT(ahead.error().message(), HasSubstr(FormatLsn(position.resume_lsn)));

  Sql("SELECT pg_drop_replication_slot('" + Options().slot + "')");
  EXPECT_EQ(Resume(*again, position).error().kind(), ErrorKind::kFenced);
}

TEST_F(ResumeTest, ASlotThatIsNotOursIsLeftAlone) {
  Sql("CREATE TABLE t (id int PRIMARY KEY); SELECT pg_create_logical_replication_slot('" +
      Options().slot + "', 'pgoutput')");
  auto source = Open(Options());
  bool recorded = false;
  const Status refused = source->Prepare({}, [&]() -> Status {
    recorded = true;
    return {};
  });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kInvalidInput);
  EXPECT_FALSE(recorded);
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_publication"), "0\n");

  PostgresSourceOptions options = Options();
  options.adopt_slot = true;
  Sql("CREATE PUBLICATION millrace FOR TABLE t");
  source = Open(options);
  ASSERT_TRUE(source->Prepare({}, nullptr).ok());
  EXPECT_FALSE(source->needs_snapshot());

  // Ours, of a snapshot that was killed: dropped and begun again.
  source = Open(Options());
  ASSERT_TRUE(source->Prepare({.position = std::nullopt, .snapshot_running = true}, nullptr).ok());
  EXPECT_TRUE(source->needs_snapshot());
}

TEST_F(ResumeTest, AKeyThatOnlyPostgresCanCompareIsRefused) {
  Sql("CREATE EXTENSION citext; CREATE TABLE t (name citext PRIMARY KEY)");
  auto source = Open(Options());
  bool recorded = false;
  const Status refused = source->Prepare({}, [&]() -> Status {
    recorded = true;
    return {};
  });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(refused.error().message(), HasSubstr("public.t"));
  EXPECT_FALSE(recorded);
  PostgresSourceOptions options = Options();
  options.exclude_tables = {"public.t"};
  EXPECT_TRUE(Open(options)->Prepare({}, nullptr).ok());
}

// What becomes durable after a run that ends still moves the slot.
TEST_F(ResumeTest, ConfirmationsAfterTheStreamReachTheSlot) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql("INSERT INTO t VALUES (1)");
  StreamToNow(*source, sink);
  source->Confirm(*sink.position);
  source.reset();
  EXPECT_EQ(Sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" +
                Options().slot + "'"),
            FormatLsn(sink.position->resume_lsn) + "\n");
}

TEST_F(ResumeTest, ALostConnectionIsWorthRetrying) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Status status;
  std::jthread streaming(
      [&](std::stop_token stop) { status = source->Stream(sink, std::nullopt, stop); });
  const std::string active =
      "SELECT active FROM pg_replication_slots WHERE slot_name = '" + Options().slot + "'";
  for (int i = 0; i < 100 && Sql(active) != "t\n"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  Sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" +
      Options().slot + "'");
  streaming.join();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kUnavailable);
}

TEST_F(ResumeTest, CheckSourceFixesWhatItMay) {
  Sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE n (id int)");
  const auto before = CheckSource(Options());
  const auto done = ApplyFixes(Options(), before);
  ASSERT_TRUE(done.ok()) << done.error().ToString();
  EXPECT_EQ(done->size(), 1u);  // the publications
  for (const Finding& finding : CheckSource(Options())) {
    EXPECT_NE(finding.level, Finding::Level::kError) << finding.topic << ": " << finding.message;
    if (finding.topic == "publication") {
      EXPECT_EQ(finding.level, Finding::Level::kOk) << finding.message;
    }
  }
  PostgresSourceOptions unreachable = Options();
  unreachable.conninfo += " port=1";
  const auto lost = CheckSource(unreachable);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].topic, "connection");
}

TEST_F(ResumeTest, ARoleWithoutRightsIsToldWhichItNeeds) {
  Sql("CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
  PostgresSourceOptions options = Options();
  options.conninfo = Server().Conninfo(database_, "plain");
  auto source = Open(options);
  Status status = source->Prepare({}, nullptr);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(status.error().message(), HasSubstr("ALTER ROLE \"plain\" REPLICATION"));
  Sql("ALTER ROLE plain REPLICATION");
  status = source->Prepare({}, nullptr);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(status.error().message(), HasSubstr("GRANT CREATE ON DATABASE"));
  Sql("CREATE PUBLICATION millrace FOR TABLE t WITH (publish_via_partition_root = true)");
  ASSERT_TRUE(source->Prepare({}, nullptr).ok());
  CollectingSink sink;
  status = source->Snapshot(sink, nullptr, {});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(status.error().message(), HasSubstr("GRANT SELECT ON"));
}

}  // namespace
}  // namespace millrace::postgres
