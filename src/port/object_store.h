#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_buffer.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

struct ObjectInfo {
  std::string path;
  int64_t size = 0;
  Micros modified_at = 0;
};

// Writes one object of unknown length. Nothing is visible under its path before Finish; destroying
// without Finish leaves nothing.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual Status Append(std::string_view bytes) = 0;
  // Durable (contents and name survive a power cut) and visible on return.
  virtual Status Finish() = 0;
  virtual int64_t bytes_written() const = 0;
};

// Positioned reads of one immutable object. Thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual int64_t size() const = 0;
  // Exactly n bytes at offset, or kCorrupt when the object ends before.
  virtual Status ReadAt(int64_t offset, int64_t n, char* out) = 0;
};

// Objects under one root: a directory or a bucket prefix. Paths are relative, '/'-separated,
// without "." or "..". Objects are immutable but for deletion. Thread-safe. Errors: kNotFound,
// kAlreadyExists (PutIfAbsent only), kPermission, kOutOfSpace, kUnavailable; a PutIfAbsent whose
// outcome cannot be known is kUnknownOutcome.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // The root as Iceberg metadata names it, without a trailing slash:
  // "file:///var/lib/millrace/lake", "s3://bucket/lake".
  virtual const std::string& uri() const = 0;
  // The relative path of a URI under this root; kInvalidInput for others.
  Result<std::string> Relative(std::string_view uri_text) const;
  std::string Absolute(std::string_view path) const { return uri() + "/" + std::string(path); }

  virtual Status Put(const std::string& path,
                     std::string_view bytes) = 0;  // replaces; durable on return
  // Durable on return; kAlreadyExists leaves the other object as it is. The one primitive that
  // fences writers.
  virtual Status PutIfAbsent(const std::string& path, std::string_view bytes) = 0;
  virtual Result<std::unique_ptr<ObjectWriter>> OpenWriter(const std::string& path) = 0;
  virtual Status Get(const std::string& path, ByteBuffer& out) = 0;  // appends
  virtual Result<std::unique_ptr<ObjectReader>> OpenReader(const std::string& path) = 0;
  virtual Result<ObjectInfo> Head(const std::string& path) = 0;
  // All objects whose path starts with `prefix` (a whole folder: "x/y/"), sorted by path, only
  // those > `after` when given.
  virtual Result<std::vector<ObjectInfo>> List(const std::string& prefix,
                                               const std::string& after = "") = 0;
  virtual Status Delete(const std::string& path) = 0;  // a missing object is no error
};

}  // namespace millrace
