#include "testing/bronze_contents.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/json.h"
#include "commitlog/commit_log.h"

namespace millrace::testing {

std::map<std::string, std::vector<std::string>> ReadBronze(ObjectStore& store) {
  std::map<std::string, std::vector<std::string>> values;
  for (int64_t number = 0;;) {
    const auto commits = commitlog::ReadAfter(store, number, 100);
    EXPECT_TRUE(commits.ok()) << commits.error().ToString();
    if (!commits.ok() || commits->empty()) return values;
    number = commits->back().number;
    for (const BronzeCommit& commit : *commits) {
      for (const BronzeFile& file : commit.files) {
        EXPECT_TRUE(commitlog::ReadSchema(store, file.topic, file.schema).ok()) << file.path;
        ByteBuffer lines;
        const Status read = commitlog::ReadFile(store, file, lines);
        EXPECT_TRUE(read.ok()) << read.error().ToString();
        std::vector<std::string>& of_topic = values[file.topic];
        int64_t records = 0;
        for (const std::string_view line : Split(lines.view(), '\n')) {
          if (line.empty()) continue;
          const auto parsed = json::Parse(line, file.path);
          EXPECT_TRUE(parsed.ok()) << line;
          if (!parsed.ok()) continue;
          const auto offset = parsed->Int("offset");
          EXPECT_TRUE(offset.ok() && *offset == static_cast<int64_t>(of_topic.size()))
              << file.path << ": " << line;
          of_topic.push_back(json::Write(*parsed->Find("value")));
          ++records;
        }
        EXPECT_EQ(records, file.records) << file.path;
        EXPECT_EQ(file.last_offset + 1, static_cast<int64_t>(of_topic.size())) << file.path;
      }
    }
  }
}

}  // namespace millrace::testing
