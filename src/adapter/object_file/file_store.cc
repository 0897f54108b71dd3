#include "adapter/object_file/file_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "adapter/object_file/file_error.h"
#include "base/descriptor_io.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/uuid.h"

namespace millrace {
namespace {

constexpr std::string_view kTemporary = ".tmp-";
constexpr size_t kWriteBuffer = size_t{1} << 20;

Status CheckPath(const std::string& path) {
  bool good = !path.empty() && path.back() != '/';
  size_t begin = 0;
  while (good && begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = std::string_view(path).substr(begin, end - begin);
    good = !part.empty() && part != "." && part != ".." && !part.starts_with(kTemporary) &&
           part.find('\0') == std::string_view::npos;
    begin = end + 1;
  }
  if (good) return {};
  return Fail(ErrorKind::kInvalidInput,
              "'{}' is no object path: relative, without empty, '.', '..' or '.tmp-' parts", path);
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

Micros ModifiedAt(const struct stat& info) {
  return info.st_mtim.tv_sec * kMicrosPerSecond + info.st_mtim.tv_nsec / 1000;
}

// Sabotaged("skip_fsync") is the proof that the power-cut tests would notice a missing sync.
int SyncFile(FileSystem& files, int fd) { return Sabotaged("skip_fsync") ? 0 : files.SyncFile(fd); }
int SyncFolder(FileSystem& files, const std::string& path) {
  return Sabotaged("skip_fsync") ? 0 : files.SyncFolder(path);
}

class FileReader final : public ObjectReader {
 public:
  FileReader(int fd, int64_t size, std::string path)
      : fd_(fd), size_(size), path_(std::move(path)) {}
  ~FileReader() override { ::close(fd_); }
  int64_t size() const override { return size_; }
  Status ReadAt(int64_t offset, int64_t n, char* out) override {
    const ReadOutcome outcome = ReadAllAt(fd_, out, static_cast<size_t>(n), offset);
    if (outcome.error != 0) return FileError(-outcome.error, "read", path_);
    const auto got = static_cast<int64_t>(outcome.size);
    if (got == n) return {};
    return Fail(ErrorKind::kCorrupt, "'{}' ends at byte {}, {} bytes short", path_, offset + got,
                n - got);
  }

 private:
  const int fd_;
  const int64_t size_;
  const std::string path_;
};

// Calls visit(relative path, its parent's descriptor, its name) for each regular file under
// `folder`, in no order, and enter(relative path) before it goes into a subfolder. What vanishes
// meanwhile is passed over.
template <typename Enter, typename Visit>
Status Walk(const std::string& root, const std::string& folder, const Enter& enter,
            const Visit& visit) {
  const std::string full = folder.empty() ? root : root + "/" + folder;
  DIR* dir = ::opendir(full.c_str());
  if (dir == nullptr) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return FileError(-errno, "list", full);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> closer(dir, ::closedir);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir);
    if (entry == nullptr) {
      if (errno != 0) return FileError(-errno, "list", full);
      return {};
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    unsigned char type = entry->d_type;
    if (type == DT_UNKNOWN) {
      struct stat info;
      if (::fstatat(::dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      type = S_ISDIR(info.st_mode) ? DT_DIR : S_ISREG(info.st_mode) ? DT_REG : DT_UNKNOWN;
    }
    std::string path = folder.empty() ? std::string(name) : folder + "/" + std::string(name);
    if (type == DT_DIR) {
      if (enter(path)) MR_TRY(Walk(root, path, enter, visit));
    } else if (type == DT_REG) {
      MR_TRY(visit(std::move(path), ::dirfd(dir), entry->d_name));
    }
  }
}

}  // namespace

// A temporary file on its way to become an object.
class FileStore::Writer final : public ObjectWriter {
 public:
  Writer(FileSystem& files, int fd, std::string temporary, std::string target, Publish publish)
      : files_(&files),
        fd_(fd),
        temporary_(std::move(temporary)),
        target_(std::move(target)),
        publish_(publish) {}

  ~Writer() override {
    if (fd_ >= 0) files_->Close(fd_);
    if (temporary_exists_) files_->Unlink(temporary_);
  }

  Status Append(std::string_view bytes) override {
    bytes_written_ += static_cast<int64_t>(bytes.size());
    if (buffer_.size() + bytes.size() >= kWriteBuffer) {
      MR_TRY(WriteOut(buffer_.view()));
      buffer_.Clear();
      if (bytes.size() >= kWriteBuffer) return WriteOut(bytes);
    }
    buffer_.Append(bytes);
    return {};
  }

  Status Finish() override {
    MR_TRY(WriteOut(buffer_.view()));
    buffer_.Clear();
    MR_FAILPOINT("object_file.before_sync");
    if (const int code = SyncFile(*files_, fd_); code < 0) return FileError(code, "sync", target_);
    const int closed = files_->Close(std::exchange(fd_, -1));
    if (closed < 0) return FileError(closed, "close", target_);
    MR_FAILPOINT("object_file.before_publish");
    if (publish_ == Publish::kReplace) {
      if (const int code = files_->Rename(temporary_, target_); code < 0)
        return FileError(code, "write", target_);
      temporary_exists_ = false;
      return MakeNameDurable();
    }
    if (const int code = files_->Link(temporary_, target_); code < 0) {
      // Whoever is told that the object exists may build on it, so its name must be durable by
      // then.
      const std::string folder = FolderOf(target_);
      if (const int synced = code == -EEXIST ? SyncFolder(*files_, folder) : 0; synced < 0) {
        return FileError(synced, "sync", folder);
      }
      return LinkError(code);
    }
    // From here on others can see the object. When its durability fails, nobody knows whether it
    // will stay.
    if (Status durable = MakeNameDurable(); !durable.ok()) {
      return Fail(ErrorKind::kUnknownOutcome,
                  "'{}' was written, but may not survive a power cut: {}", target_,
                  durable.error().message());
    }
    return {};
  }

  int64_t bytes_written() const override { return bytes_written_; }

 private:
  Status WriteOut(std::string_view bytes) {
    const int code = files_->Write(fd_, bytes);
    return code < 0 ? Status(FileError(code, "write", target_)) : Status();
  }

  Status MakeNameDurable() {
    MR_FAILPOINT("object_file.after_publish");
    if (temporary_exists_ && files_->Unlink(temporary_) == 0) temporary_exists_ = false;
    const std::string folder = FolderOf(target_);
    if (const int code = SyncFolder(*files_, folder); code < 0)
      return FileError(code, "sync", folder);
    MR_FAILPOINT("object_file.after_folder_sync");
    return {};
  }

  Status LinkError(int code) const {
    if (code == -EPERM || code == -EOPNOTSUPP || code == -ENOSYS) {
      return Fail(ErrorKind::kUnsupported,
                  "cannot link '{}': the file system has no hard links; put the lake on ext4, xfs, "
                  "btrfs or zfs",
                  target_);
    }
    return FileError(code, "create", target_);
  }

  FileSystem* const files_;
  int fd_;
  const std::string temporary_, target_;
  const Publish publish_;
  bool temporary_exists_ = true;
  ByteBuffer buffer_;
  int64_t bytes_written_ = 0;
};

FileStore::FileStore(std::string root, FileSystem& files)
    : root_(std::move(root)),
      uri_("file://" + root_),
      temporary_prefix_(Format("{}{:016x}-", kTemporary, RandomBits())),
      files_(&files) {}

Result<std::unique_ptr<FileStore>> FileStore::Open(const std::string& root, FileSystem& files) {
  if (root.empty())
    return Fail(ErrorKind::kInvalidInput, "the store's root folder is empty; name a folder");
  std::error_code error;
  std::string full = std::filesystem::absolute(root, error).lexically_normal().string();
  if (error) return FileError(-error.value(), "resolve", root);
  while (full.size() > 1 && full.back() == '/') full.pop_back();
  for (size_t slash = full.find('/', 1);; slash = full.find('/', slash + 1)) {
    const std::string folder = full.substr(0, slash);
    const int code = files.MakeFolder(folder);
    if (code < 0 && code != -EEXIST && !std::filesystem::is_directory(folder, error)) {
      return FileError(code, "create folder", folder);
    }
    if (code == 0) {
      const std::string parent = FolderOf(folder).empty() ? "/" : FolderOf(folder);
      if (const int synced = SyncFolder(files, parent); synced < 0)
        return FileError(synced, "sync", parent);
    }
    if (slash == std::string::npos) break;
  }
  if (!std::filesystem::is_directory(full, error)) {
    return Fail(ErrorKind::kInvalidInput,
                "'{}' is not a folder; name one that is, or one to be made", full);
  }
  return std::unique_ptr<FileStore>(new FileStore(std::move(full), files));
}

Status FileStore::PrepareFolder(const std::string& path) {
  const std::string folder = FolderOf(path);
  {
    std::lock_guard lock(mutex_);
    if (folder.empty() || durable_folders_.contains(folder)) return {};
  }
  // A folder that exists may have been made by a process that died before it synced the name, so
  // each is synced once.
  std::string parent = root_;
  MR_FAILPOINT("object_file.before_folder");
  for (size_t slash = folder.find('/');; slash = folder.find('/', slash + 1)) {
    const std::string full = Full(folder.substr(0, slash));
    const int made = files_->MakeFolder(full);
    if (made < 0 && made != -EEXIST) return FileError(made, "create folder", full);
    if (const int code = SyncFolder(*files_, parent); code < 0)
      return FileError(code, "sync", parent);
    parent = full;
    if (slash == std::string::npos) break;
  }
  MR_FAILPOINT("object_file.after_folder");
  // Leftovers take room and nothing else: that they cannot be removed is no reason not to write.
  if (const auto swept = RemoveLeftovers(folder, false, kMicrosPerDay); swept.ok() && *swept > 0) {
    log::Info("object_file", "removed {} unfinished files of killed processes from '{}'", *swept,
              Full(folder));
  }
  std::lock_guard lock(mutex_);
  if (durable_folders_.size() > 10'000) durable_folders_.clear();
  durable_folders_.insert(folder);
  return {};
}

Result<std::unique_ptr<FileStore::Writer>> FileStore::Begin(const std::string& path,
                                                            Publish publish) {
  MR_TRY(CheckPath(path));
  const std::string folder = FolderOf(path);
  const std::string temporary = (folder.empty() ? root_ : Full(folder)) + "/" + temporary_prefix_ +
                                Format("{:016x}", RandomBits());
  MR_TRY(PrepareFolder(path));
  int fd = files_->CreateFile(temporary);
  if (fd == -ENOENT) {  // somebody removed the folder since
    {
      std::lock_guard lock(mutex_);
      durable_folders_.clear();
    }
    MR_TRY(PrepareFolder(path));
    fd = files_->CreateFile(temporary);
  }
  if (fd < 0) return FileError(fd, "write", Full(path));
  return std::make_unique<Writer>(*files_, fd, temporary, Full(path), publish);
}

Status FileStore::Put(const std::string& path, std::string_view bytes) {
  MR_ASSIGN(auto writer, Begin(path, Publish::kReplace));
  MR_TRY(writer->Append(bytes));
  return writer->Finish();
}

Status FileStore::PutIfAbsent(const std::string& path, std::string_view bytes) {
  MR_ASSIGN(auto writer, Begin(path, Publish::kIfAbsent));
  MR_TRY(writer->Append(bytes));
  return writer->Finish();
}

Result<std::unique_ptr<ObjectWriter>> FileStore::OpenWriter(const std::string& path) {
  MR_ASSIGN(std::unique_ptr<ObjectWriter> writer, Begin(path, Publish::kReplace));
  return writer;
}

Result<std::unique_ptr<ObjectReader>> FileStore::OpenReader(const std::string& path) {
  MR_TRY(CheckPath(path));
  const std::string full = Full(path);
  const int fd = files_->OpenFile(full);
  if (fd < 0) return FileError(fd, "open", full);
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Fail(ErrorKind::kNotFound, "'{}' is not a file", full);
  }
  return std::unique_ptr<ObjectReader>(new FileReader(fd, info.st_size, full));
}

Status FileStore::Get(const std::string& path, ByteBuffer& out) {
  MR_ASSIGN(auto reader, OpenReader(path));
  const auto size = static_cast<size_t>(reader->size());
  MR_TRY(reader->ReadAt(0, reader->size(), out.Space(size)));
  out.Advance(size);
  return {};
}

Result<ObjectInfo> FileStore::Head(const std::string& path) {
  MR_TRY(CheckPath(path));
  const std::string full = Full(path);
  struct stat info;
  if (::lstat(full.c_str(), &info) != 0) return FileError(-errno, "find", full);
  if (!S_ISREG(info.st_mode)) return Fail(ErrorKind::kNotFound, "'{}' is not a file", full);
  return ObjectInfo{path, info.st_size, ModifiedAt(info)};
}

Result<std::vector<ObjectInfo>> FileStore::List(const std::string& prefix,
                                                const std::string& after) {
  std::vector<ObjectInfo> found;
  const auto enter = [&](const std::string& folder) {
    const std::string slashed = folder + "/";
    const bool may_match =
        slashed.starts_with(prefix) || std::string_view(prefix).starts_with(slashed);
    return may_match && (after.starts_with(slashed) || after < slashed);
  };
  const auto visit = [&](std::string path, int folder_fd, const char* name) -> Status {
    if (!path.starts_with(prefix) || path <= after ||
        std::string_view(name).starts_with(kTemporary))
      return {};
    struct stat info;
    if (::fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
    found.push_back({std::move(path), info.st_size, ModifiedAt(info)});
    return {};
  };
  const std::string folder = FolderOf(prefix);
  if (!folder.empty()) MR_TRY(CheckPath(folder));
  MR_TRY(Walk(root_, folder, enter, visit));
  std::sort(found.begin(), found.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.path < b.path; });
  return found;
}

Status FileStore::Delete(const std::string& path) {
  MR_TRY(CheckPath(path));
  const std::string full = Full(path);
  MR_FAILPOINT("object_file.before_delete");
  const int code = files_->Unlink(full);
  if (code < 0 && code != -ENOENT) return FileError(code, "delete", full);
  MR_FAILPOINT("object_file.after_delete");
  return {};
}

Result<int64_t> FileStore::RemoveLeftovers(Micros grace) {
  return RemoveLeftovers("", true, grace);
}

Result<int64_t> FileStore::RemoveLeftovers(const std::string& folder, bool recursive,
                                           Micros grace) {
  int64_t removed = 0;
  const Micros now = WallClockNow();
  const auto visit = [&](const std::string& path, int folder_fd, const char* name) -> Status {
    struct stat info;
    const std::string_view text = name;
    if (!text.starts_with(kTemporary) || text.starts_with(temporary_prefix_)) return {};
    if (::fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        now - ModifiedAt(info) <= grace)
      return {};
    const int code = files_->Unlink(Full(path));
    if (code < 0 && code != -ENOENT) return FileError(code, "delete", Full(path));
    if (code == 0) ++removed;
    return {};
  };
  MR_TRY(Walk(
      root_, folder, [&](const std::string&) { return recursive; }, visit));
  return removed;
}

}  // namespace millrace
