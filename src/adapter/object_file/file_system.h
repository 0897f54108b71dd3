#pragma once

#include <string>
#include <string_view>

namespace millrace {

// The system calls through which FileStore changes, persists and reads files. A seam for tests,
// where a file system forgets what was not synced; RealFileSystem calls the kernel. Every call
// returns a negative errno on failure. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual int CreateFile(
      const std::string& path) = 0;  // a descriptor for writing; -EEXIST when it is there
  virtual int OpenFile(const std::string& path) = 0;      // a descriptor for reading
  virtual int Write(int fd, std::string_view bytes) = 0;  // all of them
  virtual int SyncFile(int fd) = 0;
  virtual int Close(int fd) = 0;
  virtual int Rename(const std::string& from, const std::string& to) = 0;
  virtual int Link(const std::string& from,
                   const std::string& to) = 0;  // -EEXIST when `to` is there
  virtual int Unlink(const std::string& path) = 0;
  virtual int MakeFolder(const std::string& path) = 0;
  virtual int SyncFolder(const std::string& path) = 0;  // the names in it survive a power cut
};

// The kernel's. One for the process.
FileSystem& RealFileSystem();

}  // namespace millrace
