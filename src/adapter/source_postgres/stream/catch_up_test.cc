#include "adapter/source_postgres/stream/catch_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/source_postgres/protocol/message_builder.h"

namespace millrace::postgres {
namespace {

std::string Header() { return std::string("PGCOPY\n\xff\r\n\0", 11) + std::string(8, '\0'); }
std::string Row(Lsn lsn, const std::string& message) {
  const std::string row =
      MessageBuilder('\0').Int32(8).Int64(lsn).Int32(static_cast<int64_t>(message.size())).bytes();
  return std::string("\0\2", 2) + row.substr(1) + message;
}

std::vector<std::string> Read(const std::vector<std::string>& pieces) {
  BinaryCopyReader reader;
  std::vector<std::string> rows;
  for (const std::string& piece : pieces) {
    const Status status = reader.Read(piece, [&](Lsn lsn, std::string_view message) -> Status {
      rows.push_back(std::to_string(lsn) + " " + std::string(message));
      return {};
    });
    if (!status.ok()) rows.push_back(std::string(PolicyOf(status.error().kind()).name));
  }
  return rows;
}

TEST(BinaryCopyReader, Rows) {
  EXPECT_THAT(Read({Header() + Row(1, "abc"), Row(1ull << 40, "") + Row(3, "\n"), "\xff\xff"}),
              ::testing::ElementsAre("1 abc", "1099511627776 ", "3 \n"));
  EXPECT_THAT(Read({Header() + "\xff\xff"}), ::testing::IsEmpty());
}

TEST(BinaryCopyReader, DamageIsCorrupt) {
  EXPECT_THAT(Read({"PGCOPX"}), ::testing::ElementsAre("corrupt"));
  const std::string row = Row(1, "abc");
  for (size_t n = 1; n < row.size(); ++n) {
    EXPECT_THAT(Read({Header() + row.substr(0, n)}), ::testing::ElementsAre("corrupt")) << n;
  }
}

}  // namespace
}  // namespace millrace::postgres
