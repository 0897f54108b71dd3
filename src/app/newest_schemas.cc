#include "app/newest_schemas.h"

#include <algorithm>
#include <map>
#include <string>

#include "commitlog/commit_log.h"

namespace millrace::app {
namespace {

constexpr int64_t kCommits = 1000;

// The fingerprint that was stored last below _schemas/<topic>/; empty when there is none.
Result<std::string> StoredLast(ObjectStore& bronze, const std::string& topic) {
  MR_ASSIGN(const std::vector<ObjectInfo> objects, bronze.List("_schemas/" + topic + "/"));
  const auto newest = std::max_element(
      objects.begin(), objects.end(),
      [](const ObjectInfo& a, const ObjectInfo& b) { return a.modified_at < b.modified_at; });
  if (newest == objects.end()) return std::string();
  const std::string name = newest->path.substr(newest->path.rfind('/') + 1);
  return name.substr(0, name.find('.'));
}

}  // namespace

Result<std::vector<TableSchema>> ReadNewestSchemas(ObjectStore& bronze) {
  MR_ASSIGN(const commitlog::State state, commitlog::Recover(bronze));
  std::map<std::string, std::vector<std::string>> versions;
  for (const auto& [topic, offset] : state.next_offsets) versions[topic];
  for (int64_t number = std::max<int64_t>(0, state.number - kCommits); number < state.number;) {
    MR_ASSIGN(const std::vector<BronzeCommit> commits,
              commitlog::ReadAfter(bronze, number, kCommits));
    if (commits.empty()) break;
    for (const BronzeCommit& commit : commits) {
      for (const BronzeFile& file : commit.files) {
        std::vector<std::string>& of_topic = versions[file.topic];
        if (of_topic.empty() || of_topic.back() != file.schema) of_topic.push_back(file.schema);
      }
    }
    number = commits.back().number;
  }
  std::vector<TableSchema> schemas;
  for (auto& [topic, of_topic] : versions) {
    if (of_topic.empty()) {
      MR_ASSIGN(const std::string last, StoredLast(bronze, topic));
      if (!last.empty()) of_topic.push_back(last);
    }
    for (const std::string& fingerprint : of_topic) {
      MR_ASSIGN(TableSchema schema, commitlog::ReadSchema(bronze, topic, fingerprint));
      schemas.push_back(std::move(schema));
    }
  }
  return schemas;
}

}  // namespace millrace::app
