#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapter/source_postgres/postgres_source.h"
#include "codec/json.h"
#include "testing/postgres_server.h"

// Tests of PostgresSource against a real server of its own.
namespace millrace::postgres {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Collected {
  std::string topic, key, value, headers;
  std::string fingerprint;
};

// Keeps everything, in order, and what has been covered by an ends_at.
class CollectingSink final : public RecordSink {
 public:
  Status Write(RecordBatch batch) override {
    const std::lock_guard lock(mutex_);
    for (const Record& r : batch.records) {
      const auto at = [&](size_t offset, size_t size) {
        return std::string(batch.bytes.view(offset, size));
      };
      const Stream& stream = *batch.streams[r.stream];
      records.push_back(
          {stream.topic, at(r.offset, r.key_size), at(r.offset + r.key_size, r.value_size),
           at(r.offset + r.key_size + r.value_size, r.headers_size), stream.fingerprint});
      schemas[stream.fingerprint] = stream.schema;
    }
    if (batch.ends_at) position = batch.ends_at;
    ended_snapshot |= batch.ends_snapshot;
    ++batches;
    return {};
  }
  std::vector<Collected> Of(const std::string& topic) const {
    std::vector<Collected> found;
    for (const Collected& r : records) {
      if (r.topic == topic) found.push_back(r);
    }
    return found;
  }

  std::mutex mutex_;
  std::vector<Collected> records;
  std::map<std::string, TableSchema> schemas;
  std::optional<SourcePosition> position;
  bool ended_snapshot = false;
  int batches = 0;
};

inline json::Value Parsed(const std::string& text) {
  auto value = json::Parse(text, "event");
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : json::Value();
}
inline std::string Member(const std::string& value, const char* name) {
  return json::Write(*Parsed(value).Find(name));
}

// What the topic's events leave in a table: "key after" by key, in event order.
inline std::map<std::string, std::string> Applied(const std::vector<Collected>& events) {
  std::map<std::string, std::string> rows;
  for (const Collected& r : events) {
    const std::string op = Parsed(r.value).Find("op")->AsString();
    if (op == "t") {
      rows.clear();
    } else if (op == "d") {
      rows.erase(r.key);
    } else {
      rows[r.key] = Member(r.value, "after");
    }
  }
  return rows;
}

class PostgresSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    static int databases = 0;
    database_ = "d" + std::to_string(++databases);
    Sql("CREATE DATABASE " + database_, "postgres");
  }
  std::string Sql(const std::string& sql, std::string database = "") {
    const auto result = Server().Sql(sql, database.empty() ? database_ : database);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().ToString());
    return result.ok() ? *result : "";
  }
  PostgresSourceOptions Options() {
    PostgresSourceOptions options;
    options.conninfo = Server().Conninfo(database_);
    options.name = "srv";
    options.slot = "slot_" + database_;
    return options;
  }
  std::unique_ptr<PostgresSource> Open(PostgresSourceOptions options) {
    auto source = PostgresSource::Open(std::move(options));
    EXPECT_TRUE(source.ok()) << source.error().ToString();
    return std::move(*source);
  }
  // Prepares a new slot and reads the snapshot.
  std::unique_ptr<PostgresSource> Begin(CollectingSink& sink, PostgresSourceOptions options) {
    auto source = Open(std::move(options));
    const Status prepared = source->Prepare({}, nullptr);
    EXPECT_TRUE(prepared.ok()) << prepared.error().ToString();
    EXPECT_TRUE(source->needs_snapshot());
    const Status read = source->Snapshot(sink, nullptr, {});
    EXPECT_TRUE(read.ok()) << read.error().ToString();
    return source;
  }
  void StreamToNow(PostgresSource& source, CollectingSink& sink) {
    const auto lsn = source.CurrentLsn();
    ASSERT_TRUE(lsn.ok()) << lsn.error().ToString();
    const Status status = source.Stream(sink, *lsn, {});
    ASSERT_TRUE(status.ok()) << status.error().ToString();
  }
  Status Resume(PostgresSource& source, const SourcePosition& position) {
    return source.Prepare({.position = position, .snapshot_running = false}, nullptr);
  }

  // One for all suites: each test has a database of its own.
  static millrace::testing::PostgresServer& Server() {
    static const auto server = millrace::testing::PostgresServer::Start(
        "wal_sender_timeout = 5s\nmax_replication_slots = 100\nmax_wal_senders = 100\n"
        "max_prepared_transactions = 10\nlogical_decoding_work_mem = 64kB");
    EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().ToString());
    return **server;
  }

  std::string database_;
};

}  // namespace millrace::postgres
