// What a snapshot and the stream bring.
#include <set>

#include "adapter/source_postgres/postgres_source_fixture.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

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
      EXPECT_EQ(json::Write(*value.Find("after")),
                R"({"id":5001,"a":"tab\tback\\slash\nnew","n":null})");
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
  for (const auto& [i, ordinal] :
       std::map<size_t, int>{{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 0}, {5, 1}, {6, 0}}) {
    const json::Value value = Parsed(r[i].value);
    EXPECT_EQ(value.Find("source")->Find("ordinal")->AsInt(), ordinal) << i;
    EXPECT_GT(value.Find("source")->Find("commit_lsn")->AsUint(), snapshot_lsn);
  }
  // The whole envelope, in its order.
  std::vector<std::string> members;
  const json::Value envelope = Parsed(r[0].value);
  for (const auto& [name, unused] : envelope.AsObject()) members.push_back(name);
  EXPECT_THAT(members, ElementsAre("before", "after", "source", "transaction", "op", "ts_ms",
                                   "ts_us", "ts_ns"));
  members.clear();
  for (const auto& [name, unused] : envelope.Find("source")->AsObject()) members.push_back(name);
  EXPECT_THAT(members, ElementsAre("version", "connector", "name", "ts_ms", "snapshot", "db",
                                   "sequence", "ts_us", "ts_ns", "schema", "table", "txId", "lsn",
                                   "xmin", "origin", "origin_lsn", "commit_lsn", "ordinal"));
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
      all += Format("{}|{}|{}|{}\n", Parsed(r.value).Find("op")->AsString(), r.key,
                    Member(r.value, "before"), Member(r.value, "after"));
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
  Sql("CREATE TABLE t (id int PRIMARY KEY, a int, b text, g int GENERATED ALWAYS AS (id * 2) "
      "STORED)");
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
    for (const SourceColumn& c : sink.schemas[sink.records[i].fingerprint].columns)
      all += Format("{}:{} ", c.attnum, c.name);
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
  EXPECT_EQ(
      snapshot,
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

}  // namespace
}  // namespace millrace::postgres
