#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::app {

// The right to write one or more stages of a lake from this machine, for as long as the object
// lives: an flock on <lake>/.lock.<stage> each. The kernel lets go when the process dies, however
// it dies. It protects from two commands started by mistake; what makes two writers safe is the
// commit log's epoch and the catalog's compare-and-swap.
class LakeLock {
 public:
  // Makes the lake's directory when it is missing. kFenced names the command and process that hold
  // a stage.
  static Result<LakeLock> Take(const std::filesystem::path& lake,
                               const std::vector<std::string>& stages, const std::string& command);

  // Who writes a stage now, as "`millrace up` (process 123)"; nullopt: nobody on this machine.
  static std::optional<std::string> Holder(const std::filesystem::path& lake,
                                           const std::string& stage);

  LakeLock(LakeLock&& other) noexcept : files_(std::exchange(other.files_, {})) {}
  LakeLock& operator=(LakeLock&& other) noexcept {
    std::swap(files_, other.files_);
    return *this;
  }
  ~LakeLock();

 private:
  LakeLock() = default;
  std::vector<int> files_;
};

}  // namespace millrace::app
