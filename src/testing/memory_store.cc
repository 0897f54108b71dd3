#include "testing/memory_store.h"

#include <cstring>

#include "base/format.h"

namespace millrace::testing {
namespace {

class MemoryReader final : public ObjectReader {
 public:
  MemoryReader(std::string path, std::shared_ptr<const std::string> bytes)
      : path_(std::move(path)), bytes_(std::move(bytes)) {}

  int64_t size() const override { return static_cast<int64_t>(bytes_->size()); }
  Status ReadAt(int64_t offset, int64_t n, char* out) override {
    if (offset < 0 || n < 0 || offset + n > size()) {
      return Fail(ErrorKind::kCorrupt, "object '{}' ends at {}, before {}", path_, size(),
                  offset + n);
    }
    std::memcpy(out, bytes_->data() + offset, static_cast<size_t>(n));
    return {};
  }

 private:
  const std::string path_;
  const std::shared_ptr<const std::string> bytes_;
};

}  // namespace

class MemoryWriter final : public ObjectWriter {
 public:
  MemoryWriter(MemoryStore& store, std::string path) : store_(store), path_(std::move(path)) {}

  Status Append(std::string_view bytes) override {
    MR_TRY(store_.CheckWrite(path_));
    bytes_.append(bytes);
    return {};
  }
  Status Finish() override { return store_.Store(path_, bytes_, false); }
  int64_t bytes_written() const override { return static_cast<int64_t>(bytes_.size()); }

 private:
  MemoryStore& store_;
  const std::string path_;
  std::string bytes_;
};

Status MemoryStore::CheckWrite(const std::string& path) const {
  std::lock_guard lock(mutex_);
  if (fail_writes_.has_value())
    return Fail(*fail_writes_, "object '{}': writes fail on purpose", path);
  return {};
}

Status MemoryStore::Store(const std::string& path, std::string bytes, bool if_absent) {
  MR_TRY(CheckWrite(path));
  std::lock_guard lock(mutex_);
  if (if_absent && objects_.contains(path)) {
    return Fail(ErrorKind::kAlreadyExists, "object '{}' exists", path);
  }
  time_ += kMicrosPerSecond;
  objects_[path] = {std::make_shared<const std::string>(std::move(bytes)), time_};
  return {};
}

Result<MemoryStore::Object> MemoryStore::Find(const std::string& path) const {
  const auto found = objects_.find(path);
  if (found == objects_.end()) return Fail(ErrorKind::kNotFound, "no object '{}'", path);
  return found->second;
}

Status MemoryStore::Put(const std::string& path, std::string_view bytes) {
  return Store(path, std::string(bytes), false);
}

Status MemoryStore::PutIfAbsent(const std::string& path, std::string_view bytes) {
  return Store(path, std::string(bytes), true);
}

Result<std::unique_ptr<ObjectWriter>> MemoryStore::OpenWriter(const std::string& path) {
  return std::unique_ptr<ObjectWriter>(std::make_unique<MemoryWriter>(*this, path));
}

Status MemoryStore::Get(const std::string& path, ByteBuffer& out) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN(Object object, Find(path));
  ++reads_;
  out.Append(*object.bytes);
  return {};
}

Result<std::unique_ptr<ObjectReader>> MemoryStore::OpenReader(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN(Object object, Find(path));
  ++reads_;
  return std::unique_ptr<ObjectReader>(std::make_unique<MemoryReader>(path, object.bytes));
}

Result<ObjectInfo> MemoryStore::Head(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN(Object object, Find(path));
  return ObjectInfo{path, static_cast<int64_t>(object.bytes->size()), object.modified_at};
}

Result<std::vector<ObjectInfo>> MemoryStore::List(const std::string& prefix,
                                                  const std::string& after) {
  std::lock_guard lock(mutex_);
  std::vector<ObjectInfo> found;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (!after.empty() && at->first <= after) continue;
    found.push_back(
        {at->first, static_cast<int64_t>(at->second.bytes->size()), at->second.modified_at});
  }
  return found;
}

Status MemoryStore::Delete(const std::string& path) {
  std::lock_guard lock(mutex_);
  objects_.erase(path);
  return {};
}

std::vector<std::string> MemoryStore::Paths() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, object] : objects_) paths.push_back(path);
  return paths;
}

void MemoryStore::set_modified_at(const std::string& path, Micros at) {
  std::lock_guard lock(mutex_);
  objects_[path].modified_at = at;
}

int64_t MemoryStore::reads() const {
  std::lock_guard lock(mutex_);
  return reads_;
}

void MemoryStore::FailWrites(std::optional<ErrorKind> kind) {
  std::lock_guard lock(mutex_);
  fail_writes_ = kind;
}

}  // namespace millrace::testing
