#include "adapter/object_file/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/descriptor_io.h"

namespace millrace {
namespace {

template <typename T>
T OrErrno(T result) {
  return result < 0 ? static_cast<T>(-errno) : result;
}

class KernelFileSystem final : public FileSystem {
 public:
  int CreateFile(const std::string& path) override {
    return OrErrno(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  }
  int OpenFile(const std::string& path) override {
    return OrErrno(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  int Write(int fd, std::string_view bytes) override { return -WriteAll(fd, bytes); }
  // fdatasync persists the size too, which is all of the metadata that reading back needs.
  int SyncFile(int fd) override { return OrErrno(::fdatasync(fd)); }
  int Close(int fd) override { return OrErrno(::close(fd)); }
  int Rename(const std::string& from, const std::string& to) override {
    return OrErrno(::rename(from.c_str(), to.c_str()));
  }
  int Link(const std::string& from, const std::string& to) override {
    return OrErrno(::link(from.c_str(), to.c_str()));
  }
  int Unlink(const std::string& path) override { return OrErrno(::unlink(path.c_str())); }
  int MakeFolder(const std::string& path) override { return OrErrno(::mkdir(path.c_str(), 0755)); }
  int SyncFolder(const std::string& path) override {
    const int fd = OrErrno(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0) return fd;
    const int result = OrErrno(::fsync(fd));
    ::close(fd);
    return result;
  }
};

}  // namespace

FileSystem& RealFileSystem() {
  static KernelFileSystem kernel;
  return kernel;
}

}  // namespace millrace
