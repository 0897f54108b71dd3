#include "iceberg/schema.h"

#include <gtest/gtest.h>

namespace millrace::iceberg {
namespace {

json::Value ParseJson(std::string_view text) {
  auto value = json::Parse(text, "test");
  EXPECT_TRUE(value.ok());
  return *value;
}

const char kNested[] =
    R"({"type":"struct","schema-id":3,"identifier-field-ids":[1],"fields":[)"
    R"({"id":1,"name":"id","required":true,"type":"long"},)"
    R"-({"id":2,"name":"price","required":false,"type":"decimal(12, 2)","doc":"net"},)-"
    R"({"id":3,"name":"tags","required":false,"type":{"type":"list","element-id":4,"element-required":false,"element":"string"}},)"
    R"({"id":5,"name":"attributes","required":false,"type":{"type":"map","key-id":6,"key":"string","value-id":7,)"
    R"("value-required":false,"value":"fixed[16]"}},)"
    R"({"id":8,"name":"at","required":false,"type":{"type":"struct","fields":[)"
    R"({"id":9,"name":"lat","required":false,"type":"double"}]}}]})";

TEST(Schema, JsonRoundTripsByteForByte) {
  const auto schema = SchemaFromJson(ParseJson(kNested));
  ASSERT_TRUE(schema.ok()) << schema.error().ToString();
  EXPECT_EQ(json::Write(ToJson(*schema)), kNested);
  EXPECT_EQ(schema->HighestFieldId(), 9);
  EXPECT_EQ(schema->FindById(9)->name, "lat");
  EXPECT_EQ(schema->FindById(4)->type->id, TypeId::kString);
  EXPECT_EQ(schema->FindById(10), nullptr);
  EXPECT_EQ(schema->FindByName("price")->type->scale, 2);
  EXPECT_EQ(schema->FindByName("lat"), nullptr);  // nested
}

TEST(Schema, EveryPrimitiveTypeRoundTrips) {
  for (const char* name :
       {"boolean", "int", "long", "float", "double", "date", "time", "timestamp", "timestamptz",
        "string", "uuid", "binary", "decimal(38, 18)", "fixed[3]"}) {
    const auto type = TypeFromJson(json::Value(name));
    ASSERT_TRUE(type.ok()) << name;
    EXPECT_EQ(ToJson(**type), json::Value(name));
  }
  EXPECT_TRUE(
      Equal(**TypeFromJson(json::Value("decimal(9,2)")), *Decimal(9, 2)));  // others write no space
}

TEST(Schema, NewerTypesAndDefaultsAreRefusedByName) {
  for (const char* name : {"timestamp_ns", "variant", "geometry(srid:4326)", "unknown"}) {
    const auto type = TypeFromJson(json::Value(name));
    EXPECT_EQ(type.error().kind(), ErrorKind::kUnsupported);
    EXPECT_NE(type.error().message().find(name), std::string::npos);
  }
  const auto schema = SchemaFromJson(ParseJson(
      R"({"type":"struct","fields":[{"id":1,"name":"total","required":false,"type":"int","initial-default":3}]})"));
  EXPECT_EQ(schema.error().kind(), ErrorKind::kUnsupported);
  EXPECT_NE(schema.error().message().find("total"), std::string::npos);
}

TEST(Schema, DamagedSchemasAreCorrupt) {
  for (
      const char* text :
      {R"({"type":"struct","fields":[{"id":1,"name":"a","required":true}]})",
       R"({"type":"struct","fields":[{"name":"a","required":true,"type":"int"}]})",
       R"({"type":"struct","fields":[{"id":4294967297,"name":"a","required":true,"type":"int"}]})",
       R"({"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"int"},)"
       R"({"id":1,"name":"b","required":true,"type":"int"}]})",
       R"({"type":"struct","identifier-field-ids":[7],"fields":[]})", R"({"type":"struct"})",
       R"-({"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"decimal(39, 0)"}]})-"}) {
    EXPECT_EQ(SchemaFromJson(ParseJson(text)).error().kind(), ErrorKind::kCorrupt) << text;
  }
}

TEST(Schema, PromotionIsWhatTheSpecAllows) {
  EXPECT_TRUE(CanPromote(*Primitive(TypeId::kInt), *Primitive(TypeId::kLong)));
  EXPECT_TRUE(CanPromote(*Primitive(TypeId::kFloat), *Primitive(TypeId::kDouble)));
  EXPECT_TRUE(CanPromote(*Decimal(9, 2), *Decimal(18, 2)));
  EXPECT_FALSE(CanPromote(*Decimal(9, 2), *Decimal(18, 3)));
  EXPECT_FALSE(CanPromote(*Decimal(18, 2), *Decimal(9, 2)));
  EXPECT_FALSE(CanPromote(*Primitive(TypeId::kLong), *Primitive(TypeId::kInt)));
  EXPECT_FALSE(CanPromote(*Primitive(TypeId::kInt), *Primitive(TypeId::kString)));
  EXPECT_FALSE(CanPromote(*Primitive(TypeId::kDate), *Primitive(TypeId::kTimestamp)));
}

TEST(SchemaUpdate, NewColumnsAreOptionalAtTheEndWithFreshIds) {
  const Schema base = *SchemaFromJson(ParseJson(kNested));
  int32_t last = 20;  // ids above 9 belonged to columns since dropped
  SchemaUpdate update(base, &last);
  const auto plain = update.AddColumn("note", Primitive(TypeId::kString), "free text");
  const auto list = update.AddColumn(
      "codes", List(1, Struct({{1, "c", false, Primitive(TypeId::kInt), ""}}), false));
  ASSERT_TRUE(plain.ok() && list.ok());
  EXPECT_EQ(*plain, 21);
  EXPECT_EQ(*list, 22);
  EXPECT_EQ(last, 24);
  const Schema after = update.Finish(4);
  EXPECT_EQ(after.schema_id, 4);
  EXPECT_EQ(after.fields.back().type->fields[0].id, 23);
  EXPECT_EQ(after.fields.back().type->fields[0].type->fields[0].id, 24);
  EXPECT_FALSE(after.FindById(21)->required);
  EXPECT_TRUE(update.changed());
  EXPECT_FALSE(after.SameFields(base));
}

TEST(SchemaUpdate, RefusesWhatReadersWouldTripOver) {
  const Schema base = *SchemaFromJson(ParseJson(kNested));
  int32_t last = 9;
  SchemaUpdate update(base, &last);
  EXPECT_EQ(update.AddColumn("PRICE", Primitive(TypeId::kInt)).error().kind(),
            ErrorKind::kInvalidInput);
  EXPECT_EQ(update.RenameColumn(3, "Id").error().kind(), ErrorKind::kInvalidInput);
  EXPECT_EQ(update.DropColumn(1).error().kind(), ErrorKind::kInvalidInput);
  EXPECT_EQ(update.MakeOptional(1).error().kind(), ErrorKind::kInvalidInput);
  EXPECT_EQ(update.DropColumn(99).error().kind(), ErrorKind::kInvalidInput);
  const auto promoted = update.PromoteColumn(2, Primitive(TypeId::kString));
  EXPECT_EQ(promoted.error().kind(), ErrorKind::kUnsupported);
  EXPECT_NE(promoted.error().message().find("price"), std::string::npos);
  EXPECT_EQ(last, 9);
  EXPECT_FALSE(update.changed());
}

TEST(SchemaUpdate, KeepsIdsThroughRenameDropAndPromotion) {
  const Schema base = *SchemaFromJson(ParseJson(kNested));
  int32_t last = 9;
  SchemaUpdate update(base, &last);
  ASSERT_TRUE(update.RenameColumn(2, "Price").ok());  // only the case: no clash with itself
  ASSERT_TRUE(update.PromoteColumn(2, Decimal(20, 2)).ok());
  ASSERT_TRUE(update.DropColumn(3).ok());
  const Schema after = update.Finish(4);
  EXPECT_EQ(after.FindById(2)->name, "Price");
  EXPECT_EQ(after.FindById(2)->type->precision, 20);
  EXPECT_EQ(after.FindById(3), nullptr);
  EXPECT_EQ(*SchemaUpdate(after, &last).AddColumn("tags", Primitive(TypeId::kString)),
            10);  // never 3 again
}

}  // namespace
}  // namespace millrace::iceberg
