#include "adapter/source_postgres/events/type_table.h"

#include <gtest/gtest.h>

#include <map>

namespace millrace::postgres {
namespace {

const std::map<uint32_t, TypeInfo> kCatalog = {
    {23, {.oid = 23, .name = "int4"}},
    {1007, {.oid = 1007, .name = "_int4", .element_oid = 23}},
    {1231, {.oid = 1231, .name = "_numeric", .element_oid = 1700}},
    {603, {.oid = 603, .name = "box", .delimiter = ';'}},
    {1020, {.oid = 1020, .name = "_box", .element_oid = 603}},
    {790, {.oid = 790, .name = "money"}},
    {9001, {.oid = 9001, .name = "mood", .kind = 'e'}},
    {9002, {.oid = 9002, .name = "_mood", .element_oid = 9001}},
    {9003,
     {.oid = 9003,
      .name = "cents",
      .kind = 'd',
      .base_oid = 1700,
      .base_typmod = (14 << 16 | 2) + 4}},
    {9004, {.oid = 9004, .name = "more_cents", .kind = 'd', .base_oid = 9003}},
    {9005, {.oid = 9005, .name = "citext"}},
    {9006, {.oid = 9006, .name = "list", .kind = 'd', .base_oid = 1007}},
    {9007, {.oid = 9007, .name = "_list", .element_oid = 9006}},
};

ResolvedType Resolve(uint32_t oid, int32_t typmod = -1) {
  return ResolveType(oid, typmod, [](uint32_t o) -> const TypeInfo* {
    const auto found = kCatalog.find(o);
    return found == kCatalog.end() ? nullptr : &found->second;
  });
}
int32_t NumericTypmod(int precision, int scale) { return (precision << 16 | (scale & 0x7FF)) + 4; }

TEST(TypeTable, Builtins) {
  EXPECT_EQ(Resolve(23).type.kind, LogicalKind::kInt32);
  EXPECT_EQ(Resolve(1184, 3).type.kind, LogicalKind::kTimestampTz);
  EXPECT_EQ(Resolve(790).type.kind, LogicalKind::kOpaque);
  EXPECT_EQ(Resolve(424242).type.kind, LogicalKind::kOpaque);  // not in the catalog any more
}

TEST(TypeTable, NumericPrecisionAndScale) {
  EXPECT_EQ(Resolve(1700).type, (LogicalType{LogicalKind::kNumeric, 0, 0, {}}));
  EXPECT_EQ(Resolve(1700, NumericTypmod(12, 2)).type,
            (LogicalType{LogicalKind::kNumeric, 12, 2, {}}));
  EXPECT_EQ(Resolve(1700, NumericTypmod(5, -2)).type,
            (LogicalType{LogicalKind::kNumeric, 5, -2, {}}));
  EXPECT_EQ(Resolve(1700, NumericTypmod(3, 5)).type,
            (LogicalType{LogicalKind::kNumeric, 3, 5, {}}));
  EXPECT_EQ(Resolve(1231, NumericTypmod(10, 2)).type.element.front(),
            (LogicalType{LogicalKind::kNumeric, 10, 2, {}}));
}

TEST(TypeTable, WhatIsMadeOfOthers) {
  EXPECT_EQ(Resolve(9001).type.kind, LogicalKind::kText);
  EXPECT_EQ(Resolve(9002).type.element.front().kind, LogicalKind::kText);
  EXPECT_EQ(Resolve(9004).type, (LogicalType{LogicalKind::kNumeric, 14, 2, {}}));
  EXPECT_EQ(Resolve(9005).type.kind, LogicalKind::kText);
  EXPECT_EQ(Resolve(9006).type.kind, LogicalKind::kArray);
  EXPECT_EQ(Resolve(9007).type.element.front().kind, LogicalKind::kOpaque);
  EXPECT_EQ(Resolve(1020).delimiter, ';');
  EXPECT_EQ(Resolve(1007).delimiter, ',');
}

}  // namespace
}  // namespace millrace::postgres
