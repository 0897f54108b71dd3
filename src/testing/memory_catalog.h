#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "port/catalog.h"
#include "port/clock.h"

namespace millrace::testing {

// An Iceberg catalog in memory: checks requirements and applies updates as a real one does, without
// storing metadata files. Thread-safe.
class MemoryCatalog final : public Catalog {
 public:
  explicit MemoryCatalog(const Clock& clock, bool atomic = true) : clock_(clock), atomic_(atomic) {}

  Status CreateNamespace(const std::vector<std::string>& levels) override;
  Result<std::vector<TableIdent>> ListTables(const std::vector<std::string>& levels) override;
  Result<std::vector<std::vector<std::string>>> ListNamespaces() override;
  Result<LoadedTable> LoadTable(const TableIdent& ident) override;
  Status DropTable(const TableIdent& ident) override;
  Result<std::vector<LoadedTable>> Commit(const std::vector<TableCommit>& commits) override;
  bool supports_atomic_commit() const override { return atomic_; }

  // Called at the start of the next Commit, once: to commit something else in between.
  void BeforeNextCommit(std::function<void()> action) { before_ = std::move(action); }
  // The next Commit answers kUnknownOutcome, having been applied or not.
  enum class Lost { kNo, kBefore, kAfter };
  void LoseNextAnswer(Lost lost) { lost_ = lost; }
  int64_t commits() const { return commits_; }

 private:
  const Clock& clock_;
  const bool atomic_;
  std::mutex mutex_;
  std::set<std::vector<std::string>> namespaces_;
  std::map<TableIdent, LoadedTable> tables_;
  std::function<void()> before_;
  Lost lost_ = Lost::kNo;
  int64_t commits_ = 0;
};

}  // namespace millrace::testing
