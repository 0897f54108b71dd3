#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/format.h"
#include "codec/hash.h"
#include "pipeline/silver/silver_fixture.h"
#include "table/data_reader.h"
#include "table/delete_file.h"

namespace millrace::silver {

namespace {

// Times as microseconds, everything else as Arrow prints it.
std::string Text(const arrow::Scalar& scalar) {
  if (!scalar.is_valid) return "null";
  if (scalar.type->id() != arrow::Type::TIMESTAMP) return scalar.ToString();
  return std::to_string(static_cast<const arrow::TimestampScalar&>(scalar).value);
}

}  // namespace

LogicalType TestType(LogicalKind kind, int precision, int scale) {
  LogicalType type;
  type.kind = kind;
  type.precision = precision;
  type.scale = scale;
  return type;
}

SourceColumn TestColumn(int16_t attnum, const std::string& name, LogicalType type,
                        const std::string& type_name, int key_position) {
  SourceColumn column;
  column.attnum = attnum;
  column.name = name;
  column.type = std::move(type);
  column.type_name = type_name;
  column.key_position = key_position;
  column.not_null = key_position != 0;
  return column;
}

TableSchema OrdersSchema() {
  TableSchema schema;
  schema.relation_oid = 16384;
  schema.schema = "public";
  schema.table = "orders";
  schema.columns = {
      TestColumn(1, "id", TestType(LogicalKind::kInt64), "bigint", 1),
      TestColumn(2, "name", TestType(LogicalKind::kText), "text"),
      TestColumn(3, "amount", TestType(LogicalKind::kNumeric, 10, 2), "numeric(10,2)")};
  return schema;
}

SilverFixture::SilverFixture(bool atomic, SilverOptions o)
    : catalog(clock, atomic), options(std::move(o)) {
  auto writer = commitlog::Writer::Open(bronze, clock, "app", "slot");
  EXPECT_TRUE(writer.ok()) << writer.error().ToString();
  writer_ = std::make_unique<commitlog::Writer>(std::move(*writer));
  Restart();
}

void SilverFixture::Restart() {
  stage = std::make_unique<SilverStage>(bronze, lake, catalog, clock, options);
}

void SilverFixture::Use(const TableSchema& schema) {
  const std::string topic = TopicName("app", schema.schema, schema.table);
  const Status written = commitlog::WriteSchema(bronze, topic, schema);
  EXPECT_TRUE(written.ok()) << written.error().ToString();
  schemas_[topic] = {schema, Fingerprint(schema)};
}

std::string SilverFixture::LineOf(const TestTransaction& transaction, const TestEvent& event,
                                  int64_t offset) const {
  return Format(
      R"({{"offset":{},"timestamp":{},"key":{},"value":{{"before":{},"after":{},"source":{{"version":"millrace-0.1","ts_ms":{},)"
      R"("snapshot":"{}","sequence":null,"ts_us":{},"ts_ns":{}000,"lsn":7,"xmin":null,"commit_lsn":{},"ordinal":{}}},"transaction":null,"op":"{}",)"
      R"("ts_ms":1}},"headers":{}}})"
      "\n",
      offset, transaction.time / 1000, event.key, event.before, event.after,
      transaction.time / 1000, event.snapshot || event.op == 'r', transaction.time,
      transaction.time, transaction.commit_lsn, event.ordinal, event.op, event.headers);
}

void SilverFixture::Commit(const std::vector<TestTransaction>& transactions, bool snapshot) {
  struct File {
    std::string lines;
    int64_t first = 0, records = 0;
  };
  std::map<std::string, File> files;
  SourcePosition position{
      .system_id = system_id, .timeline = 1, .last = last_, .resume_lsn = lsn, .commit_time = time};
  for (const TestTransaction& transaction : transactions) {
    for (const TestEvent& event : transaction.events) {
      int64_t& offset = offsets_[event.topic];
      File& file = files[event.topic];
      if (file.records++ == 0) file.first = offset;
      file.lines += LineOf(transaction, event, offset++);
      position.last.ordinal = event.ordinal;
    }
    position.last.commit_lsn = transaction.commit_lsn;
    position.commit_time = transaction.time;
  }
  last_ = position.last;
  position.resume_lsn = position.last.commit_lsn + 1;
  BronzeCommit commit;
  commit.position = position;
  commit.snapshot = SnapshotState::kDone;
  for (auto& [topic, file] : files) {
    BronzeFile entry;
    entry.topic = topic;
    entry.path = Format("{}/{}.jsonl", topic, ++files_);
    entry.first_offset = file.first;
    entry.last_offset = file.first + file.records - 1;
    entry.records = file.records;
    entry.bytes = static_cast<int64_t>(file.lines.size());
    entry.sha256 = Sha256Hex(file.lines);
    entry.schema = schemas_.at(topic).second;
    entry.compression = Compression::kNone;
    entry.snapshot = snapshot;
    const Status put = bronze.Put(entry.path, file.lines);
    EXPECT_TRUE(put.ok()) << put.error().ToString();
    commit.files.push_back(std::move(entry));
  }
  const Status appended = writer_->Append(std::move(commit));
  EXPECT_TRUE(appended.ok()) << appended.error().ToString();
}

Lsn SilverFixture::Transact(std::vector<TestEvent> events) {
  lsn += 10;
  time += kMicrosPerSecond;
  int64_t ordinal = 0;
  for (TestEvent& event : events) event.ordinal = ordinal++;
  Commit({{.commit_lsn = lsn, .time = time, .events = std::move(events)}});
  return lsn;
}

Status SilverFixture::Run() {
  while (true) {
    MR_ASSIGN(const StageReport report, stage->RunOnce({}));
    if (!report.did_work) return {};
  }
}

std::vector<SilverFixture::Row> SilverFixture::Read(const std::string& space,
                                                    const std::string& table) {
  std::vector<Row> rows;
  const auto loaded = catalog.LoadTable(MakeIdent(space, table));
  EXPECT_TRUE(loaded.ok()) << loaded.error().ToString();
  if (!loaded.ok()) return rows;
  table::ManifestCache cache(lake);
  const iceberg::TableMetadata& metadata = loaded->metadata;
  const auto plan = table::PlanScan(cache, metadata, metadata.current_snapshot_id, {});
  EXPECT_TRUE(plan.ok()) << plan.error().ToString();
  const std::vector<iceberg::Field>& fields = metadata.CurrentSchema().fields;
  for (const table::FileTask& task : plan->tasks) {
    const auto dead = table::ReadDeletedPositions(lake, task);
    EXPECT_TRUE(dead.ok()) << dead.error().ToString();
    const auto reader = table::DataReader::Open(lake, task.entry->file);
    EXPECT_TRUE(reader.ok()) << reader.error().ToString();
    for (int group = 0; group < (*reader)->row_groups(); ++group) {
      const auto batch = (*reader)->Read(group, fields);
      EXPECT_TRUE(batch.ok()) << batch.error().ToString();
      for (int64_t i = 0; i < (*batch)->num_rows(); ++i) {
        if (std::binary_search(dead->begin(), dead->end(), (*reader)->row_group_start(group) + i))
          continue;
        Row row;
        for (size_t c = 0; c < fields.size(); ++c) {
          const auto scalar = (*batch)->column(static_cast<int>(c))->GetScalar(i);
          row[fields[c].name] = Text(**scalar);
        }
        rows.push_back(std::move(row));
      }
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

void SilverFixture::DropSilver(const std::string& table) {
  const Status dropped = catalog.DropTable(MakeIdent("silver", table));
  EXPECT_TRUE(dropped.ok()) << dropped.error().ToString();
}

int SilverFixture::Orphans(const std::string& table) {
  const auto loaded = catalog.LoadTable(MakeIdent("silver", table));
  EXPECT_TRUE(loaded.ok());
  std::set<std::string> listed;
  table::ManifestCache cache(lake);
  for (const iceberg::Snapshot& snapshot : loaded->metadata.snapshots) {
    const auto plan = table::PlanScan(cache, loaded->metadata, snapshot.snapshot_id, {});
    EXPECT_TRUE(plan.ok());
    for (const table::FileTask& task : plan->tasks) {
      listed.insert(task.entry->file.path);
      for (const table::SharedEntry& entry : task.deletes) listed.insert(entry->file.path);
    }
  }
  int orphans = 0;
  for (const std::string& path : lake.Paths()) {
    if (path.starts_with("silver/" + table + "/data/") && !listed.contains(lake.Absolute(path)))
      ++orphans;
  }
  return orphans;
}

std::vector<SilverFixture::Row> SilverFixture::Current(const std::string& table) {
  std::vector<Row> rows = Silver(table);
  std::erase_if(rows, [](const Row& row) { return row.at("is_current") != "true"; });
  return rows;
}

std::vector<std::string> SilverFixture::Lines(const std::vector<Row>& rows,
                                              const std::vector<std::string>& columns) {
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    std::string line;
    for (const std::string& column : columns) {
      if (!line.empty()) line += ' ';
      const auto found = row.find(column);
      line += column + "=" + (found == row.end() ? "absent" : found->second);
    }
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace millrace::silver
