#include "iceberg/metadata.h"

#include <gtest/gtest.h>

namespace millrace::iceberg {
namespace {

// A table as another engine may have left it: members that Millrace does not interpret, ids beyond
// 2^53.
const char kMetadata[] = R"({
  "format-version": 2,
  "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
  "location": "s3://bucket/test/location/",
  "last-sequence-number": 34,
  "last-updated-ms": 1602638573590,
  "last-column-id": 3,
  "current-schema-id": 1,
  "schemas": [
    {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "x", "required": true, "type": "long"}]},
    {"type": "struct", "schema-id": 1, "identifier-field-ids": [1, 2], "fields": [
      {"id": 1, "name": "x", "required": true, "type": "long"},
      {"id": 2, "name": "y", "required": true, "type": "long", "doc": "comment"},
      {"id": 3, "name": "z", "required": true, "type": "long"}]}],
  "default-spec-id": 0,
  "partition-specs": [{"spec-id": 0, "fields": [{"name": "x", "transform": "identity", "source-id": 1, "field-id": 1000}]}],
  "last-partition-id": 1000,
  "default-sort-order-id": 3,
  "sort-orders": [{"order-id": 3, "fields": [
    {"transform": "identity", "source-id": 2, "direction": "asc", "null-order": "nulls-first"}]}],
  "properties": {"read.split.target.size": "134217728"},
  "current-snapshot-id": 3055729675574597004,
  "refs": {"main": {"snapshot-id": 3055729675574597004, "type": "branch"},
           "audit": {"snapshot-id": 3051729675574597004, "type": "tag", "max-ref-age-ms": 10000000}},
  "snapshots": [
    {"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770, "sequence-number": 0,
     "summary": {"operation": "append"}, "manifest-list": "s3://a/b/1.avro"},
    {"snapshot-id": 3055729675574597004, "parent-snapshot-id": 3051729675574597004, "timestamp-ms": 1555100955770,
     "sequence-number": 1, "summary": {"operation": "append", "added-records": "7"}, "manifest-list": "s3://a/b/2.avro",
     "schema-id": 1, "future-member": [1]}],
  "statistics": [{"snapshot-id": 3055729675574597004, "statistics-path": "s3://a/b/stats.puffin", "blob-metadata": []}],
  "vendor-extension": {"keep": 9007199254740993},
  "snapshot-log": [{"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770},
                   {"snapshot-id": 3055729675574597004, "timestamp-ms": 1555100955770}],
  "metadata-log": [{"metadata-file": "s3://bucket/.../v1.json", "timestamp-ms": 1515100}]
})";

json::Value Document() { return *json::Parse(kMetadata, "test"); }

TEST(Metadata, ReadsAndWritesBackEverything) {
  const auto metadata = ReadMetadata(kMetadata, "the table");
  ASSERT_TRUE(metadata.ok()) << metadata.error().ToString();
  EXPECT_EQ(metadata->location, "s3://bucket/test/location");
  EXPECT_EQ(metadata->CurrentSchema().fields.size(), 3U);
  EXPECT_EQ(metadata->DefaultSpec().fields[0].field_id, 1000);
  EXPECT_EQ(metadata->CurrentSnapshot()->parent_snapshot_id, 3051729675574597004);
  EXPECT_EQ(metadata->refs.at("audit").max_ref_age_ms, 10000000);

  const std::string text = WriteMetadata(*metadata);
  const auto again = json::Parse(text, "written");
  ASSERT_TRUE(again.ok());
  const json::Value document = Document();
  for (const auto& [key, value] : document.AsObject()) {
    ASSERT_NE(again->Find(key), nullptr) << key;
  }
  EXPECT_EQ(*again->Find("statistics"), *Document().Find("statistics"));
  EXPECT_EQ(*again->Find("vendor-extension"), *Document().Find("vendor-extension"));
  EXPECT_EQ(*again->Find("sort-orders"), *Document().Find("sort-orders"));
  EXPECT_EQ(*again->Find("snapshots")->AsArray()[1].Find("future-member"),
            json::Value(json::Value::Array{1}));
  EXPECT_EQ(WriteMetadata(*ReadMetadata(text, "written")), text);
}

TEST(Metadata, NoSnapshotIsAnAbsentMember) {
  json::Value document = Document();
  document.Set("current-snapshot-id", -1);  // Java's old way
  document.Set("refs", json::Value::Object());
  const auto metadata = MetadataFromJson(document, "the table");
  ASSERT_TRUE(metadata.ok()) << metadata.error().ToString();
  EXPECT_FALSE(metadata->current_snapshot_id.has_value());
  EXPECT_EQ(metadata->CurrentSnapshot(), nullptr);
  EXPECT_EQ(ToJson(*metadata).Find("current-snapshot-id"), nullptr);
}

TEST(Metadata, MainIsMadeUpWhereRefsWereNotYetWritten) {
  json::Value document = Document();
  document.Set("refs", nullptr);
  const auto metadata = MetadataFromJson(document, "the table");
  ASSERT_TRUE(metadata.ok()) << metadata.error().ToString();
  EXPECT_EQ(metadata->refs.at("main").snapshot_id, 3055729675574597004);
}

TEST(Metadata, OtherVersionsAreRefusedByNumber) {
  for (const int version : {1, 3, 4}) {
    json::Value document = Document();
    document.Set("format-version", version);
    const auto metadata = MetadataFromJson(document, "the table");
    EXPECT_EQ(metadata.error().kind(), ErrorKind::kUnsupported);
    EXPECT_NE(metadata.error().message().find("v" + std::to_string(version)), std::string::npos);
    EXPECT_NE(metadata.error().message().find("the table"), std::string::npos);
  }
}

// Each of these makes Iceberg Java refuse the file.
TEST(Metadata, WhatReadersRefuseIsCorrupt) {
  const auto with = [](std::string_view key, json::Value value) {
    json::Value document = Document();
    document.Set(key, std::move(value));
    const auto metadata = MetadataFromJson(document, "the table");
    return !metadata.ok() && metadata.error().kind() == ErrorKind::kCorrupt;
  };
  EXPECT_TRUE(with("table-uuid", nullptr));
  EXPECT_TRUE(with("current-schema-id", 9));
  EXPECT_TRUE(with("default-spec-id", 9));
  EXPECT_TRUE(with("default-sort-order-id", 9));
  EXPECT_TRUE(with("partition-specs", json::Value::Array()));
  EXPECT_TRUE(with("sort-orders", json::Value::Array()));
  EXPECT_TRUE(with("schemas", json::Value::Array()));
  EXPECT_TRUE(with("last-sequence-number", 0));
  EXPECT_TRUE(with("last-updated-ms", 1555100000000));
  EXPECT_TRUE(with("current-snapshot-id", int64_t{3051729675574597004}));  // not main's
  EXPECT_TRUE(with("current-snapshot-id", nullptr));
  EXPECT_TRUE(with("properties", json::Value::Object{{"format-version", "2"}}));
  EXPECT_TRUE(with("snapshots", json::Value::Array()));
  json::Value log = *Document().Find("snapshot-log");
  std::swap(log.AsArray()[0], log.AsArray()[1]);
  EXPECT_TRUE(with("snapshot-log", log));
  EXPECT_FALSE(with("location", "s3://bucket/elsewhere"));  // the check itself lets good ones pass
}

}  // namespace
}  // namespace millrace::iceberg
