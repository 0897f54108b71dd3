#include "app/text_table.h"

#include <gtest/gtest.h>

namespace millrace::app {
namespace {

TEST(TextTable, AlignsByCharactersAndKeepsARowOnItsLine) {
  TextTable table({{"name"}, {"n", true}});
  table.Add({"Jürgen", "7"});
  table.Add({"two\nlines\t", "1,234"});
  EXPECT_EQ(table.Render(),
            " name           |     n\n"
            "----------------+-------\n"
            " Jürgen         |     7\n"
            " two\\nlines\\x09 | 1,234\n");
}

TEST(TextTable, Numbers) {
  EXPECT_EQ(GroupDigits(0), "0");
  EXPECT_EQ(GroupDigits(999), "999");
  EXPECT_EQ(GroupDigits(-1234567), "-1,234,567");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(3ll << 30), "3.0 GiB");
  EXPECT_EQ(HumanAge(1'500'000), "1.5 s");
  EXPECT_EQ(HumanAge(600 * kMicrosPerSecond), "10 min");
  EXPECT_EQ(HumanAge(3 * kMicrosPerDay), "3 d");
  EXPECT_EQ(HumanAge(-1), "-");
}

}  // namespace
}  // namespace millrace::app
