#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>

#include "base/format.h"
#include "pipeline/silver/silver_fixture.h"

// Random histories of a small table, taken through Bronze into Silver, against a model that keeps
// every version the plain way.
namespace millrace::silver {
namespace {

using Value = std::optional<std::string>;
using Image = std::map<int16_t, Value>;  // by attnum

struct ModelVersion {
  int64_t key = 0;
  Image image;
  int version = 0;
  Micros valid_from = 0;
  std::optional<Micros> valid_to;
  bool deleted = false;
  char op = 'c';
  EventPosition from;
  std::optional<EventPosition> to;
};

// The table as PostgreSQL has it, its versions, and the events that capture would write.
class Model {
 public:
  Model(SilverFixture& fixture, uint32_t seed)
      : f_(fixture), random_(seed), schema_(OrdersSchema()) {
    f_.Use(schema_);
  }

  int Random(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool Chance(int percent) { return Random(100) < percent; }

  void Transaction(std::vector<TestTransaction>& out) {
    TestTransaction transaction;
    transaction.commit_lsn = f_.lsn += 1 + static_cast<Lsn>(Random(20));
    f_.time += Random(4) == 0 ? -Random(5'000'000) : Random(3'000'000);
    transaction.time = f_.time;
    const auto before = rows_;
    touched_.clear();
    const int statements = 1 + Random(6);
    for (int i = 0; i < statements; ++i) Statement(transaction);
    Settle(before, transaction);
    out.push_back(std::move(transaction));
  }

  // Adds, drops, renames or widens a column.
  void AlterTable() {
    switch (Random(4)) {
      case 0: {
        const auto attnum = static_cast<int16_t>(next_attnum_++);
        schema_.columns.push_back(
            TestColumn(attnum, Format("c{}", attnum), TestType(LogicalKind::kInt32), "integer"));
        for (auto& [key, image] : rows_) image[attnum] = std::nullopt;
        break;
      }
      case 1:
        if (schema_.columns.size() > 2) {
          const auto at =
              schema_.columns.begin() + 1 + Random(static_cast<int>(schema_.columns.size()) - 1);
          for (auto& [key, image] : rows_) image.erase(at->attnum);
          schema_.columns.erase(at);
        }
        break;
      case 2: {
        SourceColumn& column =
            schema_.columns[static_cast<size_t>(Random(static_cast<int>(schema_.columns.size())))];
        column.name = Format("n{}", next_name_++ % 3);
        for (SourceColumn& other : schema_.columns) {
          if (&other != &column && other.name == column.name)
            other.name = Format("m{}", next_name_++);
        }
        break;
      }
      default:
        for (SourceColumn& column : schema_.columns) {
          if (column.type.kind == LogicalKind::kInt32) {
            column.type = TestType(LogicalKind::kInt64);
            column.type_name = "bigint";
          }
        }
    }
    f_.Use(schema_);
  }

  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const ModelVersion& v : versions_) {
      std::string line;
      for (const SourceColumn& column : schema_.columns) {
        const auto value = v.image.find(column.attnum);
        line += Format("{}={} ", column.name,
                       value == v.image.end() || !value->second ? "null" : *value->second);
      }
      line += Format("valid_from={} valid_to={} is_current={} is_deleted={} version={} _op={} ",
                     v.valid_from, v.valid_to ? std::to_string(*v.valid_to) : "null", !v.to,
                     v.deleted, v.version, v.op);
      line += Format("_from_lsn={} _from_ord={} _to_lsn={} _to_ord={}", v.from.commit_lsn,
                     v.from.ordinal, v.to ? std::to_string(v.to->commit_lsn) : "null",
                     v.to ? std::to_string(v.to->ordinal) : "null");
      lines.push_back(std::move(line));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  std::vector<std::string> Columns() const {
    std::vector<std::string> names;
    for (const SourceColumn& column : schema_.columns) names.push_back(column.name);
    for (int i = 0; i < kScdColumns; ++i) names.emplace_back(ScdName(static_cast<Scd>(i)));
    return names;
  }
  size_t versions() const { return versions_.size(); }

 private:
  Value RandomValue(const SourceColumn& column) {
    if (Chance(15)) return std::nullopt;
    if (column.type.kind == LogicalKind::kText) return Format("t{}", Random(4));
    if (column.type.kind == LogicalKind::kNumeric) return Format("{}.{:02}", Random(3), Random(3));
    return std::to_string(Random(5));
  }
  Image RandomImage(int64_t key) {
    Image image;
    for (const SourceColumn& column : schema_.columns) {
      image[column.attnum] =
          column.key_position != 0 ? Value(std::to_string(key)) : RandomValue(column);
    }
    return image;
  }
  const std::string& KeyName() const { return schema_.columns.front().name; }
  std::string KeyJson(int64_t key) const { return Format(R"({{"{}":{}}})", KeyName(), key); }
  // Values equal to those of `sent` may be left out, as TOAST is.
  std::string Json(const Image& image, const Image* sent) {
    std::string out = "{";
    for (const SourceColumn& column : schema_.columns) {
      const Value& value = image.at(column.attnum);
      if (sent != nullptr && column.key_position == 0 && sent->at(column.attnum) == value &&
          value && Chance(50))
        continue;
      if (out.size() > 1) out += ',';
      const bool quoted =
          column.type.kind == LogicalKind::kText || column.type.kind == LogicalKind::kNumeric;
      out += Format("\"{}\":{}", column.name,
                    !value   ? "null"
                    : quoted ? "\"" + *value + "\""
                             : *value);
    }
    return out + "}";
  }
  void Emit(TestTransaction& transaction, TestEvent event, int64_t key) {
    event.ordinal = ordinal_++;
    touched_[key] = event.ordinal;
    transaction.events.push_back(std::move(event));
  }

  void Statement(TestTransaction& transaction) {
    if (transaction.events.empty()) ordinal_ = 0;
    const int64_t key = Random(12);
    const auto row = rows_.find(key);
    if (Chance(2)) {
      const int64_t ordinal = ordinal_++;
      transaction.events.push_back({.op = 't', .ordinal = ordinal});
      for (const auto& [present, image] : rows_) touched_[present] = ordinal;
      rows_.clear();
    } else if (row == rows_.end()) {
      rows_[key] = RandomImage(key);
      Emit(transaction, {.op = 'c', .key = KeyJson(key), .after = Json(rows_[key], nullptr)}, key);
    } else if (Chance(25)) {
      rows_.erase(row);
      Emit(transaction, {.op = 'd', .key = KeyJson(key), .before = KeyJson(key)}, key);
    } else if (const int64_t to = Random(12); Chance(20) && !rows_.contains(to)) {
      const Image old = row->second;
      Image image = Chance(50) ? RandomImage(to) : old;
      image[schema_.columns.front().attnum] = std::to_string(to);
      rows_.erase(row);
      rows_[to] = image;
      Emit(transaction,
           {.op = 'd',
            .key = KeyJson(key),
            .before = KeyJson(key),
            .headers = Format(R"({{"__debezium.newkey":{}}})", KeyJson(to))},
           key);
      Emit(transaction,
           {.op = 'c',
            .key = KeyJson(to),
            .after = Json(image, &old),
            .headers = Format(R"({{"__debezium.oldkey":{}}})", KeyJson(key))},
           to);
    } else {
      const Image old = row->second;
      if (!Chance(20)) row->second = RandomImage(key);
      Emit(transaction, {.op = 'u', .key = KeyJson(key), .after = Json(row->second, &old)}, key);
    }
  }

  void Settle(const std::map<int64_t, Image>& before, const TestTransaction& transaction) {
    for (const auto& [key, ordinal] : touched_) {
      const auto was = before.find(key);
      const auto is = rows_.find(key);
      const bool had = was != before.end(), has = is != rows_.end();
      if (!had && !has) continue;

      const EventPosition at{transaction.commit_lsn, ordinal};
      ModelVersion* last = nullptr;
      for (ModelVersion& version : versions_) {
        if (version.key == key && (last == nullptr || version.version > last->version))
          last = &version;
      }
      // A dropped column is null in what is written after the drop, so the first change then is
      // one.
      if (had && has && Known(last->image) == Known(is->second)) continue;
      Micros time = transaction.time;
      if (last != nullptr)
        time = std::max({time, last->valid_from, last->valid_to.value_or(last->valid_from)});
      if (had) {
        last->valid_to = time;
        last->to = at;
        last->deleted = !has;
      }
      if (!has) continue;
      versions_.push_back({.key = key,
                           .image = is->second,
                           .version = last == nullptr ? 1 : last->version + 1,
                           .valid_from = time,
                           .valid_to = std::nullopt,
                           .deleted = false,
                           .op = had ? 'u' : 'c',
                           .from = at,
                           .to = std::nullopt});
    }
  }
  // A column that is not there is null: adding or dropping one is no change of the rows.
  static Image Known(const Image& image) {
    Image known;
    for (const auto& [attnum, value] : image) {
      if (value) known[attnum] = value;
    }
    return known;
  }

  SilverFixture& f_;
  std::mt19937 random_;
  TableSchema schema_;
  int next_attnum_ = 4, next_name_ = 0;
  std::map<int64_t, Image> rows_;
  std::map<int64_t, int64_t> touched_;  // key: ordinal of its last event in the transaction
  int64_t ordinal_ = 0;
  std::vector<ModelVersion> versions_;
};

SilverOptions RandomOptions(uint32_t seed) {
  SilverOptions options;
  options.threads = 1 + static_cast<int>(seed % 2);
  options.merge.writer.row_group_rows = seed % 3 == 0 ? 3 : 1000;
  // Position deletes instead of rewrites for every other seed.
  options.merge.upkeep.tiny_file_bytes = seed % 2 == 0 ? 0 : 256 << 10;
  options.merge.upkeep.max_small_files = 2 + seed % 5;
  // Several passes for one commit, and several cuts.
  if (seed % 4 == 1) options.max_cut_bytes = 1500;
  return options;
}

// More with MILLRACE_SEEDS=<n>.
uint32_t Seeds() {
  const char* wanted = std::getenv("MILLRACE_SEEDS");
  return wanted == nullptr ? 25 : static_cast<uint32_t>(std::atoi(wanted));
}

struct Trouble {
  bool schema = false, lost_commits = false, failed_writes = false, replays = false;
};

void Check(uint32_t seed, const Trouble& trouble, bool atomic = true) {
  SCOPED_TRACE(Format("seed {}", seed));
  SilverFixture f(atomic, RandomOptions(seed));
  Model model(f, seed);
  for (int round = 0; round < 12; ++round) {
    if (trouble.schema && model.Chance(40)) model.AlterTable();
    std::vector<TestTransaction> transactions;
    for (int i = 1 + model.Random(5); i > 0; --i) model.Transaction(transactions);
    f.Commit(transactions);
    if (model.Chance(30)) continue;  // several commits in one cut
    if (trouble.lost_commits && model.Chance(40)) {
      using Lost = testing::MemoryCatalog::Lost;
      f.catalog.LoseNextAnswer(model.Chance(50) ? Lost::kBefore : Lost::kAfter);
    }
    if (trouble.failed_writes && model.Chance(40)) {
      f.lake.FailWrites(ErrorKind::kUnavailable);
      ASSERT_FALSE(f.Run().ok());
      f.lake.FailWrites(std::nullopt);
      f.Restart();
    }
    const Status ran = f.Run();
    ASSERT_TRUE(ran.ok()) << ran.error().ToString();
    if (model.Chance(30)) f.Restart();
    ASSERT_THAT(f.stage->held(), ::testing::IsEmpty());
    if (model.versions() == 0) continue;
    if (trouble.replays && model.Chance(30)) {
      // The marks are lost: everything comes again, and the rows themselves must tell.
      ASSERT_TRUE(f.catalog.DropTable(MakeIdent("_millrace", "cuts")).ok());
      ASSERT_TRUE(
          f.catalog
              .Commit({{MakeIdent("silver", "orders"),
                        {},
                        {iceberg::update::SetProperties{{{"millrace.bronze-commit", "0"}}}}}})
              .ok());
      f.Restart();
      const Status again = f.Run();
      ASSERT_TRUE(again.ok()) << again.error().ToString();
    }
    ASSERT_THAT(SilverFixture::Lines(f.Silver("orders"), model.Columns()),
                ::testing::ElementsAreArray(model.Lines()))
        << "round " << round;
  }
}

TEST(SilverPropertyTest, MatchesThePlainModel) {
  for (uint32_t seed = 1; seed <= Seeds() && !::testing::Test::HasFailure(); ++seed)
    Check(seed, {});
}
TEST(SilverPropertyTest, MatchesThePlainModelWhileTheTableChanges) {
  for (uint32_t seed = 1; seed <= Seeds() && !::testing::Test::HasFailure(); ++seed)
    Check(seed, {.schema = true});
}
TEST(SilverPropertyTest, FailedWritesAndLostAnswersChangeNothing) {
  for (uint32_t seed = 1; seed <= Seeds() && !::testing::Test::HasFailure(); ++seed) {
    Check(seed, {.lost_commits = true, .failed_writes = true}, seed % 3 != 0);
  }
}
TEST(SilverPropertyTest, ReplaysChangeNothing) {
  for (uint32_t seed = 1; seed <= Seeds() && !::testing::Test::HasFailure(); ++seed)
    Check(seed, {.schema = seed % 2 == 0, .replays = true});
}

}  // namespace
}  // namespace millrace::silver
