#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/format.h"
#include "pipeline/silver/silver_fixture.h"

namespace millrace::silver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A table without a key under REPLICA IDENTITY FULL.
class KeylessTest : public ::testing::Test {
 protected:
  KeylessTest() { Use({1, 2, 3}); }
  void Use(const std::vector<int16_t>& attnums) {
    schema_ = OrdersSchema();
    schema_.table = "bag";
    schema_.replica_identity = ReplicaIdentity::kFull;
    schema_.columns.clear();
    for (const int16_t attnum : attnums) {
      schema_.columns.push_back(
          TestColumn(attnum, Format("c{}", attnum), TestType(LogicalKind::kInt32), "integer"));
    }
    f_.Use(schema_);
  }
  std::string Json(const std::vector<int>& row) const {
    std::string out;
    for (size_t i = 0; i < row.size(); ++i)
      out += Format("{}\"{}\":{}", i == 0 ? "{" : ",", schema_.columns[i].name, row[i]);
    return out + "}";
  }
  TestEvent Event(char op, const std::vector<int>& before, const std::vector<int>& after) const {
    return {.topic = "app.public.bag",
            .op = op,
            .before = before.empty() ? "null" : Json(before),
            .after = after.empty() ? "null" : Json(after)};
  }
  void Run() {
    const Status ran = f_.Run();
    ASSERT_TRUE(ran.ok()) << ran.error().ToString();
    ASSERT_THAT(f_.stage->held(), IsEmpty());
  }
  SilverFixture f_;
  TableSchema schema_;
};

TEST_F(KeylessTest, RowsAreFoundAfterColumnsComeAndGoAlsoWithinACut) {
  f_.Transact({Event('c', {}, {1, 1, 1}), Event('c', {}, {1, 1, 2}), Event('c', {}, {2, 2, 2})});
  Run();
  f_.Transact({Event('u', {1, 1, 2}, {1, 1, 3})});  // differs in the column that goes
  Use({1, 2});
  f_.Transact({Event('d', {2, 2}, {})});
  f_.Transact({Event('u', {1, 1}, {1, 9})});
  Use({1, 2, 4});
  TestEvent last = Event('d', {1, 9, 0}, {});
  last.before = R"({"c1":1,"c2":9,"c4":null})";
  f_.Transact({last});
  Run();
  EXPECT_THAT(SilverFixture::Lines(f_.Current("bag"), {"c1", "c2"}), ElementsAre("c1=1 c2=1"));
}

TEST_F(KeylessTest, ATruncateAloneClosesEverything) {
  f_.Transact({Event('c', {}, {1, 1, 1}), Event('c', {}, {1, 1, 1})});
  Run();
  f_.Transact({Event('t', {}, {})});
  Run();
  EXPECT_EQ(f_.Silver("bag").size(), 2u);
  EXPECT_THAT(f_.Current("bag"), IsEmpty());
}

TEST_F(KeylessTest, MatchesAMultisetAtEveryPosition) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    SilverOptions options;
    options.merge.upkeep.tiny_file_bytes = seed % 2 == 0 ? 0 : 256 << 10;
    options.merge.upkeep.max_small_files = 3;
    if (seed % 3 == 0) options.max_cut_bytes = 700;  // several passes for one commit
    SilverFixture f(true, options);
    f.Use(schema_);
    std::mt19937 random(seed);
    std::multiset<std::vector<int>> rows;
    std::map<Lsn, std::multiset<std::vector<int>>> states;
    for (int round = 0; round < 25; ++round) {
      std::vector<TestEvent> events;
      for (unsigned i = 0; i < 1 + random() % 5; ++i) {
        const std::vector<int> row = {static_cast<int>(random() % 2),
                                      static_cast<int>(random() % 2),
                                      static_cast<int>(random() % 2)};
        if (random() % 40 == 0) {
          events.push_back(Event('t', {}, {}));
          rows.clear();
        } else if (rows.empty() || random() % 3 == 0) {
          events.push_back(Event('c', {}, row));
          rows.insert(row);
        } else {
          const auto victim =
              std::next(rows.begin(), static_cast<std::ptrdiff_t>(random() % rows.size()));
          const std::vector<int> old = *victim;
          rows.erase(victim);
          const bool update = random() % 2 == 0;
          events.push_back(update ? Event('u', old, row) : Event('d', old, {}));
          if (update) rows.insert(row);
        }
      }
      states[f.Transact(events)] = rows;
      if (random() % 2 == 0) {
        const Status ran = f.Run();
        ASSERT_TRUE(ran.ok()) << ran.error().ToString();
        ASSERT_THAT(f.stage->held(), IsEmpty());
      }
    }
    ASSERT_TRUE(f.Run().ok());
    const auto all = f.Silver("bag");
    for (const auto& [lsn, expected] : states) {
      std::multiset<std::vector<int>> seen;
      for (const auto& row : all) {
        if (std::stoull(row.at("_from_lsn")) > lsn) continue;
        if (row.at("_to_lsn") != "null" && std::stoull(row.at("_to_lsn")) <= lsn) continue;
        seen.insert({std::stoi(row.at("c1")), std::stoi(row.at("c2")), std::stoi(row.at("c3"))});
      }
      ASSERT_EQ(seen, expected) << "as of " << lsn;
    }
  }
}

}  // namespace
}  // namespace millrace::silver
