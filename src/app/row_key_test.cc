#include "app/row_key.h"

#include <gtest/gtest.h>

namespace millrace::app {
namespace {

using Values = std::vector<std::string>;

TEST(RowKey, OneColumnTakesTheWholeText) {
  EXPECT_EQ(*ParseRowKey("42", {"id"}), Values{"42"});
  EXPECT_EQ(*ParseRowKey("id=42", {"id"}), Values{"42"});
  EXPECT_EQ(*ParseRowKey("Smith, John", {"name"}), Values{"Smith, John"});
  EXPECT_EQ(*ParseRowKey("x=y", {"code"}), Values{"x=y"});
  EXPECT_EQ(*ParseRowKey("code=x=y", {"code"}), Values{"x=y"});
}

TEST(RowKey, SeveralColumnsByOrderOrName) {
  EXPECT_EQ(*ParseRowKey("7,2026", {"id", "year"}), (Values{"7", "2026"}));
  EXPECT_EQ(*ParseRowKey("year=2026,id=7", {"id", "year"}), (Values{"7", "2026"}));
  EXPECT_EQ(*ParseRowKey("a\\,b,c\\=d", {"x", "y"}), (Values{"a,b", "c=d"}));
}

TEST(RowKey, WhatDoesNotFitNamesTheColumns) {
  for (const char* text : {"7", "7,8,9", "id=7,id=8", "nope=7,year=8"}) {
    const auto key = ParseRowKey(text, {"id", "year"});
    ASSERT_FALSE(key.ok()) << text;
    EXPECT_EQ(key.error().message(), "the key of this table is id, year: write id=...,year=...");
  }
}

TEST(RowKey, SqlIsQuoted) {
  EXPECT_EQ(SqlIdentifier("we\"ird"), "\"we\"\"ird\"");
  EXPECT_EQ(SqlLiteral("it's"), "'it''s'");
}

}  // namespace
}  // namespace millrace::app
