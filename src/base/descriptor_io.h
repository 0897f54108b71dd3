#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace {

// All of the bytes, through signals and short transfers. What went wrong is an errno, so that the
// caller, who knows the file's name and purpose, can say it.

// Writes where the descriptor stands. 0, or the errno; then some of it may have been written.
[[nodiscard]] int WriteAll(int fd, std::string_view bytes);

struct ReadOutcome {
  size_t size = 0;  // less than asked for: the file ends there, or `error` came
  int error = 0;    // errno
};
// Reads `size` bytes from `offset` on; the descriptor stays where it stands.
[[nodiscard]] ReadOutcome ReadAllAt(int fd, void* to, size_t size, int64_t offset);

}  // namespace millrace
