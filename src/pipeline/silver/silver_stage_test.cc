#include "pipeline/silver/silver_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/format.h"
#include "pipeline/silver/silver_fixture.h"

namespace millrace::silver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Key(int64_t id) { return Format(R"({{"id":{}}})", id); }
std::string Order(int64_t id, const std::string& name, const std::string& amount) {
  return Format(R"({{"id":{},"name":"{}","amount":"{}"}})", id, name, amount);
}
TestEvent Insert(int64_t id, const std::string& name, const std::string& amount = "1.00") {
  return {.op = 'c', .key = Key(id), .after = Order(id, name, amount)};
}
TestEvent Update(int64_t id, const std::string& name, const std::string& amount = "1.00") {
  return {.op = 'u', .key = Key(id), .after = Order(id, name, amount)};
}
TestEvent Delete(int64_t id) { return {.op = 'd', .key = Key(id), .before = Key(id)}; }

const std::vector<std::string> kShape = {"id",         "name",       "version",
                                         "is_current", "is_deleted", "_op"};

class SilverStageTest : public ::testing::Test {
 protected:
  SilverStageTest() { f_.Use(OrdersSchema()); }
  void Run() {
    const Status ran = f_.Run();
    ASSERT_TRUE(ran.ok()) << ran.error().ToString();
  }
  std::vector<std::string> Orders() { return SilverFixture::Lines(f_.Silver("orders"), kShape); }
  SilverFixture f_;
};

TEST_F(SilverStageTest, VersionsOfAKeyOverSeveralCuts) {
  f_.Transact({Insert(1, "a"), Insert(2, "b")});
  Run();
  f_.Transact({Update(1, "c")});
  Run();
  f_.Transact({Delete(2)});
  Run();
  f_.Transact({Insert(2, "d")});
  Run();
  EXPECT_THAT(Orders(),
              ElementsAre("id=1 name=a version=1 is_current=false is_deleted=false _op=c",
                          "id=1 name=c version=2 is_current=true is_deleted=false _op=u",
                          "id=2 name=b version=1 is_current=false is_deleted=true _op=c",
                          "id=2 name=d version=2 is_current=true is_deleted=false _op=c"));
}

TEST_F(SilverStageTest, IntervalsAndPositionsMeet) {
  f_.Transact({Insert(1, "a")});
  f_.Transact({Update(1, "b")});
  Run();
  const auto rows = f_.Silver("orders");
  ASSERT_EQ(rows.size(), 2u);
  const auto& open = rows[0].at("is_current") == "true" ? rows[0] : rows[1];
  const auto& closed = rows[0].at("is_current") == "true" ? rows[1] : rows[0];
  EXPECT_EQ(closed.at("valid_to"), open.at("valid_from"));
  EXPECT_LT(closed.at("valid_from"), closed.at("valid_to"));
  EXPECT_EQ(closed.at("_to_lsn"), "1020");
  EXPECT_EQ(open.at("_from_lsn"), "1020");
  EXPECT_EQ(open.at("_to_lsn"), "null");
  EXPECT_EQ(open.at("valid_to"), "null");
}

TEST_F(SilverStageTest, RunningAgainChangesNothing) {
  f_.Transact({Insert(1, "a")});
  Run();
  const int64_t commits = f_.catalog.commits();
  f_.Restart();
  Run();
  EXPECT_EQ(f_.catalog.commits(), commits);
}

TEST_F(SilverStageTest, TruncateClosesRowsThatTheBatchDoesNotName) {
  f_.Transact({Insert(1, "a"), Insert(2, "b")});
  Run();
  f_.Transact({Insert(3, "c")});
  f_.Transact({{.op = 't'}, Insert(2, "e")});
  Run();
  EXPECT_THAT(Orders(),
              ElementsAre("id=1 name=a version=1 is_current=false is_deleted=true _op=c",
                          "id=2 name=b version=1 is_current=false is_deleted=false _op=c",
                          "id=2 name=e version=2 is_current=true is_deleted=false _op=u",
                          "id=3 name=c version=1 is_current=false is_deleted=true _op=c"));
}

TEST_F(SilverStageTest, ATruncateAloneClosesEverything) {
  f_.Transact({Insert(1, "a"), Insert(2, "b")});
  Run();
  f_.Transact({{.op = 't'}});
  Run();
  EXPECT_EQ(f_.Silver("orders").size(), 2u);
  EXPECT_THAT(f_.Current("orders"), IsEmpty());
}

TEST_F(SilverStageTest, UnsentValuesComeFromTheVersionBefore) {
  f_.Transact({Insert(1, "long text")});
  Run();
  f_.Transact({{.op = 'u', .key = Key(1), .after = R"({"id":1,"amount":"2.00"})"}});
  Run();
  f_.Transact(
      {{.op = 'd', .key = Key(1), .before = Key(1), .headers = R"({"__debezium.newkey":{"id":9}})"},
       {.op = 'c',
        .key = Key(9),
        .after = R"({"id":9,"amount":"3.00"})",
        .headers = R"({"__debezium.oldkey":{"id":1}})"}});
  Run();
  EXPECT_THAT(SilverFixture::Lines(f_.Current("orders"), {"id", "name", "amount", "version"}),
              ElementsAre("id=9 name=long text amount=3.00 version=1"));
}

TEST_F(SilverStageTest, InitialSnapshotThenChanges) {
  f_.Commit({{.commit_lsn = 1000,
              .time = f_.time,
              .events = {{.topic = "app.public.orders",
                          .op = 'r',
                          .key = Key(1),
                          .after = Order(1, "a", "1.00"),
                          .ordinal = 0},
                         {.topic = "app.public.orders",
                          .op = 'r',
                          .key = Key(2),
                          .after = Order(2, "b", "NaN"),
                          .ordinal = 1}}}},
            true);
  Run();
  f_.Transact({Update(2, "c", "5.00")});
  Run();
  EXPECT_THAT(SilverFixture::Lines(f_.Silver("orders"),
                                   {"id", "name", "amount", "amount__pg", "_op", "_from_ord"}),
              ElementsAre("id=1 name=a amount=1.00 amount__pg=null _op=r _from_ord=-1",
                          "id=2 name=b amount=null amount__pg=NaN _op=r _from_ord=-1",
                          "id=2 name=c amount=5.00 amount__pg=null _op=u _from_ord=0"));
}

TEST_F(SilverStageTest, CutsNameEveryTableAndAdvance) {
  f_.Transact({Insert(1, "a")});
  Run();
  f_.Transact({Insert(2, "a")});
  Run();
  const auto cuts = SilverFixture::Lines(f_.Read("_millrace", "cuts"),
                                         {"cut", "system_id", "timeline", "commit_lsn", "ordinal"});
  EXPECT_THAT(cuts, ElementsAre("cut=1 system_id=77 timeline=1 commit_lsn=1010 ordinal=0",
                                "cut=2 system_id=77 timeline=1 commit_lsn=1020 ordinal=0"));
  const auto orders = f_.catalog.LoadTable(MakeIdent("silver", "orders"));
  EXPECT_THAT(f_.Read("_millrace", "cuts").back().at("tables"),
              HasSubstr(std::to_string(*orders->metadata.current_snapshot_id)));
}

TEST_F(SilverStageTest, ATableThatCannotBeFollowedIsHeldBackAndTheOthersGoOn) {
  TableSchema other = OrdersSchema();
  other.table = "other";
  other.relation_oid = 2;
  f_.Use(other);
  const auto in_other = [](TestEvent event) {
    event.topic = "app.public.other";
    return event;
  };
  f_.Transact({Insert(1, "a"), in_other(Insert(1, "a"))});
  Run();
  TableSchema changed = OrdersSchema();
  changed.columns[2].type = TestType(LogicalKind::kText);
  f_.Use(changed);
  f_.Transact({Insert(2, "b"), in_other(Insert(2, "b"))});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_EQ(f_.stage->held()[0].table, "public.orders");
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("'amount'"));
  EXPECT_EQ(f_.Current("other").size(), 2u);
  EXPECT_EQ(f_.Current("orders").size(), 1u);
  EXPECT_THAT(f_.Read("_millrace", "cuts").back().at("held_back"), HasSubstr("public.orders"));

  // It stays so over a restart, and comes back whole when the cause is gone.
  f_.Restart();
  f_.Transact({Insert(3, "c"), in_other(Insert(3, "c"))});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  ASSERT_TRUE(f_.stage->Resume("public.orders").ok());
  EXPECT_EQ(f_.Run().error().kind(), ErrorKind::kUnsupported);  // nothing changed
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  f_.DropSilver("orders");
  ASSERT_TRUE(f_.stage->Resume("public.orders").ok());
  Run();
  EXPECT_THAT(f_.stage->held(), IsEmpty());
  EXPECT_THAT(SilverFixture::Lines(f_.Current("orders"), {"id"}), ElementsAre("id=2", "id=3"));
  EXPECT_EQ(f_.Current("other").size(), 3u);
  EXPECT_EQ(f_.stage->Resume("public.orders").error().kind(), ErrorKind::kNotFound);
}

TEST_F(SilverStageTest, AHeldTableComesBackWhenTheTypeDoes) {
  f_.Transact({Insert(1, "a"), Insert(2, "b"), Insert(3, "c")});
  Run();
  TableSchema changed = OrdersSchema();
  changed.columns[2].type = TestType(LogicalKind::kText);
  f_.Use(changed);
  f_.Transact({Update(1, "a", "2.50"), Update(2, "b", "cheap")});
  f_.Transact({Delete(3), Insert(4, "d", "4.00")});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("'amount'"));
  f_.Use(OrdersSchema());
  f_.Transact({Insert(5, "e", "5.00")});
  f_.options.max_cut_commits = 1;  // one step ends within the other type
  f_.Restart();
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  ASSERT_TRUE(f_.stage->Resume("public.orders").ok());
  Run();
  EXPECT_THAT(f_.stage->held(), IsEmpty());
  const std::vector<std::string> shape = {"id", "name", "amount", "amount__pg", "version"};
  EXPECT_THAT(SilverFixture::Lines(f_.Current("orders"), shape),
              ElementsAre("id=1 name=a amount=2.50 amount__pg=null version=2",
                          "id=2 name=b amount=null amount__pg=cheap version=2",
                          "id=4 name=d amount=4.00 amount__pg=null version=1",
                          "id=5 name=e amount=5.00 amount__pg=null version=1"));
  // What the type could not hold is put right by the cure's second half.
  f_.Transact({Update(2, "b", "0.10")});
  Run();
  EXPECT_EQ(SilverFixture::Lines(f_.Current("orders"), shape)[1],
            "id=2 name=b amount=0.10 amount__pg=null version=3");
}

TEST_F(SilverStageTest, AHeldTableIsBuiltAnewFromWhatIsReadAgain) {
  f_.Transact({Insert(1, "a"), Insert(2, "b")});
  Run();
  TableSchema changed = OrdersSchema();
  changed.columns[2].type = TestType(LogicalKind::kText);
  f_.Use(changed);
  f_.Transact({Update(1, "a", "cheap")});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  const auto row = [](int64_t id, const std::string& name) {
    return TestEvent{.op = 'r', .key = Key(id), .after = Order(id, name, "free")};
  };
  f_.Transact({{.op = 't', .snapshot = true}, row(1, "a"), row(2, "b")});
  f_.DropSilver("orders");
  ASSERT_TRUE(f_.stage->Resume("public.orders").ok());
  Run();
  Run();
  EXPECT_THAT(f_.stage->held(), IsEmpty());
  EXPECT_THAT(SilverFixture::Lines(f_.Current("orders"), {"id", "name", "amount"}),
              ElementsAre("id=1 name=a amount=free", "id=2 name=b amount=free"));
}

TEST_F(SilverStageTest, AHeldTableCatchesUpInSeveralSteps) {
  f_.Transact({Insert(1, "a")});
  Run();
  TableSchema changed = OrdersSchema();
  changed.columns[2].type = TestType(LogicalKind::kText);
  f_.Use(changed);
  for (int64_t id = 10; id < 20; ++id) f_.Transact({Insert(id, "x")});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  f_.DropSilver("orders");
  f_.options.max_cut_commits = 3;
  f_.Restart();
  ASSERT_TRUE(f_.stage->Resume("public.orders").ok());
  Run();
  EXPECT_THAT(f_.stage->held(), IsEmpty());
  EXPECT_EQ(f_.Current("orders").size(), 10u);
  f_.Transact({Insert(20, "y")});
  Run();
  EXPECT_EQ(f_.Current("orders").size(), 11u);
}

TEST_F(SilverStageTest, AnUnsentValueOfAnUnknownRowHoldsTheTableBack) {
  f_.Transact({{.op = 'u', .key = Key(2), .after = R"({"id":2,"amount":"1.00"})"}});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("no earlier version"));
}

TEST_F(SilverStageTest, TwoTablesForOneNameAreRefused) {
  TableSchema other = OrdersSchema();
  other.schema = "a";
  other.table = "b_c";
  f_.Use(other);
  other.schema = "a_b";
  other.table = "c";
  other.relation_oid = 3;
  f_.Use(other);
  TestEvent first = Insert(1, "x"), second = Insert(1, "x");
  first.topic = "app.a.b_c";
  second.topic = "app.a_b.c";
  f_.Transact({first, second});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("silver.a_b_c"));
  EXPECT_EQ(f_.Current("a_b_c").size(), 1u);
}

TEST_F(SilverStageTest, ATableThatIsReadAgain) {
  f_.Transact({Insert(1, "a"), Insert(2, "b"), Insert(3, "c")});
  Run();
  const auto row = [](int64_t id, const std::string& name) {
    return TestEvent{.op = 'r', .key = Key(id), .after = Order(id, name, "1.00")};
  };
  f_.Transact({{.op = 't', .snapshot = true}, row(1, "a"), row(2, "changed")});
  Run();
  EXPECT_THAT(Orders(),
              ElementsAre("id=1 name=a version=1 is_current=true is_deleted=false _op=c",
                          "id=2 name=b version=1 is_current=false is_deleted=false _op=c",
                          "id=2 name=changed version=2 is_current=true is_deleted=false _op=r",
                          "id=3 name=c version=1 is_current=false is_deleted=true _op=c"));
}

TEST_F(SilverStageTest, ATableWithoutRowsIsThere) {
  TableSchema other = OrdersSchema();
  other.table = "other";
  other.relation_oid = 2;
  f_.Use(other);
  f_.Transact({Insert(1, "a")});
  Run();
  EXPECT_THAT(f_.Silver("other"), IsEmpty());
  TestEvent event = Insert(1, "b");
  event.topic = "app.public.other";
  f_.Transact({event});
  Run();
  EXPECT_EQ(f_.Current("other").size(), 1u);
}

TEST_F(SilverStageTest, ATableThatIsGoneIsBuiltAgainWhenAskedFor) {
  f_.Transact({Insert(1, "a")});
  Run();
  f_.DropSilver("orders");
  f_.Transact({Update(1, "b")});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("is gone"));
  ASSERT_TRUE(f_.stage->Resume("public.orders").ok());
  Run();
  EXPECT_THAT(f_.stage->held(), IsEmpty());
  EXPECT_THAT(Orders(),
              ElementsAre("id=1 name=a version=1 is_current=false is_deleted=false _op=c",
                          "id=1 name=b version=2 is_current=true is_deleted=false _op=u"));
}

TEST_F(SilverStageTest, ARenamedTableIsHeldBack) {
  f_.Transact({Insert(1, "a")});
  Run();
  TableSchema renamed = OrdersSchema();
  renamed.table = "sales";
  f_.Use(renamed);
  TestEvent event = Update(1, "b");
  event.topic = "app.public.sales";
  f_.Transact({event});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("public.orders under a new name"));
}

TEST_F(SilverStageTest, ATableOfSomebodyElseIsLeftAlone) {
  const table::NewTable foreign{.ident = MakeIdent("silver", "orders"),
                                .location = "memory://lake/foreign",
                                .schema = LayOut(OrdersSchema())->schema,
                                .spec = {},
                                .properties = {}};
  ASSERT_TRUE(f_.catalog.Commit({table::StageCreate(foreign)}).ok());
  f_.Transact({Insert(1, "a")});
  Run();
  ASSERT_EQ(f_.stage->held().size(), 1u);
  EXPECT_THAT(f_.stage->held()[0].reason, HasSubstr("not Millrace's"));
}

TEST_F(SilverStageTest, AnotherSourceIsRefused) {
  f_.Transact({Insert(1, "a")});
  Run();
  f_.system_id = 78;
  f_.Transact({Insert(2, "b")});
  EXPECT_EQ(f_.Run().error().kind(), ErrorKind::kFenced);
}

TEST_F(SilverStageTest, ALostRaceIsRunAgain) {
  f_.Transact({Insert(1, "a")});
  Run();
  f_.Transact({Update(1, "b")});
  f_.catalog.BeforeNextCommit([&] {
    // Another writer has done the same work and more.
    f_.Transact({Insert(2, "c")});
    SilverStage other(f_.bronze, f_.lake, f_.catalog, f_.clock, {});
    while (true) {
      const auto report = other.RunOnce({});
      ASSERT_TRUE(report.ok()) << report.error().ToString();
      if (!report->did_work) break;
    }
  });
  Run();
  EXPECT_THAT(Orders(),
              ElementsAre("id=1 name=a version=1 is_current=false is_deleted=false _op=c",
                          "id=1 name=b version=2 is_current=true is_deleted=false _op=u",
                          "id=2 name=c version=1 is_current=true is_deleted=false _op=c"));
}

TEST_F(SilverStageTest, FilesOfALostRaceAreGone) {
  f_.Transact({Insert(1, "a")});
  Run();
  f_.Transact({Update(1, "b")});
  f_.lake.FailWrites(ErrorKind::kOutOfSpace);
  EXPECT_EQ(f_.Run().error().kind(), ErrorKind::kOutOfSpace);
  f_.lake.FailWrites(std::nullopt);
  Run();
  EXPECT_EQ(f_.Orphans("orders"), 0);
}

TEST_F(SilverStageTest, CommitsWithoutRowsMakeFewCuts) {
  f_.Transact({Insert(1, "a")});
  Run();
  const int64_t commits = f_.catalog.commits();
  for (int i = 0; i < 5; ++i) {
    f_.Commit({});
    Run();
  }
  EXPECT_EQ(f_.catalog.commits(), commits);
  f_.clock.Advance(3'600 * kMicrosPerSecond);
  f_.Commit({});
  Run();
  EXPECT_EQ(f_.catalog.commits(), commits + 1);
  f_.Transact({Insert(2, "b")});
  Run();
  EXPECT_EQ(f_.Current("orders").size(), 2u);
}

TEST_F(SilverStageTest, ASnapshotOfTwoPositionsIsFolded) {
  const auto row = [](int64_t id, const std::string& name, int64_t ordinal) {
    return TestEvent{
        .op = 'r', .key = Key(id), .after = Order(id, name, "1.00"), .ordinal = ordinal};
  };
  // The second part was read later and meets a row of the first again.
  f_.Commit({{.commit_lsn = 1000, .time = f_.time, .events = {row(1, "a", 0), row(2, "b", 1)}},
             {.commit_lsn = 1500, .time = f_.time, .events = {row(2, "c", 0), row(3, "d", 1)}}},
            true);
  Run();
  EXPECT_THAT(
      SilverFixture::Lines(f_.Current("orders"), {"id", "name", "version"}),
      ElementsAre("id=1 name=a version=1", "id=2 name=c version=2", "id=3 name=d version=1"));
}

// Where the catalog commits table by table, a run that ends between two of them goes on with the
// others. In a process of its own, since failpoints are read once.
void EndBetweenTwoCommits() {
  (void)setenv("MILLRACE_FAILPOINTS", "silver.between_commits=error@2", 1);
  SilverFixture f(false);
  f.Use(OrdersSchema());
  TableSchema other = OrdersSchema();
  other.table = "other";
  other.relation_oid = 2;
  f.Use(other);
  TestEvent event = Insert(1, "b");
  event.topic = "app.public.other";
  f.Transact({Insert(1, "a"), event});
  const bool failed = !f.Run().ok();
  const size_t first = f.Current("orders").size() + f.Current("other").size();
  f.Restart();
  const bool went_on = f.Run().ok();
  const bool whole = f.Current("orders").size() == 1 && f.Current("other").size() == 1;
  const bool clean = f.Orphans("orders") == 0 && f.Orphans("other") == 0;
  std::_Exit(failed && first == 1 && went_on && whole && clean ? 0 : 1);
}

TEST(SilverDeathTest, ARunThatEndsBetweenTwoCommitsGoesOn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(EndBetweenTwoCommits(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace millrace::silver
