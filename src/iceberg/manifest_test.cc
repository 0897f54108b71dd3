#include "iceberg/manifest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codec/avro.h"
#include "iceberg/manifest_schema.h"

namespace millrace::iceberg {
namespace {

Schema OrdersSchema() {
  Schema schema;
  schema.schema_id = 4;
  schema.fields = {{1, "id", true, Primitive(TypeId::kLong), ""},
                   {2, "is_current", true, Primitive(TypeId::kBoolean), ""},
                   {3, "placed_at", false, Primitive(TypeId::kTimestampTz), ""},
                   {4, "price", false, Decimal(12, 2), ""},
                   {5, "ratio", false, Primitive(TypeId::kDouble), ""},
                   {6, "key", false, Primitive(TypeId::kUuid), ""}};
  return schema;
}

PartitionSpec OrdersSpec() {
  PartitionSpec spec;
  spec.spec_id = 2;
  spec.fields = {{2, 1000, "is_current", {TransformKind::kIdentity, 0}},
                 {3, 1001, "placed.day", {TransformKind::kDay, 0}},
                 {4, 1002, "price", {TransformKind::kIdentity, 0}},
                 {4, 1003, "price_10", {TransformKind::kTruncate, 10}},
                 {5, 1004, "ratio", {TransformKind::kIdentity, 0}},
                 {6, 1005, "key", {TransformKind::kIdentity, 0}}};
  return spec;
}

DataFile File(const std::string& path, std::vector<Literal> partition) {
  DataFile file;
  file.path = path;
  file.partition = std::move(partition);
  file.record_count = 10;
  file.file_size = 4096;
  file.column_sizes = {{1, 80}, {2, 8}};
  file.value_counts = {{1, 10}, {2, 10}};
  file.null_value_counts = {{1, 0}, {2, 0}};
  file.nan_value_counts = {{5, 1}};
  file.lower_bounds = {{1, ToBytes(int64_t{-5}, *Primitive(TypeId::kLong))}};
  file.upper_bounds = {{1, ToBytes(int64_t{99}, *Primitive(TypeId::kLong))}};
  file.split_offsets = {4, 1024};
  file.spec_id = 2;
  return file;
}

const std::string kUuid("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", 16);

std::vector<Literal> Tuple(bool current, int32_t day, Int128 price, Literal ratio) {
  return {current, day, price, price - price % 10, std::move(ratio), kUuid};
}

ManifestEntry Entry(EntryStatus status, DataFile file, std::optional<int64_t> sequence = {}) {
  ManifestEntry entry;
  entry.status = status;
  entry.file = std::move(file);
  if (status != EntryStatus::kAdded) entry.snapshot_id = 70;
  entry.sequence_number = sequence;
  if (status != EntryStatus::kAdded) entry.file_sequence_number = sequence;
  return entry;
}

std::vector<ManifestEntry> Entries() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {
      Entry(EntryStatus::kAdded, File("file:///t/data/a.parquet", Tuple(true, 20000, 1420, 0.5))),
      Entry(EntryStatus::kExisting, File("file:///t/data/b.parquet", Tuple(false, -1, -1, nan)), 3),
      Entry(EntryStatus::kDeleted,
            File("file:///t/data/c.parquet",
                 {true, Literal(), Literal(), Literal(), -2.0, Literal()}),
            2)};
}

constexpr int64_t kSnapshot = 9007199254740993;  // 2^53 + 1: a double would round it

TEST(Manifest, RoundTripsWithEverythingInherited) {
  auto written =
      WriteManifest(Entries(), ManifestContent::kData, OrdersSchema(), OrdersSpec(), kSnapshot);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(written->row.length, static_cast<int64_t>(written->bytes.size()));
  EXPECT_EQ(written->row.sequence_number, kUnassignedSequenceNumber);
  EXPECT_EQ(written->row.min_sequence_number, 3);
  EXPECT_EQ(written->row.added_files, 1);
  EXPECT_EQ(written->row.existing_rows, 10);
  EXPECT_EQ(written->row.deleted_files, 1);

  ManifestFile row = written->row;
  row.path = "file:///t/metadata/m0.avro";
  row.sequence_number = 8;
  const auto entries = ReadManifest(written->bytes, row, OrdersSchema(), OrdersSpec());
  ASSERT_TRUE(entries.ok()) << entries.error().ToString();
  ASSERT_EQ(entries->size(), 3U);
  const ManifestEntry& added = (*entries)[0];
  EXPECT_EQ(added.status, EntryStatus::kAdded);
  EXPECT_EQ(added.snapshot_id, kSnapshot);
  EXPECT_EQ(added.sequence_number, 8);
  EXPECT_EQ(added.file_sequence_number, 8);
  EXPECT_EQ(added.file.spec_id, 2);
  EXPECT_EQ(added.file.path, "file:///t/data/a.parquet");
  EXPECT_EQ(added.file.partition, Entries()[0].file.partition);
  EXPECT_EQ(added.file.column_sizes, Entries()[0].file.column_sizes);
  EXPECT_EQ(added.file.nan_value_counts, Entries()[0].file.nan_value_counts);
  EXPECT_EQ(added.file.lower_bounds, Entries()[0].file.lower_bounds);
  EXPECT_EQ(added.file.upper_bounds, Entries()[0].file.upper_bounds);
  EXPECT_EQ(added.file.split_offsets, Entries()[0].file.split_offsets);
  EXPECT_FALSE(added.file.sort_order_id.has_value());
  const ManifestEntry& existing = (*entries)[1];
  EXPECT_EQ(existing.snapshot_id, 70);
  EXPECT_EQ(existing.sequence_number, 3);
  EXPECT_EQ(existing.file_sequence_number, 3);
  EXPECT_EQ((*entries)[2].status, EntryStatus::kDeleted);
  EXPECT_TRUE(IsNull((*entries)[2].file.partition[1]));
}

TEST(Manifest, SummariesCoverEveryEntry) {
  const auto written =
      WriteManifest(Entries(), ManifestContent::kData, OrdersSchema(), OrdersSpec(), kSnapshot);
  ASSERT_TRUE(written.ok());
  const auto& summaries = written->row.partitions;
  ASSERT_EQ(summaries.size(), 6U);
  const auto bound = [](const Literal& value, const TypePtr& type) {
    return std::optional(ToBytes(value, *type));
  };
  EXPECT_FALSE(summaries[0].contains_null);
  EXPECT_EQ(summaries[0].lower_bound, bound(false, Primitive(TypeId::kBoolean)));
  EXPECT_EQ(summaries[0].upper_bound, bound(true, Primitive(TypeId::kBoolean)));
  EXPECT_TRUE(summaries[1].contains_null);
  EXPECT_EQ(summaries[1].lower_bound, bound(int32_t{-1}, Primitive(TypeId::kDate)));
  EXPECT_EQ(summaries[1].upper_bound, bound(int32_t{20000}, Primitive(TypeId::kDate)));
  EXPECT_EQ(summaries[2].lower_bound, bound(Int128{-1}, Decimal(12, 2)));
  EXPECT_EQ(summaries[4].contains_nan, true);
  EXPECT_EQ(summaries[4].lower_bound, bound(-2.0, Primitive(TypeId::kDouble)));
  EXPECT_EQ(summaries[4].upper_bound, bound(0.5, Primitive(TypeId::kDouble)));
  EXPECT_EQ(summaries[2].contains_nan, false);
}

TEST(Manifest, AllNullPartitionsHaveNoBounds) {
  std::vector<ManifestEntry> entries = {
      Entry(EntryStatus::kAdded,
            File("x", {Literal(), Literal(), Literal(), Literal(), Literal(), Literal()}))};
  const auto written =
      WriteManifest(entries, ManifestContent::kData, OrdersSchema(), OrdersSpec(), kSnapshot);
  ASSERT_TRUE(written.ok());
  EXPECT_TRUE(written->row.partitions[0].contains_null);
  EXPECT_FALSE(written->row.partitions[0].lower_bound.has_value());
  EXPECT_EQ(written->row.min_sequence_number, kUnassignedSequenceNumber);
}

TEST(Manifest, WhatMustNotBeWrittenIsRefused) {
  const auto write = [](const ManifestEntry& entry, ManifestContent content) {
    return WriteManifest({entry}, content, OrdersSchema(), OrdersSpec(), kSnapshot);
  };
  const ManifestEntry good = Entries()[0];
  EXPECT_TRUE(write(good, ManifestContent::kData).ok());
  EXPECT_FALSE(write(good, ManifestContent::kDeletes).ok());
  ManifestEntry entry = good;
  entry.file.partition.pop_back();
  EXPECT_EQ(write(entry, ManifestContent::kData).error().kind(), ErrorKind::kInternal);
  entry = good;
  entry.file.partition[1] = std::string("not a date");
  EXPECT_EQ(write(entry, ManifestContent::kData).error().kind(), ErrorKind::kInternal);
  entry = good;
  entry.status = EntryStatus::kExisting;  // without its numbers it would inherit the wrong ones
  EXPECT_EQ(write(entry, ManifestContent::kData).error().kind(), ErrorKind::kInternal);
}

TEST(Manifest, UnpartitionedTablesHaveAnEmptyRecord) {
  DataFile file = File("file:///t/data/a.parquet", {});
  file.spec_id = 0;
  const auto written = WriteManifest({Entry(EntryStatus::kAdded, file)}, ManifestContent::kData,
                                     OrdersSchema(), PartitionSpec(), kSnapshot);
  ASSERT_TRUE(written.ok());
  EXPECT_TRUE(written->row.partitions.empty());
  ManifestFile row = written->row;
  row.sequence_number = 1;
  const auto entries = ReadManifest(written->bytes, row, OrdersSchema(), PartitionSpec());
  ASSERT_TRUE(entries.ok()) << entries.error().ToString();
  EXPECT_TRUE((*entries)[0].file.partition.empty());
}

TEST(Manifest, DeleteFilesKeepTheirReference) {
  DataFile file = File("file:///t/data/d.parquet", Entries()[0].file.partition);
  file.content = FileContent::kPositionDeletes;
  file.referenced_data_file = "file:///t/data/a.parquet";
  const auto written = WriteManifest({Entry(EntryStatus::kAdded, file)}, ManifestContent::kDeletes,
                                     OrdersSchema(), OrdersSpec(), kSnapshot);
  ASSERT_TRUE(written.ok());
  ManifestFile row = written->row;
  row.sequence_number = 5;
  const auto entries = ReadManifest(written->bytes, row, OrdersSchema(), OrdersSpec());
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ((*entries)[0].file.content, FileContent::kPositionDeletes);
  EXPECT_EQ((*entries)[0].file.referenced_data_file, "file:///t/data/a.parquet");
}

TEST(Manifest, NamesBecomeLegalInAvro) {
  EXPECT_EQ(AvroName("is_current"), "is_current");
  EXPECT_EQ(AvroName("placed.day"), "placed_x2Eday");
  EXPECT_EQ(AvroName("1st"), "_1st");
  EXPECT_EQ(AvroName("a b"), "a_x20b");
  PartitionSpec spec;
  spec.fields = {{1, 1000, "a b", {}}, {1, 1001, "a_x20b", {}}};
  const json::Value schema =
      ManifestSchema(spec, {Primitive(TypeId::kLong), Primitive(TypeId::kLong)});
  const std::string text = json::Write(schema);
  EXPECT_NE(text.find(R"("name":"a_x20b_1001")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("iceberg-field-name":"a b")"), std::string::npos) << text;
}

TEST(ManifestList, RoundTripsAndNumbersOwnManifests) {
  const auto written =
      WriteManifest(Entries(), ManifestContent::kData, OrdersSchema(), OrdersSpec(), kSnapshot);
  ASSERT_TRUE(written.ok());
  ManifestFile own = written->row;
  own.path = "file:///t/metadata/m0.avro";
  ManifestFile old = own;
  old.path = "file:///t/metadata/old.avro";
  old.added_snapshot_id = 70;
  old.sequence_number = 4;
  old.min_sequence_number = 2;
  old.content = ManifestContent::kDeletes;
  ManifestFile fresh = own;
  fresh.path = "file:///t/metadata/m1.avro";
  fresh.min_sequence_number = kUnassignedSequenceNumber;
  fresh.partitions.clear();

  for (const int64_t attempt : {9, 11}) {  // a retry writes the same rows with another number
    const auto bytes = WriteManifestList({own, old, fresh}, {kSnapshot, 70, attempt});
    ASSERT_TRUE(bytes.ok()) << bytes.error().ToString();
    const auto rows = ReadManifestList(*bytes, "list");
    ASSERT_TRUE(rows.ok()) << rows.error().ToString();
    ASSERT_EQ(rows->size(), 3U);
    EXPECT_EQ((*rows)[0].sequence_number, attempt);
    EXPECT_EQ((*rows)[0].min_sequence_number, 3);
    EXPECT_EQ((*rows)[0].added_snapshot_id, kSnapshot);
    EXPECT_EQ((*rows)[0].length, own.length);
    EXPECT_EQ((*rows)[0].partitions[1].lower_bound, own.partitions[1].lower_bound);
    EXPECT_EQ((*rows)[0].partitions.size(), 6U);
    EXPECT_EQ((*rows)[1].sequence_number, 4);
    EXPECT_EQ((*rows)[1].min_sequence_number, 2);
    EXPECT_EQ((*rows)[1].content, ManifestContent::kDeletes);
    EXPECT_EQ((*rows)[2].min_sequence_number, attempt);
    EXPECT_TRUE((*rows)[2].partitions.empty());
  }
  old.sequence_number = kUnassignedSequenceNumber;
  EXPECT_EQ(WriteManifestList({old}, {kSnapshot, 70, 9}).error().kind(), ErrorKind::kInternal);
}

}  // namespace
}  // namespace millrace::iceberg
