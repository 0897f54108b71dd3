// Tables that come later, and those that are read again.
#include <set>
#include <thread>

#include "adapter/source_postgres/postgres_source_fixture.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

class TableWatcherTest : public PostgresSourceTest {};

TEST_F(TableWatcherTest, ATableCreatedLaterComesWithItsRows) {
  Sql("CREATE TABLE a (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  StreamToNow(*source, sink);
  SourcePosition position = *sink.position;
  source.reset();
  Sql("INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES "
      "(1, 'x'), (2, 'y'); "
      "UPDATE b SET v = 'z' WHERE id = 2; INSERT INTO a VALUES (2);");
  auto again = Open(Options());
  ASSERT_TRUE(Resume(*again, position).ok());
  StreamToNow(*again, sink);
  ASSERT_EQ(sink.Of("srv.public.b").size(), 2u);
  EXPECT_EQ(Member(sink.Of("srv.public.b")[0].value, "op"), "\"r\"");
  EXPECT_EQ(sink.Of("srv.public.a").size(), 2u);
  EXPECT_GT(sink.position->last.commit_lsn, position.last.commit_lsn);

  // Not confirmed, as by a kill before the commit: read again, after a truncate.
  again.reset();
  Sql("DELETE FROM b WHERE id = 1; INSERT INTO b VALUES (3, 'w')");
  sink.records.clear();
  again = Open(Options());
  ASSERT_TRUE(Resume(*again, position).ok());
  StreamToNow(*again, sink);
  const std::string comment =
      "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = "
      "'millrace'";
  EXPECT_THAT(Sql(comment), HasSubstr("rows pending"));
  EXPECT_EQ(Member(sink.Of("srv.public.b")[0].value, "op"), "\"t\"");
  EXPECT_EQ(Applied(sink.Of("srv.public.b")),
            (std::map<std::string, std::string>{{"{\"id\":2}", "{\"id\":2,\"v\":\"z\"}"},
                                                {"{\"id\":3}", "{\"id\":3,\"v\":\"w\"}"}}));
  uint64_t last = 0;
  for (const Collected& r : sink.Of("srv.public.b")) {
    const uint64_t lsn = Parsed(r.value).Find("source")->Find("commit_lsn")->AsUint();
    EXPECT_GE(lsn, last);
    last = lsn;
  }

  again->Confirm(*sink.position);
  position = *sink.position;
  again.reset();
  EXPECT_EQ(Sql(comment), "managed by millrace\n");
  sink.records.clear();
  again = Open(Options());
  ASSERT_TRUE(Resume(*again, position).ok());
  Sql("DELETE FROM b WHERE id = 2");
  StreamToNow(*again, sink);
  ASSERT_EQ(sink.records.size(), 1u);
  EXPECT_EQ(Member(sink.records[0].value, "op"), "\"d\"");
}

// Writers are at the new table all the while, in transactions with another table; nothing may be
// lost, doubled or out of order.
TEST_F(TableWatcherTest, ATableCreatedWhileStreamingUnderLoad) {
  Sql("CREATE TABLE a (id int PRIMARY KEY)");
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.table_check_interval = std::chrono::milliseconds(200);
  auto source = Begin(sink, options);
  std::jthread streaming([&](std::stop_token stop) {
    const Status status = source->Stream(sink, std::nullopt, stop);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Sql(R"(BEGIN; CREATE TABLE b (id int PRIMARY KEY, v int); INSERT INTO b VALUES (1000000, 1); COMMIT;
         CREATE PROCEDURE load() LANGUAGE plpgsql AS $$ BEGIN
           FOR i IN 1..4000 LOOP
             INSERT INTO a VALUES (i); INSERT INTO b VALUES (i, 0); UPDATE b SET v = i WHERE id = i / 2; DELETE FROM b WHERE id = i / 3 AND id % 5 = 0;
             COMMIT;
           END LOOP; END $$;
         CALL load();)");
  const std::string expected = Sql("SELECT count(*), sum(id), sum(v) FROM b");
  const auto lsn = source->CurrentLsn();
  for (int i = 0; i < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::lock_guard lock(sink.mutex_);
    if (sink.position && sink.position->resume_lsn >= *lsn) break;
  }
  streaming.request_stop();
  streaming.join();
  EXPECT_EQ(sink.Of("srv.public.a").size(), 4000u);
  int64_t count = 0, ids = 0, values = 0;
  for (const auto& [key, row] : Applied(sink.Of("srv.public.b"))) {
    ++count;
    ids += Parsed(row).Find("id")->AsInt();
    values += Parsed(row).Find("v")->AsInt();
  }
  EXPECT_EQ(Format("{}|{}|{}\n", count, ids, values), expected);
  std::pair<uint64_t, int64_t> last{0, -1};
  std::set<std::string> inserted;
  EXPECT_EQ(Member(sink.Of("srv.public.b").at(0).value, "op"), "\"r\"");
  for (const Collected& r : sink.Of("srv.public.b")) {
    const json::Value value = Parsed(r.value);
    const std::pair<uint64_t, int64_t> at{value.Find("source")->Find("commit_lsn")->AsUint(),
                                          value.Find("source")->Find("ordinal")->AsInt()};
    EXPECT_GT(at, last);
    last = at;
    const std::string op = value.Find("op")->AsString();
    if (op == "r" || op == "c") {
      EXPECT_TRUE(inserted.insert(r.key).second) << r.key;
    }
  }
}

// A column dropped and added again under its name and type: the stream looks as before. The rows
// are read again rather than guessed at.
TEST_F(TableWatcherTest, WhatTheStreamCannotTellApartIsReadAgain) {
  Sql("CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30); "
      "CREATE TABLE u (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql("DELETE FROM t WHERE id = 3; ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b int; "
      "INSERT INTO t VALUES (4, 40); "
      "INSERT INTO u VALUES (1); UPDATE t SET b = 1 WHERE id = 1");
  StreamToNow(*source, sink);
  Sql("INSERT INTO t VALUES (5, 50); INSERT INTO u VALUES (2)");
  const SourcePosition position = *sink.position;
  source->Confirm(position);
  source.reset();
  PostgresSourceOptions options = Options();
  for (const auto& [fingerprint, schema] : sink.schemas) {
    if (schema.columns.size() > 1 && schema.columns[1].attnum == 3)
      options.known_schemas = {schema};
  }
  ASSERT_EQ(options.known_schemas.size(), 1u);
  auto again = Open(options);
  ASSERT_TRUE(Resume(*again, position).ok());
  StreamToNow(*again, sink);
  std::map<std::string, std::string> expected;
  for (const char* row : {"1,1", "2,null", "4,40", "5,50"}) {
    const std::string text(row);
    const std::string id = text.substr(0, 1);
    expected["{\"id\":" + id + "}"] = "{\"id\":" + id + ",\"b\":" + text.substr(2) + "}";
  }
  EXPECT_EQ(Applied(sink.Of("srv.public.t")), expected);
  EXPECT_EQ(sink.Of("srv.public.u").size(), 2u);
  EXPECT_EQ(Sql("SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = "
                "'millrace'"),
            "managed by millrace\n");
}

TEST_F(TableWatcherTest, PublicationsFollowTheTables) {
  Sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE n "
      "(id int)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  StreamToNow(*source, sink);
  const SourcePosition position = *sink.position;
  source.reset();
  const std::string tables =
      "SELECT pubname || ' ' || tablename FROM pg_publication_tables ORDER BY 1";
  EXPECT_EQ(Sql(tables), "millrace a\nmillrace b\nmillrace_insert n\n");
  Sql("CREATE TABLE c (id int PRIMARY KEY); ALTER TABLE n ADD PRIMARY KEY (id)");
  PostgresSourceOptions options = Options();
  options.exclude_tables = {"public.b"};
  auto again = Open(options);
  ASSERT_TRUE(Resume(*again, position).ok());
  StreamToNow(*again, sink);
  EXPECT_EQ(Sql(tables), "millrace a\nmillrace c\nmillrace n\n");
}

}  // namespace
}  // namespace millrace::postgres
