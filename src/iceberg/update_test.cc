#include "iceberg/update.h"

#include <gtest/gtest.h>

namespace millrace::iceberg {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

Schema BaseSchema() {
  Schema schema;
  schema.fields = {{1, "id", true, Primitive(TypeId::kLong), ""},
                   {2, "current", true, Primitive(TypeId::kBoolean), ""}};
  return schema;
}

PartitionSpec BySpec(int32_t source, std::string_view transform, const std::string& name) {
  PartitionSpec spec;
  spec.fields = {{source, 0, name, *ParseTransform(transform)}};
  return spec;
}

std::vector<TableUpdate> Creation() {
  return {update::AssignUuid{"9c12d441-03fe-4693-9a96-a0705ddf69c1"},
          update::UpgradeFormatVersion{2},
          update::SetLocation{"file:///lake/orders/"},
          update::AddSchema{BaseSchema(), 2},
          update::SetCurrentSchema{-1},
          update::AddSpec{BySpec(2, "identity", "current")},
          update::SetDefaultSpec{-1},
          update::SetProperties{{{"write.delete.mode", "merge-on-read"}}}};
}

TableMetadata Created() {
  auto created = Apply(nullptr, "", Creation(), kNow);
  EXPECT_TRUE(created.ok()) << created.error().ToString();
  return *created;
}

Snapshot NewSnapshot(int64_t id, int64_t sequence, int64_t at = kNow) {
  Snapshot snapshot;
  snapshot.snapshot_id = id;
  snapshot.sequence_number = sequence;
  snapshot.timestamp_ms = at;
  snapshot.manifest_list = "file:///lake/orders/metadata/snap-" + std::to_string(id) + ".avro";
  snapshot.summary = {{"operation", "append"}};
  return snapshot;
}

std::vector<TableUpdate> Advance(int64_t id, int64_t sequence, int64_t at = kNow) {
  return {update::AddSnapshot{NewSnapshot(id, sequence, at)},
          update::SetSnapshotRef{"main", {id, "branch", {}, {}, {}}}};
}

TableMetadata Advanced(const TableMetadata& base, int64_t id, int64_t sequence, int64_t at) {
  auto next = Apply(&base, "file:///lake/orders/metadata/x.json", Advance(id, sequence, at), at);
  EXPECT_TRUE(next.ok()) << next.error().ToString();
  return *next;
}

ErrorKind KindOf(const TableMetadata& base, const std::vector<TableUpdate>& updates) {
  const auto result = Apply(&base, "x", updates, kNow);
  EXPECT_FALSE(result.ok());
  return result.ok() ? ErrorKind::kInternal : result.error().kind();
}

TEST(Apply, CreatesATableThatReadersTake) {
  const TableMetadata table = Created();
  EXPECT_EQ(table.location, "file:///lake/orders");
  EXPECT_EQ(table.last_column_id, 2);
  EXPECT_EQ(table.last_partition_id, 1000);
  EXPECT_EQ(table.DefaultSpec().fields[0].field_id, 1000);
  EXPECT_EQ(table.last_updated_ms, kNow);
  EXPECT_TRUE(table.metadata_log.empty());
  EXPECT_EQ(json::Write(json::Value(table.sort_orders)), R"([{"order-id":0,"fields":[]}])");
  EXPECT_TRUE(ReadMetadata(WriteMetadata(table), "created").ok());
}

TEST(Apply, UnpartitionedTablesHaveLastPartitionId999) {
  auto updates = Creation();
  updates[5] = update::AddSpec{PartitionSpec()};
  const auto table = Apply(nullptr, "", updates, kNow);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->last_partition_id, 999);
  EXPECT_EQ(json::Write(ToJson(table->DefaultSpec())), R"({"spec-id":0,"fields":[]})");
}

TEST(Apply, ATableNeedsItsParts) {
  for (size_t missing = 0; missing < 7; ++missing) {
    if (missing == 1) continue;  // the version is v2 anyway
    auto updates = Creation();
    updates.erase(updates.begin() + static_cast<std::ptrdiff_t>(missing));
    const auto table = Apply(nullptr, "", updates, kNow);
    ASSERT_FALSE(table.ok()) << missing;
    EXPECT_EQ(table.error().kind(), ErrorKind::kInvalidInput);
  }
}

TEST(Apply, SnapshotsMoveMainAndBothLogs) {
  const TableMetadata one = Advanced(Created(), 11, 1, kNow + 1000);
  EXPECT_EQ(one.current_snapshot_id, 11);
  EXPECT_EQ(one.last_sequence_number, 1);
  EXPECT_EQ(one.snapshot_log.back().timestamp_ms, kNow + 1000);
  ASSERT_EQ(one.metadata_log.size(), 1U);
  EXPECT_EQ(one.metadata_log[0].timestamp_ms, kNow);
  const TableMetadata two = Advanced(one, 12, 2, kNow + 2000);
  EXPECT_EQ(two.snapshot_log.size(), 2U);
  EXPECT_EQ(two.metadata_log.back().timestamp_ms, kNow + 1000);
  EXPECT_TRUE(CheckMetadata(two).ok());
}

TEST(Apply, ClocksThatRunBackwardsDoNotUnsortTheLogs) {
  TableMetadata table = Advanced(Created(), 11, 1, kNow);
  table = Advanced(table, 12, 2, kNow - 3'600'000);
  table = Advanced(table, 13, 3, kNow - 7'200'000);
  EXPECT_EQ(table.last_updated_ms, kNow);
  for (size_t i = 1; i < table.snapshot_log.size(); ++i) {
    EXPECT_GE(table.snapshot_log[i].timestamp_ms, table.snapshot_log[i - 1].timestamp_ms);
  }
  EXPECT_TRUE(CheckMetadata(table).ok());
  EXPECT_TRUE(ReadMetadata(WriteMetadata(table), "t").ok());
}

TEST(Apply, TheMetadataLogIsCappedByItsProperty) {
  TableMetadata table = Created();
  for (int64_t i = 1; i <= 105; ++i) table = Advanced(table, i, i, kNow + i);
  EXPECT_EQ(table.metadata_log.size(), 100U);
  EXPECT_EQ(table.metadata_log.back().timestamp_ms, kNow + 104);
  const auto capped =
      Apply(&table, "y", {update::SetProperties{{{"write.metadata.previous-versions-max", "3"}}}},
            kNow + 200);
  ASSERT_TRUE(capped.ok());
  EXPECT_EQ(capped->metadata_log.size(), 3U);
  EXPECT_EQ(capped->metadata_log.back().metadata_file, "y");
}

TEST(Apply, BadSnapshotsAreRefused) {
  const TableMetadata table = Advanced(Created(), 11, 5, kNow);
  EXPECT_EQ(KindOf(table, Advance(11, 6)), ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, Advance(12, 5)), ErrorKind::kConflict);  // the base has moved on
  EXPECT_EQ(KindOf(table, Advance(0, 6)), ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::SetSnapshotRef{"main", {99, "branch", {}, {}, {}}}}),
            ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::SetSnapshotRef{"main", {11, "tag", {}, {}, {}}}}),
            ErrorKind::kInvalidInput);
}

TEST(Apply, SnapshotsThatWereCurrentOnlyInsideACommitLeaveNoHistory) {
  const TableMetadata table = Advanced(Created(), 11, 1, kNow);
  auto updates = Advance(12, 2, kNow + 1);
  for (TableUpdate& u : Advance(13, 3, kNow + 2)) updates.push_back(std::move(u));
  const auto next = Apply(&table, "x", updates, kNow + 2);
  ASSERT_TRUE(next.ok());
  ASSERT_EQ(next->snapshot_log.size(), 2U);
  EXPECT_EQ(next->snapshot_log[1].snapshot_id, 13);
  EXPECT_EQ(next->snapshots.size(), 3U);
}

TEST(Apply, ExpiryDropsSnapshotsTheirStatisticsAndHistoryBeforeTheHole) {
  TableMetadata table = Created();
  for (int64_t i = 1; i <= 4; ++i) table = Advanced(table, 10 + i, i, kNow + i);
  const auto statistics = [](int64_t id) {
    return json::Value(json::Value::Object{{"snapshot-id", id}});
  };
  table.unknown.emplace_back("statistics", json::Value::Array{statistics(12), statistics(14)});
  table.refs["keep"] = {11, "tag", {}, {}, {}};
  const auto next = Apply(&table, "x", {update::RemoveSnapshots{{12}}}, kNow + 9);
  ASSERT_TRUE(next.ok()) << next.error().ToString();
  EXPECT_EQ(next->snapshots.size(), 3U);
  ASSERT_EQ(next->snapshot_log.size(), 2U);
  EXPECT_EQ(next->snapshot_log[0].snapshot_id, 13);
  EXPECT_EQ(next->unknown[0].second.AsArray().size(), 1U);
  EXPECT_TRUE(next->refs.contains("keep"));
  EXPECT_EQ(next->current_snapshot_id, 14);
}

TEST(Apply, RefsComeAndGo) {
  TableMetadata table = Advanced(Created(), 11, 1, kNow);
  auto next = Apply(&table, "x", {update::SetSnapshotRef{"audit", {11, "tag", {}, {}, 5}}}, kNow);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->refs.at("audit").max_ref_age_ms, 5);
  EXPECT_EQ(next->snapshot_log.size(), 1U);
  next = Apply(&*next, "x", {update::RemoveSnapshotRef{"audit"}, update::RemoveSnapshotRef{"main"}},
               kNow);
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE(next->refs.empty());
  EXPECT_FALSE(next->current_snapshot_id.has_value());
}

TEST(Apply, SchemasGetFreeIdsAndEqualOnesAreReused) {
  const TableMetadata table = Created();
  Schema wider = BaseSchema();  // still says id 0, which is taken
  wider.fields.push_back({3, "note", false, Primitive(TypeId::kString), ""});
  const auto next =
      Apply(&table, "x", {update::AddSchema{wider, 3}, update::SetCurrentSchema{-1}}, kNow);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->current_schema_id, 1);
  EXPECT_EQ(next->last_column_id, 3);
  const auto back =
      Apply(&*next, "x", {update::AddSchema{BaseSchema(), 3}, update::SetCurrentSchema{-1}}, kNow);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->current_schema_id, 0);
  EXPECT_EQ(back->schemas.size(), 2U);
  EXPECT_EQ(back->last_column_id, 3);
  EXPECT_EQ(KindOf(table, {update::SetCurrentSchema{7}}), ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::SetCurrentSchema{-1}}), ErrorKind::kInvalidInput);
}

TEST(Apply, ColumnsOfAnySpecCannotBeDropped) {
  const TableMetadata table = Created();
  const auto moved =
      Apply(&table, "x", {update::AddSpec{BySpec(1, "bucket[4]", "b")}, update::SetDefaultSpec{-1}},
            kNow);
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(moved->DefaultSpec().fields[0].field_id, 1001);
  Schema narrower = BaseSchema();
  narrower.fields.pop_back();  // "current", used by the old spec only
  EXPECT_EQ(KindOf(*moved, {update::AddSchema{narrower, 2}, update::SetCurrentSchema{-1}}),
            ErrorKind::kInvalidInput);
}

// Iceberg Java refuses the whole table otherwise.
TEST(Apply, NamesOfColumnsAndPartitionFieldsDoNotClash) {
  const TableMetadata table = Created();
  Schema clash = BaseSchema();
  clash.fields.push_back({3, "ID", false, Primitive(TypeId::kString), ""});
  EXPECT_EQ(KindOf(table, {update::AddSchema{clash, 3}}), ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::AddSpec{BySpec(1, "bucket[4]", "current")}}),
            ErrorKind::kInvalidInput);
  const auto bucketed =
      Apply(&table, "x", {update::AddSpec{BySpec(1, "bucket[4]", "id_bucket")}}, kNow);
  ASSERT_TRUE(bucketed.ok());
  clash.fields.back().name = "id_bucket";  // a column of the source that comes later
  EXPECT_EQ(KindOf(*bucketed, {update::AddSchema{clash, 3}, update::SetCurrentSchema{-1}}),
            ErrorKind::kInvalidInput);
  EXPECT_TRUE(
      Apply(&table, "x", {update::AddSchema{clash, 3}, update::SetCurrentSchema{-1}}, kNow).ok());
}

TEST(Apply, SpecsAreCheckedAndReused) {
  const TableMetadata table = Created();
  const auto same =
      Apply(&table, "x",
            {update::AddSpec{BySpec(2, "identity", "current")}, update::SetDefaultSpec{-1}}, kNow);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->specs.size(), 1U);
  PartitionSpec both = BySpec(2, "identity", "current");
  both.fields.push_back({1, 0, "b", *ParseTransform("bucket[4]")});
  const auto wider = Apply(&table, "x", {update::AddSpec{both}}, kNow);
  ASSERT_TRUE(wider.ok());
  EXPECT_EQ(wider->specs[1].fields[0].field_id, 1000);  // an equal field keeps its id
  EXPECT_EQ(wider->specs[1].fields[1].field_id, 1001);
  EXPECT_EQ(wider->specs[1].spec_id, 1);
  EXPECT_EQ(wider->default_spec_id, 0);
  EXPECT_EQ(KindOf(table, {update::AddSpec{BySpec(9, "identity", "x")}}), ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::AddSpec{BySpec(2, "bucket[4]", "x")}}), ErrorKind::kUnsupported);
}

TEST(Apply, SortOrdersGetIdsAboveZero) {
  const TableMetadata table = Created();
  const json::Value order = *json::Parse(
      R"({"order-id":0,"fields":[{"transform":"identity","source-id":1,"direction":"asc","null-order":"nulls-first"}]})",
      "t");
  const auto next =
      Apply(&table, "x", {update::AddSortOrder{order}, update::SetDefaultSortOrder{-1}}, kNow);
  ASSERT_TRUE(next.ok()) << next.error().ToString();
  EXPECT_EQ(next->default_sort_order_id, 1);
  EXPECT_EQ(next->sort_orders.size(), 2U);
  const auto again =
      Apply(&*next, "x", {update::AddSortOrder{order}, update::SetDefaultSortOrder{-1}}, kNow);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->sort_orders.size(), 2U);
  EXPECT_EQ(KindOf(table, {update::SetDefaultSortOrder{7}}), ErrorKind::kInvalidInput);
}

TEST(Apply, PropertiesMayNotShadowTheMetadata) {
  const TableMetadata table = Created();
  const auto next = Apply(
      &table, "x",
      {update::SetProperties{{{"a", "1"}, {"b", "2"}}}, update::RemoveProperties{{"a", "none"}}},
      kNow);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->properties.at("b"), "2");
  EXPECT_FALSE(next->properties.contains("a"));
  EXPECT_EQ(KindOf(table, {update::SetProperties{{{"format-version", "2"}}}}),
            ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::AssignUuid{"another"}}), ErrorKind::kInvalidInput);
  EXPECT_EQ(KindOf(table, {update::UpgradeFormatVersion{3}}), ErrorKind::kUnsupported);
}

TEST(Requirements, HoldOrConflict) {
  const TableMetadata table = Advanced(Created(), 11, 1, kNow);
  const std::pair<Requirement, bool> cases[] = {{require::Uuid{table.table_uuid}, true},
                                                {require::Uuid{"other"}, false},
                                                {require::RefSnapshot{"main", 11}, true},
                                                {require::RefSnapshot{"main", 12}, false},
                                                {require::RefSnapshot{"main", std::nullopt}, false},
                                                {require::RefSnapshot{"new", std::nullopt}, true},
                                                {require::RefSnapshot{"new", 11}, false},
                                                {require::LastAssignedFieldId{2}, true},
                                                {require::LastAssignedFieldId{3}, false},
                                                {require::CurrentSchemaId{0}, true},
                                                {require::CurrentSchemaId{1}, false},
                                                {require::LastAssignedPartitionId{1000}, true},
                                                {require::LastAssignedPartitionId{999}, false},
                                                {require::DefaultSpecId{0}, true},
                                                {require::DefaultSpecId{1}, false},
                                                {require::DefaultSortOrderId{0}, true},
                                                {require::DefaultSortOrderId{1}, false},
                                                {require::TableAbsent{}, false}};
  for (const auto& [requirement, holds] : cases) {
    const Status status = Check(requirement, &table);
    EXPECT_EQ(status.ok(), holds) << json::Write(ToJson(requirement));
    if (!status.ok()) {
      EXPECT_EQ(status.error().kind(), ErrorKind::kConflict);
    }
  }
  EXPECT_TRUE(Check(require::TableAbsent{}, nullptr).ok());
  EXPECT_EQ(Check(require::Uuid{"x"}, nullptr).error().kind(), ErrorKind::kConflict);
}

TEST(UpdateJson, EveryKindRoundTripsInTheRestForm) {
  const char* const kUpdates[] = {
      R"({"action":"assign-uuid","uuid":"u"})",
      R"({"action":"upgrade-format-version","format-version":2})",
      R"({"action":"set-location","location":"s3://b"})",
      R"({"action":"add-schema","schema":{"type":"struct","schema-id":0,"fields":[]},"last-column-id":4})",
      R"({"action":"set-current-schema","schema-id":-1})",
      R"({"action":"add-spec","spec":{"spec-id":0,"fields":[]}})",
      R"({"action":"set-default-spec","spec-id":-1})",
      R"({"action":"add-sort-order","sort-order":{"order-id":1,"fields":[]}})",
      R"({"action":"set-default-sort-order","sort-order-id":-1})",
      R"({"action":"add-snapshot","snapshot":{"sequence-number":1,"snapshot-id":9007199254740993,"timestamp-ms":5,)"
      R"("summary":{"operation":"append"},"manifest-list":"m","schema-id":0}})",
      R"({"action":"set-snapshot-ref","ref-name":"main","snapshot-id":9007199254740993,"type":"branch"})",
      R"({"action":"remove-snapshots","snapshot-ids":[9007199254740993]})",
      R"({"action":"remove-snapshot-ref","ref-name":"b"})",
      R"({"action":"set-properties","updates":{"a":"b"}})",
      R"({"action":"remove-properties","removals":["a"]})"};
  static_assert(std::size(kUpdates) == std::variant_size_v<TableUpdate>);
  for (const char* text : kUpdates) {
    const auto update = UpdateFromJson(*json::Parse(text, "t"));
    ASSERT_TRUE(update.ok()) << text << ": " << update.error().ToString();
    EXPECT_EQ(json::Write(ToJson(*update)), text);
  }
  EXPECT_EQ(UpdateFromJson(*json::Parse(R"({"action":"add-view-version"})", "t")).error().kind(),
            ErrorKind::kUnsupported);
}

TEST(RequirementJson, EveryKindRoundTripsInTheRestForm) {
  const char* const kRequirements[] = {
      R"({"type":"assert-create"})",
      R"({"type":"assert-table-uuid","uuid":"u"})",
      R"({"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null})",
      R"({"type":"assert-last-assigned-field-id","last-assigned-field-id":3})",
      R"({"type":"assert-current-schema-id","current-schema-id":3})",
      R"({"type":"assert-last-assigned-partition-id","last-assigned-partition-id":3})",
      R"({"type":"assert-default-spec-id","default-spec-id":3})",
      R"({"type":"assert-default-sort-order-id","default-sort-order-id":3})"};
  static_assert(std::size(kRequirements) == std::variant_size_v<Requirement>);
  for (const char* text : kRequirements) {
    const auto requirement = RequirementFromJson(*json::Parse(text, "t"));
    ASSERT_TRUE(requirement.ok()) << text;
    EXPECT_EQ(json::Write(ToJson(*requirement)), text);
  }
  EXPECT_FALSE(RequirementFromJson(*json::Parse(R"({"type":"assert-luck"})", "t")).ok());
}

}  // namespace
}  // namespace millrace::iceberg
