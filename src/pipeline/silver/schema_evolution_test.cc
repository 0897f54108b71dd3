#include "pipeline/silver/schema_evolution.h"

#include <gtest/gtest.h>

#include "pipeline/silver/silver_fixture.h"
#include "pipeline/silver/upkeep.h"

namespace millrace::silver {
namespace {

// A table laid out as OrdersSchema() and its evolution.
struct Evolving {
  Evolving() {
    auto made = LayOut(OrdersSchema());
    EXPECT_TRUE(made.ok());
    layout = made->layout;
    metadata.schemas = {made->schema};
    metadata.last_column_id = made->schema.HighestFieldId();
  }
  Layout layout;
  iceberg::TableMetadata metadata;
  SchemaEvolution Start() const { return SchemaEvolution(layout, metadata); }
};

SourceColumn& At(TableSchema& schema, size_t i) { return schema.columns[i]; }

TEST(SchemaEvolutionTest, TheSameVersionChangesNothing) {
  Evolving e;
  SchemaEvolution evolution = e.Start();
  ASSERT_TRUE(evolution.Apply(OrdersSchema()).ok());
  EXPECT_FALSE(evolution.schema_changed());
  EXPECT_EQ(json::Write(ToJson(evolution.layout())), json::Write(ToJson(e.layout)));
}

TEST(SchemaEvolutionTest, AddRenameDropAndWidenKeepFieldIds) {
  Evolving e;
  SchemaEvolution evolution = e.Start();
  TableSchema now = OrdersSchema();
  At(now, 1).name = "label";
  At(now, 2).type = TestType(LogicalKind::kNumeric, 14, 2);
  now.columns.push_back(TestColumn(4, "extra", TestType(LogicalKind::kInt32), "integer"));
  ASSERT_TRUE(evolution.Apply(now).ok());
  const iceberg::Schema& schema = evolution.schema();
  EXPECT_EQ(schema.FindByName("label")->id, e.layout.columns[1].field_id);
  EXPECT_EQ(schema.FindByName("name"), nullptr);
  EXPECT_EQ(schema.FindById(e.layout.columns[2].field_id)->type->precision, 14);
  ASSERT_NE(schema.FindByName("extra"), nullptr);
  EXPECT_GT(schema.FindByName("extra")->id, e.metadata.last_column_id);

  now.columns.erase(now.columns.begin() + 1);
  ASSERT_TRUE(evolution.Apply(now).ok());
  EXPECT_NE(evolution.schema().FindByName("label"), nullptr);  // kept as null
  EXPECT_TRUE(evolution.layout().columns[1].dropped);
}

TEST(SchemaEvolutionTest, ColumnsMaySwapNames) {
  Evolving e;
  SchemaEvolution evolution = e.Start();
  TableSchema now = OrdersSchema();
  std::swap(At(now, 1).name, At(now, 2).name);
  ASSERT_TRUE(evolution.Apply(now).ok());
  EXPECT_EQ(evolution.schema().FindByName("amount")->id, e.layout.columns[1].field_id);
  EXPECT_EQ(evolution.schema().FindByName("name")->id, e.layout.columns[2].field_id);
}

TEST(SchemaEvolutionTest, ADroppedColumnMakesWayForOneOfItsName) {
  Evolving e;
  SchemaEvolution evolution = e.Start();
  ASSERT_TRUE(evolution.AddTextColumn(2).ok());
  TableSchema now = OrdersSchema();
  now.columns[2] = TestColumn(4, "amount", TestType(LogicalKind::kText), "text");
  ASSERT_TRUE(evolution.Apply(now).ok());
  EXPECT_EQ(evolution.schema().FindByName("amount__dropped_3")->id, e.layout.columns[2].field_id);
  EXPECT_NE(evolution.schema().FindByName("amount__dropped_3__pg"), nullptr);
  EXPECT_EQ(evolution.schema().FindByName("amount")->type->id, iceberg::TypeId::kString);
}

TEST(SchemaEvolutionTest, WhatCannotBeCarriedIsRefusedByName) {
  const auto refused = [](const std::function<void(TableSchema&)>& change) {
    Evolving e;
    SchemaEvolution evolution = e.Start();
    TableSchema now = OrdersSchema();
    change(now);
    const Status applied = evolution.Apply(now);
    EXPECT_FALSE(applied.ok());
    return applied.ok() ? "" : applied.error().message();
  };
  EXPECT_NE(refused([](TableSchema& s) {
              At(s, 2).type = TestType(LogicalKind::kText);
            }).find("'amount'"),
            std::string::npos);
  EXPECT_NE(refused([](TableSchema& s) { At(s, 2).type.scale = 4; }).find("'amount'"),
            std::string::npos);
  EXPECT_NE(refused([](TableSchema& s) { At(s, 1).key_position = 2; }).find("'name'"),
            std::string::npos);
  EXPECT_NE(refused([](TableSchema& s) { s.columns.erase(s.columns.begin()); }).find("'id'"),
            std::string::npos);
  EXPECT_NE(refused([](TableSchema& s) { s.relation_oid = 2; }).find("created again"),
            std::string::npos);
  EXPECT_NE(
      refused([](TableSchema& s) {
        s.columns.push_back(TestColumn(4, "Valid_From", TestType(LogicalKind::kDate), "date"));
      }).find("Valid_From"),
      std::string::npos);
}

TEST(SchemaEvolutionTest, ANarrowerTypeStaysInTheWiderColumn) {
  Evolving e;
  SchemaEvolution evolution = e.Start();
  TableSchema now = OrdersSchema();
  At(now, 2).type = TestType(LogicalKind::kNumeric, 6, 1);
  ASSERT_TRUE(evolution.Apply(now).ok());
  EXPECT_FALSE(evolution.schema_changed());
}

TEST(LayoutTest, NamesAndRefusals) {
  EXPECT_EQ(SilverTableName("public", "orders"), "orders");
  EXPECT_EQ(SilverTableName("shop", "Order-Lines"), "shop_Order_Lines");
  TableSchema schema = OrdersSchema();
  schema.columns[1].name = "VERSION";
  EXPECT_EQ(LayOut(schema).error().kind(), ErrorKind::kUnsupported);
  schema.columns[1].name = "ID";
  EXPECT_EQ(LayOut(schema).error().kind(), ErrorKind::kUnsupported);
}

TEST(LayoutTest, ListElementsHaveIdsOfTheirOwn) {
  TableSchema schema = OrdersSchema();
  LogicalType array = TestType(LogicalKind::kArray);
  array.element.push_back(TestType(LogicalKind::kInt32));
  schema.columns.push_back(TestColumn(4, "tags", array, "integer[]"));
  const auto made = LayOut(schema);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->schema.HighestFieldId(),
            static_cast<int32_t>(schema.columns.size()) + kScdColumns + 1);
}

TEST(UpkeepTest, AFileIsRewrittenWhenAFifthIsDead) {
  const UpkeepOptions options;
  EXPECT_EQ(FateOf(100 << 20, 1000, 199, options), FileFate::kDelta);
  EXPECT_EQ(FateOf(100 << 20, 1000, 200, options), FileFate::kRewrite);
  EXPECT_EQ(FateOf(100 << 20, 1000, 1000, options), FileFate::kRemove);
  EXPECT_EQ(FateOf(1000, 1000, 1, options), FileFate::kRewrite);
}

TEST(UpkeepTest, SmallFilesAreFoldedTierByTier) {
  const UpkeepOptions options;
  EXPECT_TRUE(ChooseFold(std::vector<int64_t>(8, 1000), options).empty());
  EXPECT_EQ(ChooseFold(std::vector<int64_t>(9, 1000), options).size(), 9u);
  std::vector<int64_t> mixed(9, 1000);
  mixed.push_back(10 << 20);
  EXPECT_EQ(ChooseFold(mixed, options).size(), 9u);  // the large one waits
  EXPECT_TRUE(ChooseFold(std::vector<int64_t>(100, 20 << 20), options).empty());
  EXPECT_EQ(ChooseFold(std::vector<int64_t>(20, 15 << 20), options).size(),
            4u);  // no merge folds more than 64 MiB
}

}  // namespace
}  // namespace millrace::silver
