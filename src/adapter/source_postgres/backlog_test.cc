// A backlog read over SQL, against the stream.
#include <set>
#include <thread>

#include "adapter/source_postgres/postgres_source_fixture.h"

namespace millrace::postgres {
namespace {

class BacklogTest : public PostgresSourceTest {};

// A backlog read over SQL is what the stream would have brought, to the byte but for the time of
// reading.
TEST_F(BacklogTest, CatchingUpGivesWhatStreamingGives) {
  Sql("CREATE TABLE t (id int PRIMARY KEY, v text)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  const SourcePosition start = *sink.position;
  source.reset();
  Sql(R"(CREATE PROCEDURE load() LANGUAGE plpgsql AS $$ BEGIN
           FOR i IN 1..500 LOOP
             INSERT INTO t SELECT i * 10 + k, repeat('x', 100) FROM generate_series(0, 9) k; UPDATE t SET id = -id, v = 'y' WHERE id = i * 5;
             COMMIT;
           END LOOP; END $$;
         CALL load(); ALTER TABLE t ADD COLUMN w int DEFAULT 7; INSERT INTO t VALUES (100000, E'tab\tand\\'); TRUNCATE t; DELETE FROM t;)");
  const auto read = [&](int64_t catch_up_bytes) {
    PostgresSourceOptions options = Options();
    options.catch_up_bytes = catch_up_bytes;
    auto reader = Open(options);
    EXPECT_TRUE(Resume(*reader, start).ok());
    CollectingSink collected;
    StreamToNow(*reader, collected);
    std::vector<std::string> events;
    for (const Collected& r : collected.records)
      events.push_back(r.topic + r.key + r.headers +
                       r.value.substr(0, r.value.rfind(",\"ts_ms\":")));
    return std::pair(events, *collected.position);
  };
  const auto [streamed, streamed_to] = read(0);
  const auto [caught_up, caught_up_to] = read(64 << 10);
  EXPECT_EQ(streamed.size(), 500u * 10 + 499 * 2 + 2);
  EXPECT_TRUE(streamed == caught_up);  // too much to print
  EXPECT_EQ(streamed_to.last, caught_up_to.last);

  // And what is confirmed after it moves the slot, without a stream.
  PostgresSourceOptions options = Options();
  options.catch_up_bytes = 64 << 10;
  auto reader = Open(options);
  ASSERT_TRUE(Resume(*reader, start).ok());
  CollectingSink collected;
  StreamToNow(*reader, collected);
  reader->Confirm(*collected.position);
  reader.reset();
  EXPECT_EQ(Sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" +
                Options().slot + "'"),
            FormatLsn(collected.position->resume_lsn) + "\n");
}

// What was asked for ahead ends with the one who reads it, whoever gives up.
TEST_F(BacklogTest, AnErrorOrAStopEndsIt) {
  Sql("CREATE TABLE t (id int PRIMARY KEY, v text)");
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.catch_up_bytes = 64 << 10;
  options.batch_bytes = 16 << 10;
  auto source = Begin(sink, options);
  const SourcePosition start = *sink.position;
  source.reset();
  Sql("DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO t VALUES (i, repeat('x', 200)); COMMIT; END "
      "LOOP; END $$;");
  class GivesUp final : public RecordSink {
   public:
    Status Write(RecordBatch) override {
      if (++batches < 10) return {};
      if (!fails) {
        stop.request_stop();
        return {};
      }
      return Error(ErrorKind::kOutOfSpace, "full");
    }
    int batches = 0;
    bool fails = false;
    std::stop_source stop;
  };
  GivesUp full;
  full.fails = true;
  source = Open(options);
  ASSERT_TRUE(Resume(*source, start).ok());
  const Status failed = source->Stream(full, std::nullopt, {});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), ErrorKind::kOutOfSpace);
  GivesUp stopped;
  ASSERT_TRUE(Resume(*source, start).ok());
  const Status status = source->Stream(stopped, std::nullopt, stopped.stop.get_token());
  EXPECT_TRUE(status.ok()) << status.error().ToString();
  EXPECT_LT(stopped.batches, 20);
}

// A backlog, and the stream after it, while writers go on.
TEST_F(BacklogTest, FromCatchingUpToStreaming) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.catch_up_bytes = 64 << 10;
  auto source = Begin(sink, options);
  const SourcePosition start = *sink.position;
  source.reset();
  const std::string load =
      "DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO t VALUES (i + %d); COMMIT; END LOOP; END $$;";
  const auto run_load = [&](const char* from) {
    std::string sql = load;
    Sql(sql.replace(sql.find("%d"), 2, from));
  };
  run_load("0");
  source = Open(options);
  ASSERT_TRUE(Resume(*source, start).ok());
  std::jthread streaming([&](std::stop_token stop) {
    const Status status = source->Stream(sink, std::nullopt, stop);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
  });
  run_load("10000");
  for (int i = 0; i < 300; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::lock_guard lock(sink.mutex_);
    if (sink.records.size() >= 6000) break;
  }
  streaming.request_stop();
  streaming.join();
  std::set<std::string> keys;
  for (const Collected& r : sink.records) keys.insert(r.key);
  EXPECT_EQ(keys.size(), 6000u);
  EXPECT_EQ(sink.records.size(), 6000u);
}

}  // namespace
}  // namespace millrace::postgres
