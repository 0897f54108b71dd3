#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "port/object_store.h"

namespace millrace::testing {

// An ObjectStore in front of another that fails on demand, for tests of what survives. Every Put,
// PutIfAbsent, Finish and Delete counts as one write. Thread-safe.
class FaultStore final : public ObjectStore {
 public:
  enum class Fault {
    kBefore,  // the write fails and has no effect
    kAfter,   // the write happens and is reported as failed (kUnknownOutcome from PutIfAbsent)
    kDeadly,  // as a killed process: this write and everything after it fails and has no effect
  };
  explicit FaultStore(ObjectStore& under) : under_(&under) {}

  // The write number `nth` from now on (0: the next one) meets the fault; `kind` is what it
  // reports.
  void Plan(int64_t nth, Fault fault, ErrorKind kind = ErrorKind::kUnavailable);
  void Heal();
  int64_t writes() const { return writes_; }

  const std::string& uri() const override { return under_->uri(); }
  Status Put(const std::string& path, std::string_view bytes) override;
  Status PutIfAbsent(const std::string& path, std::string_view bytes) override;
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(const std::string& path) override;
  Status Get(const std::string& path, ByteBuffer& out) override { return under_->Get(path, out); }
  Result<std::unique_ptr<ObjectReader>> OpenReader(const std::string& path) override {
    return under_->OpenReader(path);
  }
  Result<ObjectInfo> Head(const std::string& path) override { return under_->Head(path); }
  Result<std::vector<ObjectInfo>> List(const std::string& prefix,
                                       const std::string& after) override {
    return under_->List(prefix, after);
  }
  Status Delete(const std::string& path) override;

 private:
  class Writer;
  struct Planned {
    int64_t at;
    Fault fault;
    ErrorKind kind;
  };
  // Does the write unless a fault keeps it from happening, and reports what the fault says.
  template <typename Write>
  Status Pass(const std::string& path, bool if_absent, const Write& write);

  ObjectStore* const under_;
  std::mutex mutex_;
  std::optional<Planned> plan_;
  std::atomic<int64_t> writes_ = 0;
};

}  // namespace millrace::testing
