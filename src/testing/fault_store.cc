#include "testing/fault_store.h"

#include "base/format.h"

namespace millrace::testing {

void FaultStore::Plan(int64_t nth, Fault fault, ErrorKind kind) {
  std::lock_guard lock(mutex_);
  plan_ = Planned{writes_ + nth, fault, kind};
}

void FaultStore::Heal() {
  std::lock_guard lock(mutex_);
  plan_.reset();
}

template <typename Write>
Status FaultStore::Pass(const std::string& path, bool if_absent, const Write& write) {
  std::optional<Planned> plan;
  const int64_t number = writes_++;
  {
    std::lock_guard lock(mutex_);
    if (plan_ && (number == plan_->at || (plan_->fault == Fault::kDeadly && number > plan_->at)))
      plan = plan_;
  }
  if (!plan) return write();
  if (plan->fault == Fault::kAfter) {
    MR_TRY(write());
    return Fail(if_absent ? ErrorKind::kUnknownOutcome : plan->kind,
                "'{}': fails on purpose, after the write", path);
  }
  return Fail(plan->kind, "'{}': fails on purpose, before the write", path);
}

class FaultStore::Writer final : public ObjectWriter {
 public:
  Writer(FaultStore& store, std::string path, std::unique_ptr<ObjectWriter> under)
      : store_(&store), path_(std::move(path)), under_(std::move(under)) {}
  Status Append(std::string_view bytes) override { return under_->Append(bytes); }
  Status Finish() override {
    return store_->Pass(path_, false, [&] { return under_->Finish(); });
  }
  int64_t bytes_written() const override { return under_->bytes_written(); }

 private:
  FaultStore* const store_;
  const std::string path_;
  const std::unique_ptr<ObjectWriter> under_;
};

Status FaultStore::Put(const std::string& path, std::string_view bytes) {
  return Pass(path, false, [&] { return under_->Put(path, bytes); });
}

Status FaultStore::PutIfAbsent(const std::string& path, std::string_view bytes) {
  return Pass(path, true, [&] { return under_->PutIfAbsent(path, bytes); });
}

Result<std::unique_ptr<ObjectWriter>> FaultStore::OpenWriter(const std::string& path) {
  MR_ASSIGN(auto under, under_->OpenWriter(path));
  return std::unique_ptr<ObjectWriter>(std::make_unique<Writer>(*this, path, std::move(under)));
}

Status FaultStore::Delete(const std::string& path) {
  return Pass(path, false, [&] { return under_->Delete(path); });
}

}  // namespace millrace::testing
