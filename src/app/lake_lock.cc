#include "app/lake_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/format.h"
#include "base/text.h"

namespace millrace::app {
namespace {

// Who holds a lock, as its file says: "`millrace up` (process 123)".
std::string HolderOf(int file) {
  char text[128];
  const ssize_t n = pread(file, text, sizeof text, 0);
  const std::string_view line = Trim(std::string_view(text, n > 0 ? static_cast<size_t>(n) : 0));
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return "another process";
  return Format("`millrace {}` (process {})", line.substr(space + 1), line.substr(0, space));
}

// A look at who holds a lock takes it for an instant, so one refusal is not yet a holder.
bool TryLock(int file, int mode) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (flock(file, mode | LOCK_NB) == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string LockPath(const std::filesystem::path& lake, const std::string& stage) {
  return lake / (".lock." + stage);
}

}  // namespace

Result<LakeLock> LakeLock::Take(const std::filesystem::path& lake,
                                const std::vector<std::string>& stages,
                                const std::string& command) {
  std::error_code error;
  std::filesystem::create_directories(lake, error);
  if (error) {
    return Fail(ErrorKind::kPermission,
                "cannot make the lake's directory {}: {}; check lake.path and its permissions",
                lake.string(), error.message());
  }
  LakeLock lock;
  for (const std::string& stage : stages) {
    const std::string path = LockPath(lake, stage);
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0)
      return Fail(ErrorKind::kPermission, "cannot open {}: {}; check its permissions", path,
                  std::strerror(errno));
    lock.files_.push_back(file);
    if (!TryLock(file, LOCK_EX)) {
      return Fail(
          ErrorKind::kFenced,
          "{} of the lake {} is being written by {}; stop it first, or use another lake.path",
          stage, lake.string(), HolderOf(file));
    }
    const std::string line = Format("{} {}\n", getpid(), command);
    // Only for the message above: a failure to write it harms nothing.
    if (ftruncate(file, 0) == 0 && pwrite(file, line.data(), line.size(), 0) < 0) continue;
  }
  return lock;
}

std::optional<std::string> LakeLock::Holder(const std::filesystem::path& lake,
                                            const std::string& stage) {
  const int file = open(LockPath(lake, stage).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::optional<std::string> holder;
  if (!TryLock(file, LOCK_SH)) holder = HolderOf(file);
  close(file);
  return holder;
}

LakeLock::~LakeLock() {
  for (int file : files_) close(file);
}

}  // namespace millrace::app
