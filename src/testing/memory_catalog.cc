#include "testing/memory_catalog.h"

#include <utility>

#include "base/format.h"

namespace millrace::testing {

Status MemoryCatalog::CreateNamespace(const std::vector<std::string>& levels) {
  std::lock_guard lock(mutex_);
  namespaces_.insert(levels);
  return {};
}

Result<std::vector<TableIdent>> MemoryCatalog::ListTables(const std::vector<std::string>& levels) {
  std::lock_guard lock(mutex_);
  std::vector<TableIdent> found;
  for (const auto& [ident, table] : tables_) {
    if (ident.levels == levels) found.push_back(ident);
  }
  return found;
}

Result<std::vector<std::vector<std::string>>> MemoryCatalog::ListNamespaces() {
  std::lock_guard lock(mutex_);
  return std::vector<std::vector<std::string>>(namespaces_.begin(), namespaces_.end());
}

Result<LoadedTable> MemoryCatalog::LoadTable(const TableIdent& ident) {
  std::lock_guard lock(mutex_);
  const auto found = tables_.find(ident);
  if (found == tables_.end())
    return Fail(ErrorKind::kNotFound, "table {} does not exist", ident.ToString());
  return found->second;
}

Status MemoryCatalog::DropTable(const TableIdent& ident) {
  std::lock_guard lock(mutex_);
  if (tables_.erase(ident) == 0)
    return Fail(ErrorKind::kNotFound, "table {} does not exist", ident.ToString());
  return {};
}

Result<std::vector<LoadedTable>> MemoryCatalog::Commit(const std::vector<TableCommit>& commits) {
  if (before_) std::exchange(before_, nullptr)();
  std::lock_guard lock(mutex_);
  const Lost lost = std::exchange(lost_, Lost::kNo);
  if (lost == Lost::kBefore)
    return Fail(ErrorKind::kUnknownOutcome, "the answer to the commit was lost");
  std::vector<LoadedTable> now;
  for (const TableCommit& commit : commits) {
    const auto found = tables_.find(commit.ident);
    const iceberg::TableMetadata* base = found == tables_.end() ? nullptr : &found->second.metadata;
    for (const iceberg::Requirement& requirement : commit.requirements)
      MR_TRY(iceberg::Check(requirement, base));
    const std::string location = base == nullptr ? "" : found->second.metadata_location;
    MR_ASSIGN(iceberg::TableMetadata metadata,
              iceberg::Apply(base, location, commit.updates, clock_.Now() / 1000));
    const std::string file =
        Format("{}/metadata/{:05}.metadata.json", metadata.location, ++commits_);
    now.push_back({commit.ident, file, std::move(metadata)});
  }
  for (const LoadedTable& table : now) tables_.insert_or_assign(table.ident, table);
  if (lost == Lost::kAfter)
    return Fail(ErrorKind::kUnknownOutcome, "the answer to the commit was lost");
  return now;
}

}  // namespace millrace::testing
