#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "adapter/object_file/file_system.h"
#include "port/object_store.h"

namespace millrace {

// Objects as files under one folder. An object is written to "<folder>/.tmp-<random>", synced,
// moved into place, and its folder is synced: a reader, another process or a power cut never sees a
// part of one. Needs a file system with hard links (PutIfAbsent); on a journalling one, what
// another process has seen is never older than what it writes afterwards. Symbolic links below the
// root are ignored. Temporary files that killed processes left are removed from a folder when a
// process first writes there and they are a day old.
class FileStore final : public ObjectStore {
 public:
  // Makes the root folder when it is missing. kPermission, kInvalidInput (not a folder).
  static Result<std::unique_ptr<FileStore>> Open(const std::string& root,
                                                 FileSystem& files = RealFileSystem());

  const std::string& uri() const override { return uri_; }
  Status Put(const std::string& path, std::string_view bytes) override;
  Status PutIfAbsent(const std::string& path, std::string_view bytes) override;
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(const std::string& path) override;
  Status Get(const std::string& path, ByteBuffer& out) override;
  Result<std::unique_ptr<ObjectReader>> OpenReader(const std::string& path) override;
  Result<ObjectInfo> Head(const std::string& path) override;
  Result<std::vector<ObjectInfo>> List(const std::string& prefix,
                                       const std::string& after = "") override;
  Status Delete(const std::string& path) override;

  // Removes the temporary files of other stores, below the whole root, that were last written more
  // than `grace` ago. Returns how many.
  Result<int64_t> RemoveLeftovers(Micros grace);

 private:
  class Writer;
  enum class Publish { kReplace, kIfAbsent };

  FileStore(std::string root, FileSystem& files);
  std::string Full(const std::string& path) const { return root_ + "/" + path; }

  // Makes the object's folder, durably up to the root; sweeps it.
  Status PrepareFolder(const std::string& path);
  Result<int64_t> RemoveLeftovers(const std::string& folder, bool recursive, Micros grace);
  // An open temporary file in the object's folder.
  Result<std::unique_ptr<Writer>> Begin(const std::string& path, Publish publish);

  const std::string root_;  // absolute, without a trailing slash
  const std::string uri_;
  const std::string
      temporary_prefix_;  // of this store's own temporary files, which may be open for long
  FileSystem* const files_;
  std::mutex mutex_;
  std::set<std::string>
      durable_folders_;  // relative; those whose names this process has synced up to the root
};

}  // namespace millrace
