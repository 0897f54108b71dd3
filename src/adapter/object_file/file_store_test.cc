#include "adapter/object_file/file_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "testing/forgetful_file_system.h"
#include "testing/memory_store.h"
#include "testing/object_store_contract.h"
#include "testing/temporary_folder.h"

namespace millrace {
namespace {

using testing::ForgetfulFileSystem;
using testing::ObjectStorePromise;
using testing::TemporaryFolder;

class FileStoreContract : public ::testing::TestWithParam<ObjectStorePromise> {};
TEST_P(FileStoreContract, Holds) {
  const TemporaryFolder folder;
  auto store = FileStore::Open(folder / "lake");
  ASSERT_TRUE(store.ok()) << store.error().ToString();
  GetParam().check(**store);
}
INSTANTIATE_TEST_SUITE_P(File, FileStoreContract,
                         ::testing::ValuesIn(testing::ObjectStoreContract()),
                         [](const auto& info) { return info.param.name; });

class MemoryStoreContract : public ::testing::TestWithParam<ObjectStorePromise> {};
TEST_P(MemoryStoreContract, Holds) {
  testing::MemoryStore store;
  GetParam().check(store);
}
INSTANTIATE_TEST_SUITE_P(Memory, MemoryStoreContract,
                         ::testing::ValuesIn(testing::ObjectStoreContract()),
                         [](const auto& info) { return info.param.name; });

std::unique_ptr<FileStore> OpenOn(ForgetfulFileSystem& files, const TemporaryFolder& folder) {
  auto store = FileStore::Open(folder.path(), files);
  EXPECT_TRUE(store.ok());
  return std::move(store).value();
}

std::string Text(ObjectStore& store, const std::string& path) {
  ByteBuffer out;
  const Status got = store.Get(path, out);
  return got.ok() ? std::string(out.view()) : "(" + got.error().ToString() + ")";
}

TEST(FileStoreDurability, WhatWasReportedAsWrittenSurvivesAPowerCut) {
  const TemporaryFolder folder;
  ForgetfulFileSystem files(folder.path());
  auto store = OpenOn(files, folder);
  ASSERT_TRUE(store->Put("a/b/c/put", "1").ok());
  ASSERT_TRUE(store->PutIfAbsent("a/b/d/absent", "2").ok());
  ASSERT_TRUE(store->PutIfAbsent("top", "3").ok());
  auto writer = store->OpenWriter("stream/object");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append(std::string(3'000'000, 'x')).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  ASSERT_TRUE(store->Put("a/b/c/put", "replaced").ok());
  auto unfinished = store->OpenWriter("stream/unfinished");
  ASSERT_TRUE((*unfinished)->Append("lost").ok());

  files.PowerCut();

  EXPECT_EQ(Text(*store, "a/b/c/put"), "replaced");
  EXPECT_EQ(Text(*store, "a/b/d/absent"), "2");
  EXPECT_EQ(Text(*store, "top"), "3");
  EXPECT_EQ(Text(*store, "stream/object"), std::string(3'000'000, 'x'));
  EXPECT_EQ(store->List("")->size(), 4U);
}

// The test above proves something only if this file system does forget.
TEST(FileStoreDurability, TheTestFileSystemForgetsWhatWasNotSynced) {
  const TemporaryFolder folder;
  ForgetfulFileSystem files(folder.path());
  const int unsynced = files.CreateFile(folder / "unsynced-name");
  files.Write(unsynced, "x");
  files.SyncFile(unsynced);
  files.Close(unsynced);
  files.PowerCut();
  EXPECT_FALSE(std::filesystem::exists(folder / "unsynced-name"));
  const int empty = files.CreateFile(folder / "unsynced-bytes");
  files.Write(empty, "x");
  files.Close(empty);
  files.SyncFolder(folder.path());
  files.PowerCut();
  EXPECT_EQ(std::filesystem::file_size(folder / "unsynced-bytes"), 0U);
}

// A process that died between making a folder and syncing its name leaves a folder that a power cut
// would take away.
TEST(FileStoreDurability, FoldersThatOthersMadeAreSyncedToo) {
  const TemporaryFolder folder;
  ForgetfulFileSystem files(folder.path());
  auto store = OpenOn(files, folder);
  ASSERT_EQ(files.MakeFolder(folder / "left"), 0);
  ASSERT_TRUE(store->Put("left/object", "x").ok());
  files.PowerCut();
  EXPECT_EQ(Text(*store, "left/object"), "x");
}

// Fails each system call in turn: the object is there in full or not at all, and a reported success
// is a success.
TEST(FileStoreDurability, AFullDiskAtAnyCallLeavesTheOldObjectOrTheNew) {
  for (int64_t call = 0;; ++call) {
    const TemporaryFolder folder;
    ForgetfulFileSystem files(folder.path());
    auto store = OpenOn(files, folder);
    ASSERT_TRUE(store->Put("old", "old").ok());
    files.FailAfter(call, ENOSPC);
    const Status replaced = store->Put("old", "new");
    const Status created = store->PutIfAbsent("deep/new", "created");
    files.Heal();
    if (!replaced.ok()) {
      EXPECT_EQ(replaced.error().kind(), ErrorKind::kOutOfSpace);
    }
    if (!created.ok() && created.error().kind() != ErrorKind::kUnknownOutcome) {
      EXPECT_EQ(created.error().kind(), ErrorKind::kOutOfSpace);
      EXPECT_NE(created.error().message().find("free space"), std::string::npos)
          << created.error().message();
      EXPECT_EQ(store->Head("deep/new").ok(), false) << call;
    }
    files.PowerCut();
    const std::string left = Text(*store, "old");
    EXPECT_TRUE(left == "new" || (left == "old" && !replaced.ok())) << left;
    if (created.ok()) {
      EXPECT_EQ(Text(*store, "deep/new"), "created");
    }
    const auto objects = store->List("");
    ASSERT_TRUE(objects.ok());
    for (const ObjectInfo& object : *objects)
      EXPECT_EQ(object.path.find(".tmp-"), std::string::npos);
    if (replaced.ok() && created.ok()) {
      EXPECT_GT(call, 8);
      return;
    }
  }
}

TEST(FileStore, RefusesPathsThatLeaveTheRoot) {
  const TemporaryFolder folder;
  auto store = FileStore::Open(folder.path());
  for (const char* path :
       {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a/.tmp-1"}) {
    const Status put = (*store)->Put(path, "x");
    ASSERT_FALSE(put.ok()) << path;
    EXPECT_EQ(put.error().kind(), ErrorKind::kInvalidInput) << path;
  }
}

TEST(FileStore, MakesItsRootAndRefusesAFileInItsPlace) {
  const TemporaryFolder folder;
  auto store = FileStore::Open(folder / "deep/er/lake/");
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->uri(), "file://" + (folder / "deep/er/lake"));
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(FileStore::Open(folder / "file").error().kind(), ErrorKind::kInvalidInput);
}

void MakeOld(const std::string& path, int64_t seconds) {
  const timespec times[2] = {{::time(nullptr) - seconds, 0}, {::time(nullptr) - seconds, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(FileStore, RemovesOldLeftoversOnly) {
  const TemporaryFolder folder;
  auto store = FileStore::Open(folder.path());
  ASSERT_TRUE((*store)->Put("x/object", "1").ok());
  auto ours = (*store)->OpenWriter("x/later");
  ASSERT_TRUE(ours.ok());
  const std::string own = NamesIn(folder / "x").front();
  std::ofstream(folder / "x/.tmp-old") << "1";
  std::ofstream(folder / "x/.tmp-new") << "1";
  for (const std::string& name : {std::string("x/.tmp-old"), std::string("x/object"), "x/" + own})
    MakeOld(folder / name, 3600);
  EXPECT_EQ(*(*store)->RemoveLeftovers(60 * kMicrosPerSecond), 1);
  EXPECT_TRUE(std::filesystem::exists(folder / "x/.tmp-new"));
  EXPECT_EQ(Text(**store, "x/object"), "1");
  ASSERT_TRUE((*ours)->Append("2").ok());
  ASSERT_TRUE((*ours)->Finish().ok());
  EXPECT_EQ(Text(**store, "x/later"), "2");
}

TEST(FileStore, SweepsAFolderWhenItFirstWritesThere) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "x/y");
  for (const char* name : {"x/.tmp-old", "x/.tmp-new", "x/y/.tmp-old"})
    std::ofstream(folder / name) << "1";
  MakeOld(folder / "x/.tmp-old", 90'000);
  MakeOld(folder / "x/y/.tmp-old", 90'000);
  auto store = FileStore::Open(folder.path());
  ASSERT_TRUE((*store)->Put("x/object", "1").ok());
  EXPECT_EQ(NamesIn(folder / "x"), (std::vector<std::string>{".tmp-new", "object", "y"}));
  EXPECT_EQ(NamesIn(folder / "x/y"), (std::vector<std::string>{".tmp-old"}));
}

TEST(FileStore, GoesOnWhenItsFolderWasRemoved) {
  const TemporaryFolder folder;
  auto store = FileStore::Open(folder.path());
  ASSERT_TRUE((*store)->Put("x/one", "1").ok());
  std::filesystem::remove_all(folder / "x");
  ASSERT_TRUE((*store)->Put("x/two", "2").ok());
  EXPECT_EQ(Text(**store, "x/two"), "2");
}

}  // namespace
}  // namespace millrace
