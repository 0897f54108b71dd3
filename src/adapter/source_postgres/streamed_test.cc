// Transactions that come before they commit, against the same ones sent whole.
#include <filesystem>

#include "adapter/source_postgres/postgres_source_fixture.h"
#include "base/format.h"
#include "testing/temporary_folder.h"

namespace millrace::postgres {
namespace {

class StreamedTest : public PostgresSourceTest {
 protected:
  struct Read {
    std::vector<std::string> events;  // but for the time of reading
    SourcePosition position;
  };
  Read ReadFrom(const SourcePosition& start, const std::string& spill_folder) {
    PostgresSourceOptions options = Options();
    options.spill_folder = spill_folder;
    auto reader = Open(options);
    EXPECT_TRUE(Resume(*reader, start).ok());
    CollectingSink collected;
    StreamToNow(*reader, collected);
    Read read;
    for (const Collected& r : collected.records) {
      std::string value = r.value.substr(0, r.value.rfind(",\"ts_ms\":"));
      // The one thing that the server cannot say before the commit.
      const std::string origin_lsn = "\"origin_lsn\":171";
      if (const size_t at = value.find(origin_lsn); at != std::string::npos)
        value.replace(at, origin_lsn.size(), "\"origin_lsn\":null");
      read.events.push_back(Format("{} {} {} {}", r.topic, r.key, r.headers, value));
    }
    if (collected.position) read.position = *collected.position;
    return read;
  }
  int64_t StreamedByServer() {
    Sql("SELECT pg_sleep(0.2)");  // a walsender reports its figures when it ends
    return std::stoll(Sql("SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = '" +
                          Options().slot + "'"));
  }
  // Both ways from `start`; what the transactions of `workload` bring must be the same.
  void ExpectTheSame(const SourcePosition& start, size_t events, int64_t at_least_streamed) {
    testing::TemporaryFolder folder;
    const Read whole = ReadFrom(start, "");
    const int64_t before = StreamedByServer();
    const Read streamed = ReadFrom(start, folder / "spill");
    EXPECT_GE(StreamedByServer() - before, at_least_streamed);
    EXPECT_EQ(whole.events.size(), events);
    ASSERT_EQ(streamed.events.size(), whole.events.size());
    for (size_t i = 0; i < whole.events.size(); ++i)
      ASSERT_EQ(streamed.events[i], whole.events[i]) << i;
    EXPECT_EQ(streamed.position.last, whole.position.last);
    EXPECT_TRUE(std::filesystem::is_empty(folder / "spill"));
  }
  SourcePosition BeginWith(const std::string& sql) {
    Sql(sql);
    CollectingSink sink;
    auto source = Begin(sink, Options());
    return *sink.position;
  }
};

constexpr const char* kWide = "repeat(md5(i::text), 8)";

TEST_F(StreamedTest, SavepointsAndSchemaChanges) {
  const SourcePosition start = BeginWith(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, v text); "
      "ALTER TABLE u REPLICA IDENTITY FULL");
  const std::string rows = Format("SELECT i, {} FROM generate_series", kWide);
  Sql(Format(R"(
      BEGIN;
      INSERT INTO t {0}(1, 2000) i;
      SAVEPOINT a;
      INSERT INTO u {0}(1, 2000) i;
      ALTER TABLE t ADD COLUMN gone int;
      INSERT INTO t {0}(5001, 7000) i;
      ROLLBACK TO a;
      INSERT INTO u {0}(3001, 5000) i;
      SAVEPOINT b;
      UPDATE t SET id = -id WHERE id <= 1000;
      SAVEPOINT c;
      DELETE FROM t WHERE id > 0;
      ROLLBACK TO c;
      RELEASE b;
      SELECT pg_logical_emit_message(true, 'p', repeat('m', 5000)) \g /dev/null
      SELECT pg_logical_emit_message(false, 'p', repeat('m', 5000)) \g /dev/null
      ALTER TABLE t ADD COLUMN w int DEFAULT 7;
      UPDATE u SET v = 'short' WHERE id <= 3500;
      INSERT INTO t {0}(8001, 9000) i;
      TRUNCATE u;
      INSERT INTO u VALUES (1, 'after');
      COMMIT;
      BEGIN; INSERT INTO t {0}(10001, 12000) i; ROLLBACK;
      INSERT INTO t VALUES (20000, 'small', 1);
      DO $$ BEGIN
        FOR i IN 1..1000 LOOP
          BEGIN
            INSERT INTO t VALUES (30000 + i, {1}, i);
            IF i % 4 = 0 THEN RAISE 'no'; END IF;
          EXCEPTION WHEN raise_exception THEN NULL;
          END;
        END LOOP;
      END $$;)",
             rows, kWide));
  ExpectTheSame(start, 2000 + 2000 + 2 * 1000 + 500 + 1000 + 1 + 1 + 1 + 750, 2);
}

TEST_F(StreamedTest, TransactionsSideBySideAndPreparedOnes) {
  const SourcePosition start = BeginWith(
      "CREATE EXTENSION dblink; CREATE TABLE t (id int PRIMARY KEY, v text); "
      "CREATE TABLE quiet (id int); ALTER TABLE t ALTER v SET STORAGE EXTERNAL; "
      "INSERT INTO t VALUES (0, repeat('long', 2000))");
  const auto rows = [](int from, int to) {
    return Format("INSERT INTO t SELECT i, {} FROM generate_series({}, {}) i", kWide, from, to);
  };
  const auto other = [&](const std::string& sql) {
    return Format("SELECT dblink_exec('other', $q${}$q$) \\g /dev/null\n", sql);
  };
  std::string sql =
      "SELECT dblink_connect('other', $q$" + Server().Conninfo(database_) + "$q$) \\g /dev/null\n";
  sql += other("BEGIN") + other(rows(1, 1000)) + "BEGIN;" + rows(2001, 3000) + ";" +
         other(rows(1001, 2000)) + rows(3001, 4000) + ";" +
         other("UPDATE t SET id = -1 WHERE id = 0") + "COMMIT;" +
         "INSERT INTO t VALUES (5000, 'small');" + other("COMMIT");
  for (const char* name : {"yes", "no"}) {
    const int from = *name == 'y' ? 10000 : 20000;
    sql +=
        Format("BEGIN; {}; PREPARE TRANSACTION '{}_{}';", rows(from, from + 999), name, database_);
  }
  sql += "INSERT INTO t VALUES (5001, 'small');";
  sql += Format("ROLLBACK PREPARED 'no_{0}'; COMMIT PREPARED 'yes_{0}';", database_);
  // One of which nothing is left.
  sql += "BEGIN; SAVEPOINT a; " + rows(40000, 41000) + "; ROLLBACK TO a; COMMIT;";
  sql += "SELECT pg_replication_origin_create('up_" + database_ + "') \\g /dev/null\n";
  sql += "SELECT pg_replication_origin_session_setup('up_" + database_ + "') \\g /dev/null\n";
  sql += "BEGIN; SELECT pg_replication_origin_xact_setup('0/AB', now()) \\g /dev/null\n";
  sql += rows(50000, 51000) + "; COMMIT; INSERT INTO t VALUES (5002, 'last');";
  Sql(sql);
  ExpectTheSame(start, 2000 + 2000 + 2 + 1 + 1000 + 1 + 1001 + 1, 5);
}

}  // namespace
}  // namespace millrace::postgres
