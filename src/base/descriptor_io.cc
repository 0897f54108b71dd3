#include "base/descriptor_io.h"

#include <unistd.h>

#include <cerrno>

namespace millrace {

int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

ReadOutcome ReadAllAt(int fd, void* to, size_t size, int64_t offset) {
  ReadOutcome outcome;
  while (outcome.size < size) {
    const ssize_t n = ::pread(fd, static_cast<char*>(to) + outcome.size, size - outcome.size,
                              offset + static_cast<int64_t>(outcome.size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) outcome.error = errno;
    if (n <= 0) break;
    outcome.size += static_cast<size_t>(n);
  }
  return outcome;
}

}  // namespace millrace
