#include "table/snapshot_producer.h"

#include <algorithm>
#include <set>

#include "table/data_reader.h"
#include "table/delete_file.h"
#include "table/manifest_groups.h"
#include "table/table_fixture.h"

namespace millrace::table {
namespace {

using iceberg::EntryStatus;
using iceberg::Literal;

const std::vector<Literal> kCurrent{Literal(true)};
const std::vector<Literal> kHistory{Literal(false)};

SnapshotChange Append(std::vector<iceberg::DataFile> files) {
  SnapshotChange change;
  change.added_data = std::move(files);
  return change;
}

std::string Summary(const TestTable& table, const std::string& key) {
  const auto& summary = table.metadata().CurrentSnapshot()->summary;
  const auto found = summary.find(key);
  return found == summary.end() ? "" : found->second;
}

TEST(StageSnapshot, AppendInheritsSequenceNumbers) {
  TestTable table;
  table.Commit(Append(table.Write({"[1, 2]", R"(["a", "b"])", "[true, true]"}, kCurrent, "w1")));
  table.Commit(Append(table.Write({"[3]", R"(["c"])", "[true]"}, kCurrent, "w2")));
  const ScanPlan plan = table.Plan();
  ASSERT_EQ(plan.tasks.size(), 2u);
  std::map<std::string, int64_t> sequences;
  for (const FileTask& task : plan.tasks)
    sequences[task.entry->file.path] = *task.entry->sequence_number;
  EXPECT_EQ(sequences[table.location() + "/data/is_current=true/w1-00000.parquet"], 1);
  EXPECT_EQ(sequences[table.location() + "/data/is_current=true/w2-00000.parquet"], 2);
  EXPECT_EQ(Summary(table, "operation"), "append");
  EXPECT_EQ(Summary(table, "added-records"), "1");
  EXPECT_EQ(Summary(table, "total-records"), "3");
  EXPECT_EQ(Summary(table, "total-data-files"), "2");
  EXPECT_EQ(Summary(table, "changed-partition-count"), "1");
}

TEST(StageSnapshot, CarriesSummaryAndProperties) {
  TestTable table;
  SnapshotChange change = Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1"));
  change.summary = {{"pipeline.source-lsn", "0/16B3748"}, {"operation", "overwrite"}};
  change.properties = {{"pipeline.position", "x"}};
  table.Commit(change);
  EXPECT_EQ(Summary(table, "pipeline.source-lsn"), "0/16B3748");
  EXPECT_EQ(Summary(table, "operation"), "overwrite");
  EXPECT_EQ(table.metadata().properties.at("pipeline.position"), "x");
  EXPECT_EQ(table.metadata().properties.at("write.merge.mode"), "merge-on-read");
}

TEST(StageSnapshot, DeletesApplyToTheirFileOnly) {
  TestTable table;
  table.Commit(Append(
      table.Write({"[1, 2, 3]", R"(["a", "b", "c"])", "[true, true, true]"}, kCurrent, "w1")));
  table.Commit(Append(table.Write({"[4]", R"(["d"])", "[true]"}, kCurrent, "w2")));
  const ScanPlan before = table.Plan();
  const auto target = std::find_if(before.tasks.begin(), before.tasks.end(), [](const FileTask& t) {
    return t.entry->file.record_count == 3;
  });
  SnapshotChange change;
  change.added_deletes = {
      Get(WritePositionDeletes(table.store, table.location(), target->entry->file, {0, 2}, "w3"))};
  table.Commit(change);
  EXPECT_EQ(Summary(table, "operation"), "delete");
  EXPECT_EQ(Summary(table, "total-position-deletes"), "2");

  const ScanPlan plan = table.Plan();
  for (const FileTask& task : plan.tasks) {
    const auto positions = Get(ReadDeletedPositions(table.store, task));
    if (task.entry->file.record_count == 3) {
      EXPECT_EQ(positions, (std::vector<int64_t>{0, 2}));
      // Replaces its delete file by a merged one.
      SnapshotChange merged;
      merged.added_deletes = {Get(
          WritePositionDeletes(table.store, table.location(), task.entry->file, {0, 1, 2}, "w4"))};
      for (const SharedEntry& entry : task.deletes) merged.removed_deletes.push_back(*entry);
      table.Commit(merged);
    } else {
      EXPECT_TRUE(task.deletes.empty());
    }
  }
  EXPECT_EQ(Summary(table, "total-position-deletes"), "3");
  EXPECT_EQ(Summary(table, "total-delete-files"), "1");
  for (const FileTask& task : table.Plan().tasks) {
    if (task.entry->file.record_count == 3) {
      ASSERT_EQ(task.deletes.size(), 1u);
      EXPECT_EQ(Get(ReadDeletedPositions(table.store, task)), (std::vector<int64_t>{0, 1, 2}));
    }
  }
}

// A delete file from before a data file was added says nothing about it (a path may come back in
// another table's copy).
TEST(StageSnapshot, OlderDeletesDoNotApply) {
  TestTable table;
  const auto files = table.Write({"[1, 2]", R"(["a", "b"])", "[true, true]"}, kCurrent, "w1");
  SnapshotChange only_deletes;
  only_deletes.added_deletes = {
      Get(WritePositionDeletes(table.store, table.location(), files[0], {0}, "w2"))};
  table.Commit(only_deletes);
  table.Commit(Append(files));
  EXPECT_TRUE(table.Plan().tasks.at(0).deletes.empty());
}

TEST(StageSnapshot, OverwriteKeepsEntriesOfOthersExactly) {
  TestTable table;
  table.Commit(Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1")));
  table.Commit(Append(table.Write({"[2]", R"(["b"])", "[true]"}, kCurrent, "w2")));
  const auto tasks = table.Plan().tasks;
  SnapshotChange change = Append(table.Write({"[1]", R"(["z"])", "[true]"}, kCurrent, "w3"));
  const auto old = std::find_if(tasks.begin(), tasks.end(),
                                [](const FileTask& t) { return *t.entry->sequence_number == 1; });
  change.removed_data = {*old->entry};
  const int64_t id = table.Commit(change);
  EXPECT_EQ(Summary(table, "operation"), "overwrite");
  EXPECT_EQ(Summary(table, "deleted-data-files"), "1");
  std::set<int64_t> sequences;
  for (const FileTask& task : table.Plan().tasks) sequences.insert(*task.entry->sequence_number);
  EXPECT_EQ(sequences, (std::set<int64_t>{2, 3}));
  // The removed file stays listed as DELETED by this snapshot, with its own sequence number.
  ManifestCache fresh(table.store);
  int deleted = 0;
  for (const auto& row : Get(fresh.List(*table.metadata().CurrentSnapshot()))) {
    for (const auto& entry : *Get(fresh.Manifest(row, table.metadata()))) {
      if (entry.status != EntryStatus::kDeleted) continue;
      ++deleted;
      EXPECT_EQ(entry.snapshot_id, id);
      EXPECT_EQ(entry.sequence_number, 1);
    }
  }
  EXPECT_EQ(deleted, 1);
}

TEST(StageSnapshot, RemovingWhatIsNotLiveIsAConflictAndLeavesNothing) {
  TestTable table;
  table.Commit(Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1")));
  SnapshotChange change;
  change.removed_data = {*table.Plan().tasks[0].entry};
  table.Commit(change);
  const auto paths = table.store.Paths();
  const auto staged = StageSnapshot(table.store, table.cache, table.loaded(), change, table.now);
  ASSERT_FALSE(staged.ok());
  EXPECT_EQ(staged.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(table.store.Paths(), paths);
}

TEST(StageSnapshot, AFileTwiceInOneSnapshotIsRefused) {
  TestTable table;
  auto files = table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1");
  files.push_back(files[0]);
  EXPECT_EQ(StageSnapshot(table.store, table.cache, table.loaded(), Append(files), table.now)
                .error()
                .kind(),
            ErrorKind::kInternal);
  files.pop_back();
  table.Commit(Append(files));
  SnapshotChange again = Append(files);  // a path never comes back, not even for itself
  again.removed_data = {*table.Plan().tasks.at(0).entry};
  EXPECT_FALSE(StageSnapshot(table.store, table.cache, table.loaded(), again, table.now).ok());
}

TEST(StageSnapshot, AFailedWriteLeavesNothing) {
  TestTable table;
  const auto files = table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1");
  const auto paths = table.store.Paths();
  table.store.FailWrites(ErrorKind::kOutOfSpace);
  EXPECT_EQ(StageSnapshot(table.store, table.cache, table.loaded(), Append(files), table.now)
                .error()
                .kind(),
            ErrorKind::kOutOfSpace);
  EXPECT_EQ(table.store.Paths(), paths);
}

TEST(StageSnapshot, ManyCommitsKeepFewManifestsAndPartitionsApart) {
  TestTable table;
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i);
    auto files = table.Write({"[" + n + "]", R"(["a"])", "[true]"}, kCurrent, "c" + n);
    const auto history = table.Write({"[" + n + "]", R"(["a"])", "[false]"}, kHistory, "h" + n);
    files.insert(files.end(), history.begin(), history.end());
    table.Commit(Append(files));
  }
  const auto rows = Get(table.cache.List(*table.metadata().CurrentSnapshot()));
  EXPECT_LE(rows.size(), 6u);
  for (const auto& row : rows) EXPECT_NE(GroupOf(row, table.metadata()).part, "mixed");
  const ScanPlan plan = table.Plan({{3, Predicate::Op::kEqual, {Literal(true)}}});
  EXPECT_EQ(plan.tasks.size(), 60u);
  EXPECT_EQ(plan.files_total, 120);
  EXPECT_EQ(table.Plan({{1, Predicate::Op::kEqual, {Literal(int64_t{7})}}}).tasks.size(), 2u);
}

TEST(StageSnapshot, SchemaChangeTravelsWithTheData) {
  TestTable table;
  table.Commit(Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1")));
  int32_t last = table.metadata().last_column_id;
  iceberg::SchemaUpdate update(table.metadata().CurrentSchema(), &last);
  const int32_t id = Get(update.AddColumn("age", iceberg::Primitive(iceberg::TypeId::kInt)));
  const iceberg::Schema schema = update.Finish(1);
  auto writer = DataWriter::New(table.store, table.location(), schema,
                                table.metadata().DefaultSpec(), kCurrent, "w2", {});
  Get(writer->Write(*Batch(schema, {"[2]", R"(["b"])", "[true]", "[42]"})));
  SnapshotChange change = Append(Get(writer->Finish()));
  change.schema = schema;
  change.last_column_id = last;
  table.Commit(change);
  EXPECT_EQ(table.metadata().current_schema_id, 1);
  EXPECT_EQ(table.metadata().CurrentSnapshot()->schema_id, 1);
  EXPECT_EQ(table.metadata().last_column_id, id);
  EXPECT_EQ(table.Plan({{id, Predicate::Op::kEqual, {Literal(int32_t{42})}}}).tasks.size(),
            2u);  // the old file: not known
  EXPECT_EQ(table.Plan({{id, Predicate::Op::kEqual, {Literal(int32_t{43})}}}).tasks.size(), 1u);
}

TEST(StageSnapshot, AnotherWritersSnapshotFailsTheRequirement) {
  TestTable table;
  const StagedSnapshot lost =
      table.Stage(Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w1")));
  table.Commit(Append(table.Write({"[2]", R"(["b"])", "[true]"}, kCurrent, "w2")));
  bool conflict = false;
  for (const auto& requirement : lost.commit.requirements) {
    const Status held = iceberg::Check(requirement, &table.metadata());
    conflict |= !held.ok() && held.error().kind() == ErrorKind::kConflict;
  }
  EXPECT_TRUE(conflict);
}

TEST(Expiry, KeepsTheNewestOneAnHourAndDeletesTheRest) {
  TestTable table;
  std::vector<iceberg::DataFile> last;
  // 40 commits, 15 minutes apart, each replacing the file of the one before.
  for (int i = 0; i < 40; ++i) {
    table.now += 15 * 60 * kMicrosPerSecond;
    SnapshotChange change =
        Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w" + std::to_string(i)));
    if (i > 0) change.removed_data = {*table.Plan().tasks.at(0).entry};
    table.Commit(change);
  }
  const Retention retention{5, 4};
  const iceberg::TableMetadata before = table.metadata();
  TableCommit commit;
  commit.updates = ExpireSnapshots(before, retention, table.now);
  ASSERT_EQ(commit.updates.size(), 1u);
  table.Apply(commit, true);
  EXPECT_LE(table.metadata().snapshots.size(), 9u);
  EXPECT_GE(table.metadata().snapshots.size(), 7u);
  EXPECT_GT(Get(DeleteUnreachable(table.store, table.cache, before, table.metadata())), 60);

  // Every kept snapshot can still be read in full; nothing else is left.
  std::set<std::string> reachable;
  for (const auto& snapshot : table.metadata().snapshots) {
    ManifestCache fresh(table.store);
    reachable.insert(snapshot.manifest_list);
    for (const auto& row : Get(fresh.List(snapshot))) reachable.insert(row.path);
    const ScanPlan plan = table.Plan({}, snapshot.snapshot_id);
    ASSERT_EQ(plan.tasks.size(), 1u);
    Get(DataReader::Open(table.store, plan.tasks[0].entry->file));
    reachable.insert(plan.tasks[0].entry->file.path);
  }
  std::set<std::string> there;
  for (const auto& path : table.store.Paths()) there.insert(table.store.Absolute(path));
  EXPECT_EQ(there, reachable);
  EXPECT_TRUE(ExpireSnapshots(table.metadata(), retention, table.now).empty());
}

TEST(Expiry, KeepsWhatARefNames) {
  TestTable table;
  int64_t tagged = 0;
  for (int i = 0; i < 6; ++i) {
    const int64_t id = table.Commit(
        Append(table.Write({"[1]", R"(["a"])", "[true]"}, kCurrent, "w" + std::to_string(i))));
    if (i == 1) tagged = id;
  }
  TableCommit tag;
  iceberg::SnapshotRef ref;
  ref.snapshot_id = tagged;
  ref.type = "tag";
  tag.updates = {iceberg::update::SetSnapshotRef{"audit", ref}};
  table.Apply(tag, true);
  const auto updates = ExpireSnapshots(table.metadata(), {2, 0}, table.now);
  ASSERT_EQ(updates.size(), 1u);
  const auto& ids = std::get<iceberg::update::RemoveSnapshots>(updates[0]).ids;
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tagged), 0);
}

}  // namespace
}  // namespace millrace::table
