#include "adapter/source_postgres/protocol/copy_text.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace::postgres {
namespace {

// The values of a row, NULL as "<null>"; "corrupt" when it is refused.
std::vector<std::string> Read(std::string row, size_t columns) {
  Tuple tuple(columns);
  if (!ParseCopyRow(row.data(), row.size(), tuple).ok()) return {"corrupt"};
  std::vector<std::string> values;
  for (const TupleValue& value : tuple)
    values.push_back(value.kind == TupleValue::Kind::kNull ? "<null>" : std::string(value.text));
  return values;
}
using Values = std::vector<std::string>;

TEST(CopyText, Rows) {
  EXPECT_EQ(Read("1\tabc\t\\N", 3), (Values{"1", "abc", "<null>"}));
  EXPECT_EQ(Read("", 1), (Values{""}));
  EXPECT_EQ(Read("\t", 2), (Values{"", ""}));
  EXPECT_EQ(Read("\\N\t\\N", 2), (Values{"<null>", "<null>"}));
  EXPECT_EQ(Read("", 0), Values{});
}

TEST(CopyText, Escapes) {
  EXPECT_EQ(Read(R"(a\tb\nc\\d\r\b\f\v)", 1), (Values{"a\tb\nc\\d\r\b\f\v"}));
  EXPECT_EQ(Read(R"(\\N	\\)", 2), (Values{"\\N", "\\"}));
  EXPECT_EQ(Read(R"(x\\N	y)", 2), (Values{"x\\N", "y"}));
  EXPECT_EQ(Read("0123456789abcdef0123456789\\t0123456789abcdef\tnext", 2),
            (Values{"0123456789abcdef0123456789\t0123456789abcdef", "next"}));
}

TEST(CopyText, AnotherNumberOfColumnsIsCorrupt) {
  EXPECT_EQ(Read("1\t2", 1), Values{"corrupt"});
  EXPECT_EQ(Read("1", 2), Values{"corrupt"});
  EXPECT_EQ(Read("1\\", 1), Values{"corrupt"});
  EXPECT_EQ(Read("x", 0), Values{"corrupt"});
}

TEST(CopyText, ReadsBackWhatPostgresWouldWrite) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    Values values(1 + random() % 6);
    std::string row;
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) row += '\t';
      for (size_t n = random() % 40; n > 0; --n)
        values[i] += "abc\t\n\\N\r\b\f\v\"x"[random() % 13];
      for (const char c : values[i]) {
        constexpr std::string_view kFrom = "\b\f\n\r\t\v\\", kTo = "bfnrtv\\";
        const size_t at = kFrom.find(c);
        if (at == std::string_view::npos) {
          row += c;
        } else {
          row += '\\';
          row += kTo[at];
        }
      }
    }
    ASSERT_EQ(Read(row, values.size()), values) << row;
  }
}

}  // namespace
}  // namespace millrace::postgres
