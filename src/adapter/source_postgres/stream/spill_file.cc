#include "adapter/source_postgres/stream/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/descriptor_io.h"
#include "base/failpoint.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

struct Frame {
  Lsn lsn;
  uint32_t size;
  uint32_t xid;
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

Error SpillError(std::string_view doing, const std::string& path, int code) {
  const std::string reason = std::generic_category().message(code);
  if (code == ENOSPC || code == EDQUOT) {
    return Fail(ErrorKind::kOutOfSpace,
                "cannot {} '{}', which holds a large transaction until it commits: {}; free space "
                "there, or raise logical_decoding_work_mem on the source. Nothing is lost",
                doing, path, reason);
  }
  const bool refused = code == EACCES || code == EPERM || code == EROFS;
  return Fail(refused ? ErrorKind::kPermission : ErrorKind::kUnavailable,
              "cannot {} '{}', which holds a large transaction until it commits: {}", doing, path,
              reason);
}

Status Read(int fd, void* to, size_t size, int64_t offset, const std::string& path) {
  const ReadOutcome outcome = ReadAllAt(fd, to, size, offset);
  if (outcome.error != 0) return SpillError("read", path, outcome.error);
  if (outcome.size < size)
    return Fail(ErrorKind::kUnavailable, "scratch file '{}' was cut short", path);
  return {};
}

Status ReplayBlock(std::string_view block, const SpillFile::Each& each, std::stop_token stop) {
  while (!block.empty()) {
    if (stop.stop_requested())
      return Error(ErrorKind::kCancelled, "a large transaction: asked to stop");
    Frame frame;
    std::memcpy(&frame, block.data(), sizeof frame);
    MR_TRY(each(frame.lsn, frame.xid, block.substr(sizeof frame, frame.size)));
    block.remove_prefix(sizeof frame + frame.size);
  }
  return {};
}

}  // namespace

SpillFile::~SpillFile() {
  if (file_bytes_ > 0) unlink(path_.c_str());
}

Status SpillFile::Append(Lsn lsn, uint32_t xid, char type, std::string_view rest,
                         Compressor& compressor) {
  const Frame frame{lsn, static_cast<uint32_t>(1 + rest.size()), xid};
  char* const to = block_.Space(sizeof frame + 1 + rest.size());
  std::memcpy(to, &frame, sizeof frame);
  to[sizeof frame] = type;
  std::memcpy(to + sizeof frame + 1, rest.data(), rest.size());
  block_.Advance(sizeof frame + 1 + rest.size());
  return block_.size() < kBlockBytes ? Status() : WriteBlock(compressor);
}

Status SpillFile::WriteBlock(Compressor& compressor) {
  MR_FAILPOINT("capture.before_spill");
  compressor.Reset();
  ByteBuffer stored;
  uint32_t size = 0;
  stored.Append(&size, sizeof size);
  MR_TRY(compressor.Write(block_.view(), stored));
  MR_TRY(compressor.Finish(stored));
  size = static_cast<uint32_t>(stored.size() - sizeof size);
  std::memcpy(stored.data(), &size, sizeof size);
  if (file_bytes_ == 0) {
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), failed);
    if (failed) return SpillError("create the folder of", path_, failed.value());
  }
  // Opened for each block: many transactions may be open at a time, and descriptors are few.
  const Descriptor file(
      open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.get() < 0) return SpillError("create", path_, errno);
  file_bytes_ += static_cast<int64_t>(stored.size());
  if (const int error = WriteAll(file.get(), stored.view()); error != 0)
    return SpillError("write", path_, error);
  block_.Clear();
  return {};
}

Status SpillFile::Replay(const Each& each, std::stop_token stop) const {
  if (file_bytes_ > 0) {
    const Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return SpillError("read", path_, errno);
    ByteBuffer stored, block;
    for (int64_t at = 0; at < file_bytes_;) {
      uint32_t size;
      MR_TRY(Read(file.get(), &size, sizeof size, at, path_));
      at += static_cast<int64_t>(sizeof size);
      stored.Clear();
      MR_TRY(Read(file.get(), stored.Space(size), size, at, path_));
      stored.Advance(size);
      at += size;
      block.Clear();
      if (const Status opened = Decompress(Compression::kZstd, stored.view(), block); !opened.ok())
        return Fail(ErrorKind::kUnavailable, "scratch file '{}' was damaged", path_);
      MR_TRY(ReplayBlock(block.view(), each, stop));
    }
  }
  return ReplayBlock(block_.view(), each, stop);
}

}  // namespace millrace::postgres
