#include "pipeline/silver/silver_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace millrace::silver
