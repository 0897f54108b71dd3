#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "port/object_store.h"

namespace millrace::testing {

// An ObjectStore in memory: the fake for tests of everything above the port. Thread-safe. Readers
// keep what they opened, as on a file system, when the object is deleted or replaced. modified_at
// is 1 s apart per write, from 1970 on, unless `set_modified_at` is used.
class MemoryStore final : public ObjectStore {
 public:
  explicit MemoryStore(std::string uri = "memory://lake") : uri_(std::move(uri)) {}

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

  // The paths of all objects, sorted.
  std::vector<std::string> Paths() const;
  void set_modified_at(const std::string& path, Micros at);
  // How many objects were read (Get or OpenReader) so far: for tests of caches and pruning.
  int64_t reads() const;
  // From now on each write (Put, PutIfAbsent, a writer's Append and Finish) fails so; nullopt
  // heals.
  void FailWrites(std::optional<ErrorKind> kind);

 private:
  struct Object {
    std::shared_ptr<const std::string> bytes;
    Micros modified_at = 0;
  };
  friend class MemoryWriter;
  Status Store(const std::string& path, std::string bytes, bool if_absent);
  Status CheckWrite(const std::string& path) const;
  Result<Object> Find(const std::string& path) const;

  const std::string uri_;
  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  Micros time_ = 0;
  int64_t reads_ = 0;
  std::optional<ErrorKind> fail_writes_;
};

}  // namespace millrace::testing
