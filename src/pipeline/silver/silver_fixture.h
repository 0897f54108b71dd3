#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commitlog/commit_log.h"
#include "model/table_schema.h"
#include "pipeline/silver/silver_stage.h"
#include "testing/manual_clock.h"
#include "testing/memory_catalog.h"
#include "testing/memory_store.h"

// What the tests of this folder share: a Bronze log to write events into, and a reader of Silver
// tables that uses the table layer's scan only.
namespace millrace::silver {

// One event as text; `commit_lsn`, `ordinal` and time come from its transaction.
struct TestEvent {
  std::string topic = "app.public.orders";
  char op = 'c';
  std::string key = "null", before = "null", after = "null", headers = "null";  // JSON
  int64_t ordinal = 0;
  bool snapshot = false;  // as source.snapshot says
};
struct TestTransaction {
  Lsn commit_lsn = 0;
  Micros time = 0;
  std::vector<TestEvent> events;
};

LogicalType TestType(LogicalKind kind, int precision = 0, int scale = 0);
SourceColumn TestColumn(int16_t attnum, const std::string& name, LogicalType type,
                        const std::string& type_name, int key_position = 0);
// "public.orders": id bigint primary key, name text, amount numeric(10,2).
TableSchema OrdersSchema();

class SilverFixture {
 public:
  explicit SilverFixture(bool atomic = true, SilverOptions options = {});

  // Sets the schema version of a table's events from now on; its topic is "app.<schema>.<table>".
  void Use(const TableSchema& schema);
  // One Bronze commit with these transactions, one file per table and schema version.
  void Commit(const std::vector<TestTransaction>& transactions, bool snapshot = false);
  // As Commit, in events of one transaction of a table; lsn and time go on by one (second).
  Lsn Transact(std::vector<TestEvent> events);

  // Runs the stage until it has nothing to do.
  Status Run();
  // As if the Silver table had been dropped in the catalog.
  void DropSilver(const std::string& table);
  // Data and delete files below a Silver table that its current snapshot does not list.
  int Orphans(const std::string& table);
  void Restart();  // a new stage object: what a process knows in memory is gone

  // Rows of a table as text by column name, null as "null"; only live rows; sorted.
  using Row = std::map<std::string, std::string>;
  std::vector<Row> Read(const std::string& space, const std::string& table);
  std::vector<Row> Silver(const std::string& table) { return Read("silver", table); }
  std::vector<Row> Current(const std::string& table);
  // "id=1 name=a ..." of the given columns, in row order.
  static std::vector<std::string> Lines(const std::vector<Row>& rows,
                                        const std::vector<std::string>& columns);

  testing::ManualClock clock;
  testing::MemoryStore bronze{"memory://bronze"};
  testing::MemoryStore lake{"memory://lake"};
  testing::MemoryCatalog catalog;
  SilverOptions options;
  std::unique_ptr<SilverStage> stage;
  uint64_t system_id = 77;
  Lsn lsn = 1000;
  Micros time = 1'700'000'000 * kMicrosPerSecond;

 private:
  std::string LineOf(const TestTransaction& transaction, const TestEvent& event,
                     int64_t offset) const;
  std::map<std::string, std::pair<TableSchema, std::string>>
      schemas_;  // by topic: with its fingerprint
  std::unique_ptr<commitlog::Writer> writer_;
  std::map<std::string, int64_t> offsets_;
  int64_t files_ = 0;
  EventPosition last_;
};

}  // namespace millrace::silver
