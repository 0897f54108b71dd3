#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/event_decoder.h"

namespace millrace::silver {

// Decoded events that wait for their pass, in a file without a name: it is gone when the process
// is.
class Spill {
 public:
  // `directory` is made when it is missing.
  static Result<std::unique_ptr<Spill>> Open(const std::string& directory, int passes);
  ~Spill();
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;

  Status Add(int pass, const DecodedFile& part);
  // A pass's parts in the order of their Add.
  Result<std::vector<DecodedFile>> Read(int pass) const;
  int64_t bytes() const { return end_; }

 private:
  struct Shape;
  struct Segment;
  Spill(int fd, int passes);
  Status Write(const void* bytes, size_t size);
  Result<DecodedFile> ReadSegment(const Segment& segment) const;

  const int fd_;
  int64_t end_ = 0;
  std::shared_ptr<const Shape> shape_;  // of the part that came last
  std::vector<std::vector<Segment>> passes_;
};

}  // namespace millrace::silver
