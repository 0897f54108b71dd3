// Against a real server of its own: snapshot, stream, restart, fences.
#include "adapter/source_postgres/postgres_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "adapter/source_postgres/check_source.h"
#include "base/format.h"
#include "testing/postgres_server.h"

namespace millrace::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Collected {
  std::string topic, key, value, headers;
  std::string fingerprint;
};

// Keeps everything, in order, and what has been covered by an ends_at.
class CollectingSink final : public RecordSink {
 public:
  Status Write(RecordBatch batch) override {
    const std::lock_guard lock(mutex_);
    for (const Record& r : batch.records) {
      const auto at = [&](size_t offset, size_t size) { return std::string(batch.bytes.view(offset, size)); };
      const Stream& stream = *batch.streams[r.stream];
      records.push_back({stream.topic, at(r.offset, r.key_size), at(r.offset + r.key_size, r.value_size),
                         at(r.offset + r.key_size + r.value_size, r.headers_size), stream.fingerprint});
      schemas[stream.fingerprint] = stream.schema;
    }
    if (batch.ends_at) position = batch.ends_at;
    ended_snapshot |= batch.ends_snapshot;
    ++batches;
    return {};
  }
  std::vector<Collected> Of(const std::string& topic) const {
    std::vector<Collected> found;
    for (const Collected& r : records) {
      if (r.topic == topic) found.push_back(r);
    }
    return found;
  }

  std::mutex mutex_;
  std::vector<Collected> records;
  std::map<std::string, TableSchema> schemas;
  std::optional<SourcePosition> position;
  bool ended_snapshot = false;
  int batches = 0;
};

json::Value Parsed(const std::string& text) {
  auto value = json::Parse(text, "event");
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : json::Value();
}
std::string Member(const std::string& value, const char* name) { return json::Write(*Parsed(value).Find(name)); }

class PostgresSourceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = millrace::testing::PostgresServer::Start("wal_sender_timeout = 5s");
    ASSERT_TRUE(started.ok()) << started.error().ToString();
    server_ = started->release();
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    database_ = "d" + std::to_string(++databases_);
    Sql("CREATE DATABASE " + database_, "postgres");
  }
  std::string Sql(const std::string& sql, std::string database = "") {
    const auto result = server_->Sql(sql, database.empty() ? database_ : database);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().ToString());
    return result.ok() ? *result : "";
  }
  PostgresSourceOptions Options() {
    PostgresSourceOptions options;
    options.conninfo = server_->Conninfo(database_);
    options.name = "srv";
    options.slot = "slot_" + database_;
    return options;
  }
  std::unique_ptr<PostgresSource> Open(PostgresSourceOptions options) {
    auto source = PostgresSource::Open(std::move(options));
    EXPECT_TRUE(source.ok()) << source.error().ToString();
    return std::move(*source);
  }
  // Prepares a new slot and reads the snapshot.
  std::unique_ptr<PostgresSource> Begin(CollectingSink& sink, PostgresSourceOptions options) {
    auto source = Open(std::move(options));
    const Status prepared = source->Prepare({}, nullptr);
    EXPECT_TRUE(prepared.ok()) << prepared.error().ToString();
    EXPECT_TRUE(source->needs_snapshot());
    const Status read = source->Snapshot(sink, nullptr, {});
    EXPECT_TRUE(read.ok()) << read.error().ToString();
    return source;
  }
  void StreamToNow(PostgresSource& source, CollectingSink& sink) {
    const auto lsn = source.CurrentLsn();
    ASSERT_TRUE(lsn.ok()) << lsn.error().ToString();
    const Status status = source.Stream(sink, *lsn, {});
    ASSERT_TRUE(status.ok()) << status.error().ToString();
  }
  Status Resume(PostgresSource& source, const SourcePosition& position) {
    return source.Prepare({.position = position, .snapshot_running = false}, nullptr);
  }

  static millrace::testing::PostgresServer* server_;
  static int databases_;
  std::string database_;
};
millrace::testing::PostgresServer* PostgresSourceTest::server_ = nullptr;
int PostgresSourceTest::databases_ = 0;

TEST_F(PostgresSourceTest, SnapshotThenStream) {
  Sql(R"(CREATE TABLE t (id int PRIMARY KEY, a text, n numeric(10,2));
         INSERT INTO t SELECT i, 'row ' || i, i / 4.0 FROM generate_series(1, 5000) i;
         INSERT INTO t VALUES (5001, E'tab\tback\\slash\nnew', NULL);
         CREATE TABLE other (x int, y int);)");
  PostgresSourceOptions options = Options();
  options.snapshot_chunk_bytes = 64 << 10;  // several chunks
  CollectingSink sink;
  auto source = Begin(sink, options);
  EXPECT_TRUE(sink.ended_snapshot);
  ASSERT_TRUE(sink.position.has_value());
  ASSERT_EQ(sink.records.size(), 5001u);
  std::set<std::string> keys, ordinals;
  for (const Collected& r : sink.records) {
    EXPECT_EQ(r.topic, "srv.public.t");
    keys.insert(r.key);
    const json::Value value = Parsed(r.value);
    EXPECT_EQ(value.Find("op")->AsString(), "r");
    EXPECT_EQ(value.Find("source")->Find("snapshot")->AsString(), "true");
    EXPECT_EQ(value.Find("source")->Find("commit_lsn")->AsUint(), sink.position->last.commit_lsn);
    EXPECT_LE(value.Find("source")->Find("ordinal")->AsInt(), sink.position->last.ordinal);
    ordinals.insert(json::Write(*value.Find("source")->Find("ordinal")));
    if (r.key == R"({"id":5001})") {
      EXPECT_EQ(json::Write(*value.Find("after")), R"({"id":5001,"a":"tab\tback\\slash\nnew","n":null})");
    }
  }
  EXPECT_EQ(keys.size(), 5001u);
  EXPECT_EQ(ordinals.size(), 5001u);

  const Lsn snapshot_lsn = sink.position->last.commit_lsn;
  sink.records.clear();
  Sql(R"(INSERT INTO t VALUES (6000, 'new', 1.5);
         BEGIN; UPDATE t SET a = 'changed' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO other VALUES (1, 2); COMMIT;
         UPDATE t SET id = 7000 WHERE id = 3;
         TRUNCATE t;)");
  StreamToNow(*source, sink);
  ASSERT_EQ(sink.records.size(), 7u);
  const auto& r = sink.records;
  EXPECT_EQ(r[0].key, R"({"id":6000})");
  EXPECT_EQ(Member(r[0].value, "before"), "null");
  EXPECT_EQ(Member(r[0].value, "after"), R"({"id":6000,"a":"new","n":"1.50"})");
  EXPECT_EQ(Member(r[0].value, "op"), R"("c")");
  EXPECT_EQ(Member(r[1].value, "op"), R"("u")");
  EXPECT_EQ(Member(r[1].value, "after"), R"({"id":1,"a":"changed","n":"0.25"})");
  EXPECT_EQ(Member(r[2].value, "op"), R"("d")");
  EXPECT_EQ(Member(r[2].value, "before"), R"({"id":2})");
  EXPECT_EQ(Member(r[2].value, "after"), "null");
  EXPECT_EQ(r[3].topic, "srv.public.other");
  EXPECT_EQ(r[3].key, "");
  EXPECT_EQ(r[4].key, R"({"id":3})");
  EXPECT_EQ(Member(r[4].value, "op"), R"("d")");
  EXPECT_EQ(r[4].headers, R"({"__debezium.newkey":{"id":7000}})");
  EXPECT_EQ(r[5].key, R"({"id":7000})");
  EXPECT_EQ(Member(r[5].value, "op"), R"("c")");
  EXPECT_EQ(r[5].headers, R"({"__debezium.oldkey":{"id":3}})");
  EXPECT_EQ(r[6].key, "");
  EXPECT_EQ(Member(r[6].value, "op"), R"("t")");
  for (const auto& [i, ordinal] : std::map<size_t, int>{{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 0}, {5, 1}, {6, 0}}) {
    const json::Value value = Parsed(r[i].value);
    EXPECT_EQ(value.Find("source")->Find("ordinal")->AsInt(), ordinal) << i;
    EXPECT_GT(value.Find("source")->Find("commit_lsn")->AsUint(), snapshot_lsn);
  }
  // The whole envelope, in its order.
  std::vector<std::string> members;
  const json::Value envelope = Parsed(r[0].value);
  for (const auto& [name, unused] : envelope.AsObject()) members.push_back(name);
  EXPECT_THAT(members, ElementsAre("before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"));
  members.clear();
  for (const auto& [name, unused] : envelope.Find("source")->AsObject()) members.push_back(name);
  EXPECT_THAT(members, ElementsAre("version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "schema", "table",
                                   "txId", "lsn", "xmin", "origin", "origin_lsn", "commit_lsn", "ordinal"));
}

TEST_F(PostgresSourceTest, ResumesAfterTheLastPositionWithoutLossOrRepeat) {
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

TEST_F(PostgresSourceTest, TheSlotFollowsWhatIsConfirmedAndNothingElse) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.status_interval = std::chrono::milliseconds(200);
  auto source = Begin(sink, options);
  const std::string slot_sql = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + options.slot + "'";
  const std::string at_start = Sql(slot_sql);
  std::jthread streaming([&](std::stop_token stop) {
    const Status status = source->Stream(sink, std::nullopt, stop);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
  });
  Sql("INSERT INTO t VALUES (1)");
  const auto wait_for = [&](auto condition) {
    for (int i = 0; i < 200 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
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
  EXPECT_EQ(Sql("SELECT active FROM pg_replication_slots WHERE slot_name = '" + options.slot + "'"), "f\n");
}

// A sink that blocks for longer than wal_sender_timeout: the server must not give up on us.
TEST_F(PostgresSourceTest, ABlockedSinkDoesNotLoseTheConnection) {
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

TEST_F(PostgresSourceTest, ReplicaIdentities) {
  Sql(R"(CREATE TABLE full_pk (id int PRIMARY KEY, a text); ALTER TABLE full_pk REPLICA IDENTITY FULL;
         CREATE TABLE full_nopk (id int, a text); ALTER TABLE full_nopk REPLICA IDENTITY FULL;
         CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL, a text);
         CREATE UNIQUE INDEX by_index_code ON by_index (code); ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code;
         CREATE TABLE nothing (id int PRIMARY KEY, a text); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
         CREATE TABLE nopk (id int, a text);
         CREATE TABLE composite (b text, a int, v int, PRIMARY KEY (a, b));)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql(R"(INSERT INTO full_pk VALUES (1, 'x'); UPDATE full_pk SET a = 'y'; DELETE FROM full_pk;
         INSERT INTO full_nopk VALUES (1, NULL); UPDATE full_nopk SET a = 'y'; DELETE FROM full_nopk;
         INSERT INTO by_index VALUES (1, 'c1', 'x'); UPDATE by_index SET id = 2; UPDATE by_index SET code = 'c2'; DELETE FROM by_index;
         INSERT INTO nothing VALUES (1, 'x'); UPDATE nothing SET a = 'y'; DELETE FROM nothing;
         INSERT INTO nopk VALUES (1, 'x'); UPDATE nopk SET a = 'y'; DELETE FROM nopk;
         INSERT INTO composite VALUES ('b', 1, 1); UPDATE composite SET v = 2; DELETE FROM composite;)");
  StreamToNow(*source, sink);
  const auto shape = [&](const std::string& table) {
    std::string all;
    for (const Collected& r : sink.Of("srv.public." + table)) {
      all += Format("{}|{}|{}|{}\n", Parsed(r.value).Find("op")->AsString(), r.key, Member(r.value, "before"), Member(r.value, "after"));
    }
    return all;
  };
  EXPECT_EQ(shape("full_pk"), R"(c|{"id":1}|null|{"id":1,"a":"x"}
u|{"id":1}|{"id":1,"a":"x"}|{"id":1,"a":"y"}
d|{"id":1}|{"id":1,"a":"y"}|null
)");
  EXPECT_EQ(shape("full_nopk"), R"(c||null|{"id":1,"a":null}
u||{"id":1,"a":null}|{"id":1,"a":"y"}
d||{"id":1,"a":"y"}|null
)");
  EXPECT_EQ(shape("by_index"), R"(c|{"code":"c1"}|null|{"id":1,"code":"c1","a":"x"}
u|{"code":"c1"}|null|{"id":2,"code":"c1","a":"x"}
d|{"code":"c1"}|{"code":"c1"}|null
c|{"code":"c2"}|null|{"id":2,"code":"c2","a":"x"}
d|{"code":"c2"}|{"code":"c2"}|null
)");
  EXPECT_EQ(shape("nothing"), "c|{\"id\":1}|null|{\"id\":1,\"a\":\"x\"}\n");
  EXPECT_EQ(shape("nopk"), "c||null|{\"id\":1,\"a\":\"x\"}\n");
  EXPECT_EQ(shape("composite"), R"(c|{"a":1,"b":"b"}|null|{"b":"b","a":1,"v":1}
u|{"a":1,"b":"b"}|null|{"b":"b","a":1,"v":2}
d|{"a":1,"b":"b"}|{"b":"b","a":1}|null
)");
}

TEST_F(PostgresSourceTest, UnchangedToastIsAbsent) {
  Sql(R"(CREATE TABLE t (id int PRIMARY KEY, small text, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
         CREATE TABLE f (id int PRIMARY KEY, small text, big text); ALTER TABLE f ALTER big SET STORAGE EXTERNAL;
         ALTER TABLE f REPLICA IDENTITY FULL;
         INSERT INTO t VALUES (1, 's', repeat('x', 5000)); INSERT INTO f SELECT * FROM t;)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  sink.records.clear();
  Sql("UPDATE t SET small = 'u'; UPDATE t SET id = 2; UPDATE f SET small = 'u'");
  StreamToNow(*source, sink);
  ASSERT_EQ(sink.records.size(), 4u);
  EXPECT_EQ(Member(sink.records[0].value, "after"), R"({"id":1,"small":"u"})");
  EXPECT_EQ(Member(sink.records[2].value, "after"), R"({"id":2,"small":"u"})");
  EXPECT_EQ(sink.records[2].headers, R"({"__debezium.oldkey":{"id":1}})");
  EXPECT_EQ(Parsed(sink.records[3].value).Find("after")->Find("big")->AsString().size(), 5000u);
}

TEST_F(PostgresSourceTest, SchemaChangesKeepAttnums) {
  Sql("CREATE TABLE t (id int PRIMARY KEY, a int, b text, g int GENERATED ALWAYS AS (id * 2) STORED)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql(R"(INSERT INTO t VALUES (1, 1, 'x');
         ALTER TABLE t ADD COLUMN c numeric(8,3); INSERT INTO t VALUES (2, 2, 'y', DEFAULT, 1.5);
         ALTER TABLE t RENAME COLUMN b TO b2; INSERT INTO t VALUES (3, 3, 'z', DEFAULT, 2);
         ALTER TABLE t DROP COLUMN a; INSERT INTO t VALUES (4, 'w', DEFAULT, 3);
         ALTER TABLE t ALTER COLUMN c TYPE text; INSERT INTO t VALUES (5, 'v', DEFAULT, '4');)");
  StreamToNow(*source, sink);  // the catalog is ahead of all of it
  ASSERT_EQ(sink.records.size(), 5u);
  const auto columns = [&](size_t i) {
    std::string all;
    for (const SourceColumn& c : sink.schemas[sink.records[i].fingerprint].columns) all += Format("{}:{} ", c.attnum, c.name);
    return all;
  };
  EXPECT_EQ(columns(0), "1:id 2:a 3:b ");
  EXPECT_EQ(columns(1), "1:id 2:a 3:b 5:c ");
  EXPECT_EQ(columns(2), "1:id 2:a 3:b2 5:c ");
  EXPECT_EQ(columns(3), "1:id 3:b2 5:c ");
  EXPECT_EQ(columns(4), "1:id 3:b2 5:c ");
  EXPECT_EQ(Member(sink.records[3].value, "after"), R"({"id":4,"b2":"w","c":"3.000"})");
  const TableSchema& last = sink.schemas[sink.records[4].fingerprint];
  EXPECT_EQ(last.columns[2].type.kind, LogicalKind::kText);
  EXPECT_TRUE(last.columns[0].not_null);
  EXPECT_EQ(last.columns[0].key_position, 1);
}

TEST_F(PostgresSourceTest, PartitionsGoToTheirRoot) {
  Sql(R"(CREATE TABLE p (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE p_eu PARTITION OF p FOR VALUES IN ('eu'); CREATE TABLE p_us (v text, region text NOT NULL, id int NOT NULL);
         ALTER TABLE p ATTACH PARTITION p_us FOR VALUES IN ('us');
         INSERT INTO p VALUES (1, 'eu', 'a'), (2, 'us', 'b');)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  ASSERT_EQ(sink.Of("srv.public.p").size(), 2u);
  EXPECT_EQ(sink.records.size(), 2u);
  sink.records.clear();
  Sql("UPDATE p SET v = 'c' WHERE id = 2; UPDATE p SET region = 'eu' WHERE id = 2");
  StreamToNow(*source, sink);
  const auto events = sink.Of("srv.public.p");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(Member(events[0].value, "after"), R"({"id":2,"region":"us","v":"c"})");
  EXPECT_EQ(Member(events[1].value, "op"), R"("d")");
  EXPECT_EQ(Member(events[2].value, "op"), R"("c")");
}

TEST_F(PostgresSourceTest, EveryTypeIsTheSameInSnapshotAndStream) {
  Sql(R"sql(CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok "x"'); CREATE TYPE pair AS (a int, b text);
         CREATE DOMAIN cents AS numeric(14,2); CREATE DOMAIN short AS varchar(8)[];
         CREATE TABLE t (id int PRIMARY KEY, b bool, i2 smallint, i8 bigint, o oid, f4 real, f8 float8, n numeric, n2 numeric(5,-2), m money,
           c char(5), v varchar(9), q "char", nm name, ci citext, by bytea, d date, tm time, tz timetz, ts timestamp, tt timestamptz,
           iv interval, u uuid, j json, jb jsonb, x xml, e mood, dom cents, doms short, cmp pair, r int4range, bt bit(3), pt point,
           ai int[], at text[], a2 int[], an numeric[], ad date[], ae mood[], ac pair[], ab box[], aby bytea[], att timestamptz[], ov oidvector);
         INSERT INTO t VALUES (1, true, -5, 9007199254740993, 4294967295, 'NaN', 1e300, 'Infinity', 12345, 1234.5, 'ab', 'cd', 'z', 'nm', 'Ci',
           '\x00ff', '0044-03-15 BC', '24:00', '10:00+02', 'infinity', '2025-06-30 12:00:00.5+02', '1 year -2 days', '123e4567-e89b-12d3-a456-426614174000',
           '{"b" : 1}', '{"b" : 1}', '<a/>', 'ok "x"', 1.5, '{a,"b c"}', '(1,"x y")', '[1,3)', '101', '(1,2)',
           '{1,NULL}', E'{a,"b\\"",NULL}', '{{1},{2}}', '{NaN}', '{2024-01-01}', '{sad}', E'{"(1,\\"x y\\")"}', '{(1,1),(0,0)}', E'{"\\\\x01"}',
           '{2025-01-01 00:00+00}', '1 2');)sql");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql("UPDATE t SET id = 1");
  StreamToNow(*source, sink);
  ASSERT_EQ(sink.records.size(), 2u);
  const std::string snapshot = Member(sink.records[0].value, "after");
  EXPECT_EQ(snapshot, Member(sink.records[1].value, "after"));
  EXPECT_EQ(sink.records[0].fingerprint, sink.records[1].fingerprint);
  EXPECT_EQ(snapshot,
            R"json({"id":1,"b":true,"i2":-5,"i8":9007199254740993,"o":4294967295,"f4":"NaN","f8":1e+300,"n":"Infinity","n2":"12300",)json"
            R"json("m":"$1,234.50","c":"ab   ","v":"cd","q":"z","nm":"nm","ci":"Ci","by":"AP8=","d":-735160,"tm":86400000000,)json"
            R"json("tz":"10:00:00+02","ts":"infinity","tt":"2025-06-30T10:00:00.500000Z","iv":"1 year -2 days",)json"
            R"json("u":"123e4567-e89b-12d3-a456-426614174000","j":"{\"b\" : 1}","jb":"{\"b\": 1}","x":"<a/>","e":"ok \"x\"","dom":"1.50",)json"
            R"json("doms":["a","b c"],"cmp":"(1,\"x y\")","r":"[1,3)","bt":"101","pt":"(1,2)","ai":[1,null],"at":["a","b\"",null],)json"
            R"json("a2":"{{1},{2}}","an":"{NaN}","ad":[19723],"ae":["sad"],"ac":["(1,\"x y\")"],"ab":["(1,1),(0,0)"],"aby":["AQ=="],)json"
            R"json("att":["2025-01-01T00:00:00.000000Z"],"ov":"1 2"})json");
}

TEST_F(PostgresSourceTest, OddNames) {
  Sql(R"(CREATE SCHEMA "Odd ""Schema"; CREATE TABLE "Odd ""Schema"."T'ä\b" ("I d" int PRIMARY KEY, "q""q\" text);
         INSERT INTO "Odd ""Schema"."T'ä\b" VALUES (1, 'a'))");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql(R"(UPDATE "Odd ""Schema"."T'ä\b" SET "q""q\" = 'b')");
  StreamToNow(*source, sink);
  ASSERT_EQ(sink.records.size(), 2u);
  EXPECT_EQ(sink.records[0].topic, "srv.Odd__Schema.T___b");
  EXPECT_EQ(sink.records[0].topic, sink.records[1].topic);
  EXPECT_EQ(Parsed(sink.records[1].value).Find("after")->Find("q\"q\\")->AsString(), "b");
}

TEST_F(PostgresSourceTest, FencesWhatWouldLoseChanges) {
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

  Sql("INSERT INTO t VALUES (2); SELECT pg_replication_slot_advance('" + Options().slot + "', pg_current_wal_lsn())");
  const Status ahead = Resume(*again, position);
  ASSERT_FALSE(ahead.ok());
  EXPECT_EQ(ahead.error().kind(), ErrorKind::kFenced);
  EXPECT_THAT(ahead.error().message(), HasSubstr(FormatLsn(position.resume_lsn)));

  Sql("SELECT pg_drop_replication_slot('" + Options().slot + "')");
  EXPECT_EQ(Resume(*again, position).error().kind(), ErrorKind::kFenced);
}

TEST_F(PostgresSourceTest, ASlotThatIsNotOursIsLeftAlone) {
  Sql("CREATE TABLE t (id int PRIMARY KEY); SELECT pg_create_logical_replication_slot('" + Options().slot + "', 'pgoutput')");
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

TEST_F(PostgresSourceTest, AKeyThatOnlyPostgresCanCompareIsRefused) {
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
TEST_F(PostgresSourceTest, ConfirmationsAfterTheStreamReachTheSlot) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql("INSERT INTO t VALUES (1)");
  StreamToNow(*source, sink);
  source->Confirm(*sink.position);
  source.reset();
  EXPECT_EQ(Sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + Options().slot + "'"),
            FormatLsn(sink.position->resume_lsn) + "\n");
}

// A backlog read over SQL is what the stream would have brought, to the byte but for the time of reading.
TEST_F(PostgresSourceTest, CatchingUpGivesWhatStreamingGives) {
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
    for (const Collected& r : collected.records) events.push_back(r.topic + r.key + r.headers + r.value.substr(0, r.value.rfind(",\"ts_ms\":")));
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
  EXPECT_EQ(Sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + Options().slot + "'"),
            FormatLsn(collected.position->resume_lsn) + "\n");
}

// A backlog, and the stream after it, while writers go on.
TEST_F(PostgresSourceTest, FromCatchingUpToStreaming) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  PostgresSourceOptions options = Options();
  options.catch_up_bytes = 64 << 10;
  auto source = Begin(sink, options);
  const SourcePosition start = *sink.position;
  source.reset();
  const std::string load = "DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO t VALUES (i + %d); COMMIT; END LOOP; END $$;";
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

TEST_F(PostgresSourceTest, ALostConnectionIsWorthRetrying) {
  Sql("CREATE TABLE t (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Status status;
  std::jthread streaming([&](std::stop_token stop) { status = source->Stream(sink, std::nullopt, stop); });
  const std::string active = "SELECT active FROM pg_replication_slots WHERE slot_name = '" + Options().slot + "'";
  for (int i = 0; i < 100 && Sql(active) != "t\n"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  Sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + Options().slot + "'");
  streaming.join();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kUnavailable);
}

TEST_F(PostgresSourceTest, CheckSourceFixesWhatItMay) {
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

TEST_F(PostgresSourceTest, PublicationsFollowTheTables) {
  Sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE n (id int)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  StreamToNow(*source, sink);
  const SourcePosition position = *sink.position;
  source.reset();
  const std::string tables = "SELECT pubname || ' ' || tablename FROM pg_publication_tables ORDER BY 1";
  EXPECT_EQ(Sql(tables), "millrace a\nmillrace b\nmillrace_insert n\n");
  Sql("CREATE TABLE c (id int PRIMARY KEY); ALTER TABLE n ADD PRIMARY KEY (id)");
  PostgresSourceOptions options = Options();
  options.exclude_tables = {"public.b"};
  auto again = Open(options);
  ASSERT_TRUE(Resume(*again, position).ok());
  StreamToNow(*again, sink);
  EXPECT_EQ(Sql(tables), "millrace a\nmillrace c\nmillrace n\n");
}

// What the topic's events leave in a table: "key after" by key, in event order.
std::map<std::string, std::string> Applied(const std::vector<Collected>& events) {
  std::map<std::string, std::string> rows;
  for (const Collected& r : events) {
    const std::string op = Parsed(r.value).Find("op")->AsString();
    if (op == "t") {
      rows.clear();
    } else if (op == "d") {
      rows.erase(r.key);
    } else {
      rows[r.key] = Member(r.value, "after");
    }
  }
  return rows;
}

TEST_F(PostgresSourceTest, ATableCreatedLaterComesWithItsRows) {
  Sql("CREATE TABLE a (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  StreamToNow(*source, sink);
  SourcePosition position = *sink.position;
  source.reset();
  Sql("INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'x'), (2, 'y'); "
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
  const std::string comment = "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = 'millrace'";
  EXPECT_THAT(Sql(comment), HasSubstr("rows pending"));
  EXPECT_EQ(Member(sink.Of("srv.public.b")[0].value, "op"), "\"t\"");
  EXPECT_EQ(Applied(sink.Of("srv.public.b")),
            (std::map<std::string, std::string>{{"{\"id\":2}", "{\"id\":2,\"v\":\"z\"}"}, {"{\"id\":3}", "{\"id\":3,\"v\":\"w\"}"}}));
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

// A column dropped and added again under its name and type: the stream looks as before. The rows are read again rather than guessed at.
TEST_F(PostgresSourceTest, WhatTheStreamCannotTellApartIsReadAgain) {
  Sql("CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30); CREATE TABLE u (id int PRIMARY KEY)");
  CollectingSink sink;
  auto source = Begin(sink, Options());
  Sql("DELETE FROM t WHERE id = 3; ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b int; INSERT INTO t VALUES (4, 40); "
      "INSERT INTO u VALUES (1); UPDATE t SET b = 1 WHERE id = 1");
  StreamToNow(*source, sink);
  Sql("INSERT INTO t VALUES (5, 50); INSERT INTO u VALUES (2)");
  const SourcePosition position = *sink.position;
  source->Confirm(position);
  source.reset();
  PostgresSourceOptions options = Options();
  for (const auto& [fingerprint, schema] : sink.schemas) {
    if (schema.columns.size() > 1 && schema.columns[1].attnum == 3) options.known_schemas = {schema};
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
  EXPECT_EQ(Sql("SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = 'millrace'"), "managed by millrace\n");
}

// Writers are at the new table all the while, in transactions with another table; nothing may be lost, doubled or out of order.
TEST_F(PostgresSourceTest, ATableCreatedWhileStreamingUnderLoad) {
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
    const std::pair<uint64_t, int64_t> at{value.Find("source")->Find("commit_lsn")->AsUint(), value.Find("source")->Find("ordinal")->AsInt()};
    EXPECT_GT(at, last);
    last = at;
    const std::string op = value.Find("op")->AsString();
    if (op == "r" || op == "c") {
      EXPECT_TRUE(inserted.insert(r.key).second) << r.key;
    }
  }
}

TEST_F(PostgresSourceTest, ARoleWithoutRightsIsToldWhichItNeeds) {
  Sql("CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
  PostgresSourceOptions options = Options();
  options.conninfo = server_->Conninfo(database_, "plain");
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
