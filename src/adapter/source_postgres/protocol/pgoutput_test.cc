#include "adapter/source_postgres/protocol/pgoutput.h"

#include <gtest/gtest.h>

#include <random>

#include "adapter/source_postgres/protocol/message_builder.h"

namespace millrace::postgres {
namespace {

TEST(PgOutput, ReadsTransactionMessages) {
  const auto begin = ParseBegin(BeginText(0x16B3748, 1'700'000'000'123'456, 4294967295u));
  ASSERT_TRUE(begin.ok());
  EXPECT_EQ(begin->final_lsn, Lsn{0x16B3748});
  EXPECT_EQ(begin->commit_time, 1'700'000'000'123'456);
  EXPECT_EQ(begin->xid, 4294967295u);
  const auto commit = ParseCommit(CommitText(1, 2, 3));
  ASSERT_TRUE(commit.ok());
  EXPECT_EQ(commit->commit_lsn, Lsn{1});
  EXPECT_EQ(commit->end_lsn, Lsn{2});
  EXPECT_EQ(commit->commit_time, 3);
  const std::string text = MessageBuilder('O').Int64(7).String("elsewhere").bytes();
  const auto origin = ParseOrigin(text);
  ASSERT_TRUE(origin.ok());
  EXPECT_EQ(origin->name, "elsewhere");
}

TEST(PgOutput, ReadsRelations) {
  const RelationMessage relation{.oid = 3000000000u,
                                 .schema = "s",
                                 .table = "t",
                                 .replica_identity = 'f',
                                 .columns = {{"a", 23, -1, true}, {"b", 1700, 786438, false}}};
  const auto read = ParseRelation(RelationText(relation));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, relation);
}

TEST(PgOutput, ReadsRows) {
  const std::string text = MessageBuilder('U')
                               .Int32(5)
                               .Char('K')
                               .TupleData({"1", std::nullopt})
                               .Char('N')
                               .TupleData({"2", "\1"})
                               .bytes();
  const auto row = ParseRow(text);
  ASSERT_TRUE(row.ok());
  EXPECT_EQ(row->relation, 5u);
  Tuple old_row(2), new_row(2);
  const auto old = ParseTuples(*row, old_row, new_row);
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(*old, OldTuple::kKey);
  EXPECT_EQ(old_row[0].text, "1");
  EXPECT_EQ(old_row[1].kind, TupleValue::Kind::kNull);
  EXPECT_EQ(new_row[0].text, "2");
  EXPECT_EQ(new_row[1].kind, TupleValue::Kind::kUnchangedToast);
  Tuple narrow(1);
  EXPECT_EQ(ParseTuples(*row, narrow, narrow).error().kind(), ErrorKind::kCorrupt);
}

// Cut anywhere, a message is refused; no byte after its end is read (the sanitizer build would
// tell).
TEST(PgOutput, CutMessagesAreCorrupt) {
  const RelationMessage relation{.oid = 1,
                                 .schema = "s",
                                 .table = "t",
                                 .replica_identity = 'd',
                                 .columns = {{"a", 23, -1, true}}};
  const std::vector<std::string> messages = {
      BeginText(1, 2, 3),
      CommitText(1, 2, 3),
      MessageBuilder('O').Int64(7).String("o").bytes(),
      RelationText(relation),
      MessageBuilder('T').Int32(2).Char('\0').Int32(1).Int32(2).bytes(),
      MessageBuilder('I').Int32(1).Char('N').TupleData({"12345"}).bytes(),
      MessageBuilder('U').Int32(1).Char('O').TupleData({"1"}).Char('N').TupleData({"2"}).bytes(),
      MessageBuilder('D').Int32(1).Char('K').TupleData({"1"}).bytes(),
  };
  const auto parses = [](const std::string& bytes) {
    switch (bytes.empty() ? 0 : bytes[0]) {
      case 'B':
        return ParseBegin(bytes).ok();
      case 'C':
        return ParseCommit(bytes).ok();
      case 'O':
        return ParseOrigin(bytes).ok();
      case 'R':
        return ParseRelation(bytes).ok();
      case 'T':
        return ParseTruncate(bytes).ok();
      default:
        break;
    }
    const auto row = ParseRow(bytes);
    if (!row.ok()) return false;
    Tuple old_row(1), new_row(1);
    return ParseTuples(*row, old_row, new_row).ok();
  };
  for (const std::string& message : messages) {
    EXPECT_TRUE(parses(message)) << message[0];
    for (size_t n = 0; n < message.size(); ++n) {
      const std::vector<char> exact(
          message.begin(),
          message.begin() + static_cast<std::ptrdiff_t>(n));  // no slack behind the end
      EXPECT_FALSE(parses(std::string(exact.data(), exact.size())))
          << message[0] << " cut to " << n;
    }
  }
  // Damaged anywhere, it is refused or read as something else, and nothing worse happens.
  std::mt19937 random(7);
  for (int round = 0; round < 100'000; ++round) {
    std::string message = messages[random() % messages.size()];
    for (int k = 0; k < 3; ++k) message[random() % message.size()] = static_cast<char>(random());
    parses(message);
  }
}

}  // namespace
}  // namespace millrace::postgres
