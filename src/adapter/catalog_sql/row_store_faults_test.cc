// The disk fails while a commit is written: which failures are clean, and which leave the outcome
// open.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <new>

#include "adapter/catalog_sql/row_store.h"

namespace millrace::catalog_sql {
namespace {

// What the next writes and syncs to a write-ahead log return; SQLITE_OK passes them on.
int wal_write_result = SQLITE_OK;
int wal_sync_result = SQLITE_OK;

// A file of the default VFS behind methods that can fail.
struct FaultyFile {
  sqlite3_file base;
  bool is_wal;
  sqlite3_file* real;
};
FaultyFile* Of(sqlite3_file* file) { return reinterpret_cast<FaultyFile*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Of(file)->real; }

int Close(sqlite3_file* f) { return Real(f)->pMethods->xClose(Real(f)); }
int Read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return Real(f)->pMethods->xRead(Real(f), to, n, at);
}
int Write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (Of(f)->is_wal && wal_write_result != SQLITE_OK) return wal_write_result;
  return Real(f)->pMethods->xWrite(Real(f), from, n, at);
}
int Truncate(sqlite3_file* f, sqlite3_int64 n) { return Real(f)->pMethods->xTruncate(Real(f), n); }
int Sync(sqlite3_file* f, int flags) {
  if (Of(f)->is_wal && wal_sync_result != SQLITE_OK) return wal_sync_result;
  return Real(f)->pMethods->xSync(Real(f), flags);
}
int FileSize(sqlite3_file* f, sqlite3_int64* n) { return Real(f)->pMethods->xFileSize(Real(f), n); }
int Lock(sqlite3_file* f, int level) { return Real(f)->pMethods->xLock(Real(f), level); }
int Unlock(sqlite3_file* f, int level) { return Real(f)->pMethods->xUnlock(Real(f), level); }
int CheckReserved(sqlite3_file* f, int* out) {
  return Real(f)->pMethods->xCheckReservedLock(Real(f), out);
}
int Control(sqlite3_file* f, int op, void* arg) {
  return Real(f)->pMethods->xFileControl(Real(f), op, arg);
}
int SectorSize(sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); }
int Characteristics(sqlite3_file* f) { return Real(f)->pMethods->xDeviceCharacteristics(Real(f)); }
int ShmMap(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, out);
}
int ShmLock(sqlite3_file* f, int at, int n, int flags) {
  return Real(f)->pMethods->xShmLock(Real(f), at, n, flags);
}
void ShmBarrier(sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); }
int ShmUnmap(sqlite3_file* f, int flag) { return Real(f)->pMethods->xShmUnmap(Real(f), flag); }

const sqlite3_io_methods kMethods = {
    2,        Close,         Read,    Write,      Truncate,        Sync,   FileSize, Lock,
    Unlock,   CheckReserved, Control, SectorSize, Characteristics, ShmMap, ShmLock,  ShmBarrier,
    ShmUnmap, nullptr,       nullptr};

sqlite3_vfs* real_vfs = nullptr;

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  FaultyFile* faulty = Of(file);
  faulty->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
  faulty->real = reinterpret_cast<sqlite3_file*>(faulty + 1);
  const int code = real_vfs->xOpen(real_vfs, name, faulty->real, flags, out_flags);
  faulty->base.pMethods = faulty->real->pMethods == nullptr ? nullptr : &kMethods;
  return code;
}

class RowStoreFaults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    static sqlite3_vfs vfs;
    real_vfs = sqlite3_vfs_find(nullptr);
    vfs = *real_vfs;
    vfs.zName = "faulty";
    vfs.szOsFile = static_cast<int>(sizeof(FaultyFile)) + real_vfs->szOsFile;
    vfs.xOpen = Open;
    sqlite3_vfs_register(&vfs, 1);
  }
  static void TearDownTestSuite() { sqlite3_vfs_register(real_vfs, 1); }

  void SetUp() override {
    char name[] = "/tmp/row_store_faults.XXXXXX";
    folder_ = mkdtemp(name);
    auto opened = RowStore::Open(folder_ + "/catalog.db", "lake");
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
    rows_ = std::move(opened).value();
    ASSERT_TRUE(rows_->Apply({{{"s", "a"}, {}, "a0"}}).ok());
  }
  void TearDown() override {
    wal_write_result = wal_sync_result = SQLITE_OK;
    rows_.reset();
    std::filesystem::remove_all(folder_);
  }
  Status Move() { return rows_->Apply({{{"s", "a"}, "a0", "a1"}}); }

  std::string folder_;
  std::unique_ptr<RowStore> rows_;
};

TEST_F(RowStoreFaults, AFullDiskIsACleanFailure) {
  wal_write_result = SQLITE_FULL;
  EXPECT_EQ(Move().error().kind(), ErrorKind::kOutOfSpace);
  wal_write_result = SQLITE_OK;
  EXPECT_EQ(**rows_->Location({"s", "a"}), "a0");
  EXPECT_TRUE(Move().ok());
  EXPECT_EQ(**rows_->Location({"s", "a"}), "a1");
}

TEST_F(RowStoreFaults, AFailedSyncLeavesTheOutcomeOpen) {
  wal_sync_result = SQLITE_IOERR_FSYNC;
  EXPECT_EQ(Move().error().kind(), ErrorKind::kUnknownOutcome);
}

TEST_F(RowStoreFaults, AFailedWriteOfTheCommitLeavesTheOutcomeOpen) {
  wal_write_result = SQLITE_IOERR_WRITE;
  EXPECT_EQ(Move().error().kind(), ErrorKind::kUnknownOutcome);
  // Whatever happened, the rows can be read again afterwards: one location or the other.
  wal_write_result = SQLITE_OK;
  const auto location = rows_->Location({"s", "a"});
  ASSERT_TRUE(location.ok()) << location.error().ToString();
  EXPECT_TRUE(**location == "a0" || **location == "a1");
}

}  // namespace
}  // namespace millrace::catalog_sql
