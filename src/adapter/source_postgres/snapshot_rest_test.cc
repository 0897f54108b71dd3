// An initial snapshot that was broken off goes on where it was.
#include <random>

#include "adapter/source_postgres/postgres_source_fixture.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

// Keeps what Bronze would: everything up to a batch that may end a commit. Gives up after so many
// of those that complete parts of the snapshot.
class BreakingSink final : public RecordSink {
 public:
  Status Write(RecordBatch batch) override {
    const std::lock_guard lock(mutex_);
    if (commits_left_ == 0) return Error(ErrorKind::kUnavailable, "broken off");
    const bool commits = batch.ends_at.has_value();
    const std::vector<SnapshotRange> ranges = batch.snapshot_ranges;
    MR_TRY(all_.Write(std::move(batch)));
    if (!commits) return {};
    for (const SnapshotRange& range : ranges) AddRange(ranges_, range);
    if (!all_.ended_snapshot) --commits_left_;
    durable_ = all_.records.size();
    return {};
  }
  // A new process: what was not committed is gone.
  ResumePoint BreakOff(int commits) {
    all_.records.resize(durable_);
    commits_left_ = commits;
    return {.position = all_.position,
            .snapshot_running = !all_.ended_snapshot,
            .snapshot_ranges = ranges_};
  }
  const CollectingSink& all() const { return all_; }
  const std::vector<SnapshotRange>& ranges() const { return ranges_; }

 private:
  std::mutex mutex_;
  CollectingSink all_;
  std::vector<SnapshotRange> ranges_;
  size_t durable_ = 0;
  int commits_left_ = -1;
};

// The rows that the events leave, by key, with values that were not sent taken from the row before,
// as Silver does.
std::map<std::string, std::map<std::string, std::string>> Folded(
    const std::vector<Collected>& events) {
  std::map<std::string, std::map<std::string, std::string>> rows, departed;
  for (const Collected& r : events) {
    const json::Value event = Parsed(r.value);
    const std::string op = event.Find("op")->AsString();
    if (op == "t") rows.clear();
    if (op == "t") continue;
    if (op == "d") {
      departed[r.key] = rows[r.key];
      rows.erase(r.key);
      continue;
    }
    std::map<std::string, std::string> row;
    if (op == "u") row = rows[r.key];
    if (!r.headers.empty()) {
      const json::Value headers = Parsed(r.headers);
      if (const auto* old = headers.Find("__debezium.oldkey")) row = departed[json::Write(*old)];
    }
    for (const auto& [name, value] : event.Find("after")->AsObject())
      row[name] = json::Write(value);
    rows[r.key] = row;
  }
  return rows;
}

class SnapshotRestTest : public PostgresSourceTest {
 protected:
  PostgresSourceOptions SmallSteps() {
    PostgresSourceOptions options = Options();
    options.snapshot_chunk_bytes = 8 << 10;
    options.batch_bytes = 2 << 10;
    options.snapshot_workers = 1;
    options.known_schemas = known_;
    return options;
  }
  // A process that dies after so many commits of its snapshot (-1: lives); true when it got
  // through.
  bool Run(int commits) {
    const ResumePoint resume = sink_.BreakOff(commits);
    for (const auto& [fingerprint, schema] : sink_.all().schemas) known_.push_back(schema);
    auto source = Open(SmallSteps());
    const Status prepared = source->Prepare(resume, nullptr);
    EXPECT_TRUE(prepared.ok()) << prepared.error().ToString();
    if (!source->needs_snapshot()) return true;
    const Status read = source->Snapshot(sink_, nullptr, {});
    EXPECT_TRUE(read.ok() || commits >= 0) << read.error().ToString();
    if (read.ok()) {
      const auto lsn = source->CurrentLsn();
      EXPECT_TRUE(source->Stream(sink_, *lsn, {}).ok());
    }
    return read.ok();
  }
  // The rows as a snapshot of their own has them.
  std::vector<Collected> Rows(const std::string& table) {
    PostgresSourceOptions options = Options();
    options.slot += "_now" + std::to_string(++others_);
    options.publication = options.slot;
    CollectingSink now;
    Begin(now, options);
    Sql("SELECT pg_drop_replication_slot('" + options.slot + "')");
    return now.Of("srv.public." + table);
  }
  void ExpectSameRows(const std::string& table) {
    const auto ours = Folded(sink_.all().Of("srv.public." + table));
    const auto theirs = Folded(Rows(table));
    std::string differ;  // the rows are too long to be shown
    for (const auto& [key, row] : ours) {
      const auto other = theirs.find(key);
      if (other == theirs.end() || other->second != row) differ += key + " ";
    }
    for (const auto& [key, row] : theirs) differ += ours.contains(key) ? "" : "-" + key + " ";
    EXPECT_EQ(differ, "") << table;
  }
  std::string Filenode(const std::string& table) {
    return Sql("SELECT pg_relation_filenode('" + table + "')");
  }

  BreakingSink sink_;
  std::vector<TableSchema> known_;
  int others_ = 0;
};

constexpr const char* kRows =
    "CREATE TABLE t (id int PRIMARY KEY, n int, pad text, big text); "
    "ALTER TABLE t ALTER big SET STORAGE EXTERNAL; "
    "INSERT INTO t SELECT i, 0, repeat('p', 900), repeat(md5(i::text), 90) "
    "FROM generate_series(1, 80) i";

TEST_F(SnapshotRestTest, GoesOnWithWhatIsLeft) {
  Sql(std::string(kRows) +
      "; CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)");
  EXPECT_FALSE(Run(4));
  const size_t before = sink_.all().Of("srv.public.t").size();
  ASSERT_FALSE(sink_.ranges().empty());
  EXPECT_TRUE(Run(-1));
  EXPECT_TRUE(sink_.all().ended_snapshot);
  ExpectSameRows("t");
  ExpectSameRows("other");
  EXPECT_LT(sink_.all().Of("srv.public.t").size(), 80u + 16u)
      << "read from its start, after " << before;
}

// Of each place that a row may be in, everything that may become of it.
TEST_F(SnapshotRestTest, WhatChangesMeanwhileIsRight) {
  Sql(kRows);
  Sql("DELETE FROM t WHERE id IN (3, 4)");
  Sql("VACUUM t");  // room for rows that move here
  EXPECT_FALSE(Run(5));
  const size_t read = sink_.all().Of("srv.public.t").size();
  ASSERT_GT(read, 12u);
  ASSERT_LT(read, 60u);
  // An unread row that moves to where was read already, its large value unsent.
  const std::string moved = Sql("UPDATE t SET n = 1 WHERE id = 78 RETURNING ctid");
  EXPECT_THAT(moved, HasSubstr("(0,")) << "the row did not move; the test shows nothing";
  Sql("UPDATE t SET n = 2 WHERE id IN (1, 2, 79)");            // large values unsent
  Sql("UPDATE t SET n = 2, big = 'new' WHERE id IN (5, 77)");  // and sent
  Sql("UPDATE t SET id = id + 1000 WHERE id IN (6, 76)");      // other keys, values unsent
  Sql("DELETE FROM t WHERE id IN (7, 75, 79)");
  Sql("INSERT INTO t VALUES (7, 7, 'back', 'again'), (200, 0, 'x', 'y')");
  Sql("BEGIN; UPDATE t SET n = 3 WHERE id = 70; UPDATE t SET n = 4 WHERE id = 70; "
      "DELETE FROM t WHERE id = 71; COMMIT");
  EXPECT_TRUE(Run(-1));
  ExpectSameRows("t");
  Sql("UPDATE t SET n = n + 1, big = big || 'z'; DELETE FROM t WHERE id = 200");
  EXPECT_TRUE(Run(-1));
}

TEST_F(SnapshotRestTest, ARewrittenTableIsReadFromItsStart) {
  Sql(kRows);
  EXPECT_FALSE(Run(4));
  const std::string before = Filenode("t");
  Sql("UPDATE t SET n = 1 WHERE id > 70; ALTER TABLE t ALTER n TYPE bigint; "
      "ALTER TABLE t DROP COLUMN pad; ALTER TABLE t ADD COLUMN later int DEFAULT 7; "
      "UPDATE t SET n = 2 WHERE id < 5");
  EXPECT_NE(Filenode("t"), before);
  EXPECT_TRUE(Run(-1));
  ExpectSameRows("t");
}

TEST_F(SnapshotRestTest, ATruncatedTableIsReadFromItsStart) {
  Sql(kRows);
  EXPECT_FALSE(Run(4));
  Sql("TRUNCATE t; INSERT INTO t VALUES (1, 1, 'a', 'b'), (500, 5, 'c', 'd')");
  EXPECT_TRUE(Run(-1));
  ExpectSameRows("t");
}

TEST_F(SnapshotRestTest, ADroppedTableIsLeftOut) {
  Sql(std::string(kRows) + "; CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)");
  EXPECT_FALSE(Run(3));
  Sql("UPDATE t SET n = 1; DROP TABLE t; INSERT INTO u VALUES (2)");
  EXPECT_TRUE(Run(-1));
  ExpectSameRows("u");
}

// The stream cannot tell which of equal rows went, so all come again after a truncate.
TEST_F(SnapshotRestTest, ATableWithoutAKeyBeginsAnew) {
  Sql("CREATE TABLE bag (v int, pad text); ALTER TABLE bag REPLICA IDENTITY FULL; "
      "INSERT INTO bag SELECT i % 10, repeat('p', 900) FROM generate_series(1, 60) i");
  const auto left = [&] {
    std::map<std::string, int> rows;
    for (const Collected& r : sink_.all().Of("srv.public.bag")) {
      const std::string op = Parsed(r.value).Find("op")->AsString();
      if (op == "t") rows.clear();
      if (op == "d" || op == "u") --rows[Member(r.value, "before")];
      if (op != "d" && op != "t") ++rows[Member(r.value, "after")];
    }
    std::erase_if(rows, [](const auto& row) { return row.second == 0; });
    return rows;
  };
  EXPECT_FALSE(Run(3));
  Sql("DELETE FROM bag WHERE v = 3; INSERT INTO bag VALUES (3, 'x'); UPDATE bag SET v = 4 WHERE v "
      "= 5");
  EXPECT_FALSE(Run(3));
  Sql("DELETE FROM bag WHERE v = 6; INSERT INTO bag VALUES (7, 'x')");
  EXPECT_TRUE(Run(-1));
  const std::map<std::string, int> ours = left();
  std::map<std::string, int> theirs;
  for (const Collected& r : Rows("bag")) ++theirs[Member(r.value, "after")];
  EXPECT_EQ(ours, theirs);
}

// Columns that the stream cannot tell apart: that table begins anew, and stays so after another
// end.
TEST_F(SnapshotRestTest, AnAmbiguousTableBeginsAnew) {
  Sql(std::string(kRows) +
      "; CREATE TABLE a (id int PRIMARY KEY, b int); "
      "INSERT INTO a SELECT i, i FROM generate_series(1, 20) i");  // a comes first, and whole
  EXPECT_FALSE(Run(3));
  Sql("UPDATE a SET b = 0 WHERE id = 1; ALTER TABLE a DROP COLUMN b; ALTER TABLE a ADD COLUMN b "
      "int; "
      "UPDATE a SET b = 9 WHERE id = 2; UPDATE t SET n = 1 WHERE id = 80");
  EXPECT_FALSE(Run(2));
  Sql("UPDATE a SET b = 8 WHERE id = 3; DELETE FROM a WHERE id = 4");
  EXPECT_TRUE(Run(-1));
  ExpectSameRows("a");
  ExpectSameRows("t");
}

TEST_F(SnapshotRestTest, PartitionsAndManyEnds) {
  Sql("CREATE TABLE p (id int, part int, big text, PRIMARY KEY (part, id)) PARTITION BY LIST "
      "(part); "
      "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); "
      "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); "
      "ALTER TABLE p1 ALTER big SET STORAGE EXTERNAL; "
      "INSERT INTO p SELECT i, 1 + i % 2, repeat(md5(i::text), 70 + i % 40) "
      "FROM generate_series(1, 700) i");
  Sql(kRows);
  std::mt19937 random(7);
  int runs = 0;
  bool done = false;
  for (; !done && runs < 60; ++runs) {
    done = Run(1 + static_cast<int>(random() % 3));
    if (done) break;
    const int id = 1 + static_cast<int>(random() % 700);
    Sql(
        Format("UPDATE p SET part = 3 - part WHERE id = {0}; UPDATE p SET id = id + 10000 WHERE id "
               "= {0} + 1; "
               "DELETE FROM p WHERE id = {0} + 2; INSERT INTO p VALUES (20000 + {1}, 1, 'new'); "
               "UPDATE t SET n = n + 1 WHERE id % 9 = {1} % 9; DELETE FROM t WHERE id = {1}",
               id, runs));
  }
  EXPECT_GT(runs, 3);
  ASSERT_TRUE(done);
  ExpectSameRows("p");
  ExpectSameRows("t");
}

}  // namespace
}  // namespace millrace::postgres
