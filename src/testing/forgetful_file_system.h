#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "adapter/object_file/file_system.h"

namespace millrace::testing {

// A file system that keeps every promise of POSIX and nothing more: it works in a real folder,
// remembers which bytes and which names were synced, and at PowerCut puts the folder back to just
// those. Names of a folder survive when the folder was synced after they changed, a file's bytes
// when the file was. Also fails calls on demand. Paths outside `root` go to the kernel untouched.
class ForgetfulFileSystem final : public FileSystem {
 public:
  // `root`: an existing, empty folder.
  explicit ForgetfulFileSystem(std::string root) : root_(std::move(root)) {}

  // Only what was synced is left, under the same root.
  void PowerCut();
  // After `calls` more changing calls, every one fails with this errno (ENOSPC, EIO ...) until
  // Heal.
  void FailAfter(int64_t calls, int error);
  void Heal();
  // How many changing calls were made: to fail each of them in turn.
  int64_t calls() const;

  int CreateFile(const std::string& path) override;
  int OpenFile(const std::string& path) override;
  int Write(int fd, std::string_view bytes) override;
  int SyncFile(int fd) override;
  int Close(int fd) override;
  int Rename(const std::string& from, const std::string& to) override;
  int Link(const std::string& from, const std::string& to) override;
  int Unlink(const std::string& path) override;
  int MakeFolder(const std::string& path) override;
  int SyncFolder(const std::string& path) override;

 private:
  using Node = int64_t;
  using Names = std::map<std::string, Node>;
  struct Entry {
    bool folder = false;
    std::string synced_bytes;   // of a file
    Names names, synced_names;  // of a folder
  };

  int Enter();  // counts a changing call; a negative errno when it shall fail
  bool Inside(const std::string& path) const;
  Node Find(const std::string& path);  // 0: not known
  Entry& FolderOf(const std::string& path);
  void Restore(const std::string& path, const Entry& folder);

  const std::string root_;
  FileSystem& kernel_ = RealFileSystem();
  mutable std::mutex mutex_;
  std::map<Node, Entry> nodes_{{1, {true, "", {}, {}}}};  // 1 is the root
  Node last_node_ = 1;
  std::map<int, std::pair<Node, std::string>>
      open_;  // descriptor to node and the path it was made under
  int64_t calls_ = 0;
  std::optional<std::pair<int64_t, int>> fail_;  // from this call on, with this errno
};

}  // namespace millrace::testing
