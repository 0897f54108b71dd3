#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "adapter/object_file/file_store.h"
#include "pipeline/bronze/bronze_writer.h"
#include "testing/bronze_contents.h"
#include "testing/fake_source.h"
#include "testing/temporary_folder.h"

// Processes that die at each durable step of the Bronze writer, on a real disk. The test starts
// itself again as the child that dies.
namespace millrace::bronze {
namespace {

using testing::FakeDatabase;
using testing::FakeSource;

constexpr const char* kFolder = "MILLRACE_TEST_CRASH_FOLDER";

void Fill(FakeDatabase& database) {
  database.batch_records = 3;
  for (int i = 0; i < 10; ++i) database.rows.push_back({i % 2 == 0 ? "a" : "b", std::to_string(i)});
  for (int t = 0; t < 12; ++t) {
    FakeDatabase::Transaction changes;
    for (int c = 0; c <= t % 5; ++c)
      changes.push_back({c % 2 == 0 ? "a" : "b", std::to_string(100 * t + c)});
    database.transactions.push_back(changes);
  }
}

// The slot's place, kept as the server would keep it: in a file that only a confirmation writes.
Lsn ReadConfirmed(const std::string& folder) {
  Lsn confirmed = 0;
  std::ifstream(folder + "/confirmed") >> confirmed;
  return confirmed;
}

// One run of the writer to the end of the database, with as many commits as it can make.
Status CarryEverything(const std::string& folder) {
  FakeDatabase database;
  Fill(database);
  database.confirmed = ReadConfirmed(folder);
  database.slot = true;
  database.on_confirm = [&](const SourcePosition& position) {
    std::ofstream(folder + "/confirmed") << position.resume_lsn;
  };
  MR_ASSIGN(auto store, FileStore::Open(folder + "/bronze"));
  const SystemClock clock;
  Options options;
  options.source = "shop";
  options.slot = "millrace";
  options.commit_interval = options.min_gap = options.idle = std::chrono::milliseconds(0);
  options.roll_up_every = 4;
  options.orphan_grace = -kMicrosPerDay;
  FakeSource source(database);
  SinkEvents events;
  events.durable = [&](const SourcePosition& position) { source.Confirm(position); };
  MR_ASSIGN(auto writer, BronzeWriter::Open(*store, clock, options, events));
  MR_TRY(source.Prepare(writer->resume(), [&] { return writer->BeginSnapshot(); }));
  if (source.needs_snapshot()) MR_TRY(source.Snapshot(*writer, [](const SnapshotProgress&) {}, {}));
  MR_TRY(writer->Flush());
  MR_TRY(source.Stream(*writer, Lsn{1}, {}));
  return writer->Finish();
}

// The child: does nothing in a run of the whole suite.
TEST(BronzeCrash, Child) {
  const char* folder = std::getenv(kFolder);
  if (folder == nullptr) return;
  const Status done = CarryEverything(folder);
  ASSERT_TRUE(done.ok()) << done.error().ToString();
}

int RunChild(const std::string& folder, const std::string& failpoints) {
  const std::string folder_variable = std::string(kFolder) + "=" + folder;
  const std::string failpoints_variable = "MILLRACE_FAILPOINTS=" + failpoints;
  char* environment[] = {const_cast<char*>(folder_variable.c_str()),
                         const_cast<char*>(failpoints_variable.c_str()), nullptr};
  char program[] = "/proc/self/exe";
  char filter[] = "--gtest_filter=BronzeCrash.Child";
  char brief[] = "--gtest_brief=1";
  char* arguments[] = {program, filter, brief, nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const std::string self = std::filesystem::read_symlink(program).string();
  EXPECT_EQ(posix_spawn(&child, self.c_str(), &quiet, nullptr, arguments, environment), 0);
  posix_spawn_file_actions_destroy(&quiet);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

class BronzeCrashAt : public ::testing::TestWithParam<const char*> {};

TEST_P(BronzeCrashAt, LosesNothingAndDoublesNothing) {
  FakeDatabase database;
  Fill(database);
  bool died = false;
  for (const std::string action :
       {"kill@1", "kill@2", "kill@5", "error@2", "nospace@3", "unknown@1"}) {
    SCOPED_TRACE(action);
    const testing::TemporaryFolder folder;
    const int code = RunChild(folder.path(), std::string(GetParam()) + "=" + action);
    if (code == 137) died = true;
    EXPECT_TRUE(code == 0 || code == 1 || code == 137) << code;
    auto store = FileStore::Open(folder / "bronze");
    ASSERT_TRUE(store.ok());
    const auto state = commitlog::Recover(**store);
    ASSERT_TRUE(state.ok()) << state.error().ToString();
    EXPECT_LE(ReadConfirmed(folder.path()), state->position ? state->position->resume_lsn : 0);
    ASSERT_EQ(RunChild(folder.path(), ""), 0);
    EXPECT_EQ(testing::ReadBronze(**store), database.Expected());
    // Nothing is left behind but what commits name.
    EXPECT_EQ(*commitlog::RemoveOrphans(**store, SystemClock(), -kMicrosPerDay), 0);
  }
  EXPECT_TRUE(died) << "no run came by";
}

INSTANTIATE_TEST_SUITE_P(Failpoints, BronzeCrashAt,
                         ::testing::Values("commitlog.before_claim", "commitlog.after_claim",
                                           "commitlog.before_append", "commitlog.after_append",
                                           "commitlog.before_rollup", "commitlog.after_rollup",
                                           "bronze.before_object", "bronze.after_object",
                                           "bronze.before_commit", "bronze.after_commit",
                                           "bronze.before_confirm", "bronze.after_confirm",
                                           "object_file.before_sync", "object_file.before_publish",
                                           "object_file.after_publish"),
                         [](const auto& info) {
                           std::string name(info.param);
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

// What the commit names is what other programs read: the zstd and gzip tools give the very lines
// back.
TEST(BronzeObjects, OtherProgramsDecodeThem) {
  for (const Compression compression : {Compression::kZstd, Compression::kGzip}) {
    const testing::TemporaryFolder folder;
    auto store = FileStore::Open(folder.path());
    ASSERT_TRUE(store.ok());
    const SystemClock clock;
    Options options;
    options.source = "shop";
    options.slot = "millrace";
    options.compression = compression;
    auto writer = BronzeWriter::Open(**store, clock, options,
                                     {[](const SourcePosition&) {}, [](const Error&) {}});
    ASSERT_TRUE(writer.ok());
    for (int i = 0; i < 40; ++i) {
      std::vector<FakeDatabase::Change> changes;
      for (int c = 0; c < 1000; ++c)
        changes.push_back({"t", "{\"n\":" + std::to_string(i * 1000 + c) + ",\"pad\":\"" +
                                    std::string(200, 'p') + "\"}"});
      ASSERT_TRUE((*writer)->Write(testing::MakeBatch(changes, 1'800'000'000'000)).ok());
    }
    RecordBatch end;
    end.ends_at = FakeDatabase::After(1);
    ASSERT_TRUE((*writer)->Write(std::move(end)).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
    const auto commits = commitlog::ReadAfter(**store, 1, 10);
    ASSERT_TRUE(commits.ok());
    ASSERT_EQ(commits->size(), 1U);
    const BronzeFile& file = commits->front().files.front();
    ASSERT_EQ(file.records, 40'000);
    const std::string tool = compression == Compression::kZstd ? "zstd -q -dc" : "gzip -dc";
    const std::string command = tool + " '" + (folder / file.path) + "'";
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string decoded(16 << 20, '\0');
    decoded.resize(::fread(decoded.data(), 1, decoded.size(), pipe));
    ASSERT_EQ(::pclose(pipe), 0) << command;
    ByteBuffer ours;
    ASSERT_TRUE(commitlog::ReadFile(**store, file, ours).ok());
    EXPECT_TRUE(decoded == ours.view());
    EXPECT_TRUE(decoded.starts_with(
        "{\"offset\":0,\"timestamp\":1800000000000,\"key\":{\"id\":1},\"value\":{\"n\":0,"));
    EXPECT_TRUE(decoded.ends_with("},\"headers\":null}\n"));
  }
}

}  // namespace
}  // namespace millrace::bronze
