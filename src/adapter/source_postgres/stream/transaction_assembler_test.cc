#include "adapter/source_postgres/stream/transaction_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "adapter/source_postgres/protocol/message_builder.h"
#include "base/format.h"
#include "testing/temporary_folder.h"

namespace millrace::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Micros kTime = 1'750'000'000'123'456;

std::string Start(uint32_t xid, bool first) {
  return MessageBuilder('S').Int32(xid).Char(first ? '\1' : '\0').bytes();
}
std::string Stop() { return "E"; }
std::string Abort(uint32_t xid, uint32_t subxid) {
  return MessageBuilder('A').Int32(xid).Int32(subxid).bytes();
}
std::string StreamCommit(uint32_t xid, Lsn commit_lsn, Lsn end_lsn) {
  return MessageBuilder('c')
      .Int32(xid)
      .Char('\0')
      .Int64(commit_lsn)
      .Int64(end_lsn)
      .Int64(static_cast<uint64_t>(kTime - kPostgresEpoch))
      .bytes();
}
// An insert as version 1 has it, and as a block has it.
std::string Insert(const std::string& id) {
  return MessageBuilder('I').Int32(7).Char('N').TupleData({id}).bytes();
}
std::string Streamed(uint32_t xid, const std::string& message) {
  return MessageBuilder(message[0]).Int32(xid).bytes() + message.substr(1);
}

class TransactionAssemblerTest : public ::testing::Test {
 protected:
  TransactionAssemblerTest() : folder_(root_ / "spill") { Open(); }
  void Open() {
    auto opened =
        TransactionAssembler::Open(folder_, [this](Lsn lsn, std::string_view message) -> Status {
          out_.push_back(Format("{} {}", lsn, message));
          return {};
        });
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
    assembler_ = std::move(*opened);
  }
  Status Feed(const std::string& message, Lsn lsn = 0) {
    return assembler_->Handle(lsn, message, {});
  }
  void Must(const std::string& message, Lsn lsn = 0) {
    const Status status = Feed(message, lsn);
    ASSERT_TRUE(status.ok()) << status.error().ToString();
  }
  static std::string Shown(Lsn lsn, const std::string& message) {
    return Format("{} {}", lsn, message);
  }
  size_t Files() const {
    size_t files = 0;
    if (!std::filesystem::exists(folder_)) return 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      files += entry.is_regular_file();
    return files;
  }

  testing::TemporaryFolder root_;
  const std::string folder_;
  std::vector<std::string> out_;
  std::unique_ptr<TransactionAssembler> assembler_;
};

TEST_F(TransactionAssemblerTest, InterleavedTransactionsComeOutInCommitOrder) {
  Must(Start(1, true));
  Must(Streamed(1, Insert("a")), 10);
  Must(Stop());
  Must(Start(2, true));
  EXPECT_TRUE(assembler_->in_block());
  Must(Streamed(2, Insert("b")), 20);
  Must(Stop());
  EXPECT_FALSE(assembler_->in_block());
  Must(BeginText(30, kTime, 3));  // one that was not streamed
  Must(Insert("c"), 25);
  Must(CommitText(30, 31, kTime));
  Must(Start(1, false));
  Must(Streamed(1, Insert("d")), 40);
  Must(Stop());
  Must(StreamCommit(2, 50, 51));
  Must(StreamCommit(1, 60, 61));
  EXPECT_THAT(out_,
              ElementsAre(Shown(0, BeginText(30, kTime, 3)), Shown(25, Insert("c")),
                          Shown(0, CommitText(30, 31, kTime)), Shown(0, BeginText(50, kTime, 2)),
                          Shown(20, Insert("b")), Shown(0, CommitText(50, 51, kTime)),
                          Shown(0, BeginText(60, kTime, 1)), Shown(10, Insert("a")),
                          Shown(40, Insert("d")), Shown(0, CommitText(60, 61, kTime))));
  EXPECT_EQ(Feed(StreamCommit(1, 60, 61)).error().kind(), ErrorKind::kCorrupt);
}

TEST_F(TransactionAssemblerTest, WhatWasRolledBackIsLeftOut) {
  const std::string relation =
      RelationText({.oid = 7, .schema = "public", .table = "t", .columns = {}});
  const std::string origin = MessageBuilder('O').Int64(0).String("up").bytes();
  Must(Start(1, true));
  Must(origin);
  Must(Streamed(11, relation));
  Must(Streamed(11, Insert("no")), 1);
  Must(Streamed(12, Insert("yes")), 2);
  Must(Stop());
  Must(Abort(1, 11));
  Must(Start(1, false));
  Must(Streamed(1, relation));
  Must(Streamed(13, Insert("no")), 3);
  Must(Streamed(1, Insert("yes")), 4);
  Must(Streamed(1, MessageBuilder('M').Char('\1').Int64(5).String("p").Int32(0).bytes()), 5);
  Must(Streamed(1, MessageBuilder('Y').Int32(9).String("s").String("t").bytes()));
  Must(Stop());
  Must(Abort(1, 13));
  Must(Start(2, true));
  Must(Streamed(2, Insert("no")), 6);
  Must(Stop());
  Must(Abort(2, 2));
  Must(Abort(3, 3));  // nothing of it was sent
  Must(StreamCommit(1, 60, 61));
  EXPECT_THAT(out_, ElementsAre(Shown(0, BeginText(60, kTime, 1)), Shown(0, origin),
                                Shown(2, Insert("yes")), Shown(0, relation),
                                Shown(4, Insert("yes")), Shown(0, CommitText(60, 61, kTime))));
}

TEST_F(TransactionAssemblerTest, LargeOnesGoToFilesAndTheFilesGo) {
  const auto row = [](int i) { return std::to_string(i) + std::string(5000, 'x'); };
  std::vector<std::string> expected = {Shown(0, BeginText(60, kTime, 1))};
  Must(Start(1, true));
  for (int i = 0; i < 200; ++i) {
    const uint32_t subxid = i % 3 == 0 ? 9 : 1;
    Must(Streamed(subxid, Insert(row(i))), static_cast<Lsn>(i));
    if (subxid == 1) expected.push_back(Shown(static_cast<Lsn>(i), Insert(row(i))));
  }
  const std::string huge(SpillFile::kBlockBytes * 3, 'y');
  Must(Streamed(1, Insert(huge)), 1000);
  expected.push_back(Shown(1000, Insert(huge)));
  Must(Stop());
  EXPECT_EQ(Files(), 1u);
  Must(Abort(1, 9));
  Must(StreamCommit(1, 60, 61));
  expected.push_back(Shown(0, CommitText(60, 61, kTime)));
  EXPECT_TRUE(out_ == expected);  // too much to print
  EXPECT_EQ(Files(), 0u);

  Must(Start(2, true));
  Must(Streamed(2, Insert(huge)));
  Must(Stop());
  EXPECT_EQ(Files(), 1u);
  Must(Abort(2, 2));
  EXPECT_EQ(Files(), 0u);
  // A crash of the server ends a transaction without a word, and xids come again.
  Must(Start(3, true));
  Must(Streamed(3, Insert(huge)));
  Must(Stop());
  out_.clear();
  Must(Start(3, true));
  Must(Streamed(3, Insert("new")), 5);
  Must(Stop());
  EXPECT_EQ(Files(), 0u);
  Must(StreamCommit(3, 70, 71));
  EXPECT_THAT(out_, ElementsAre(Shown(0, BeginText(70, kTime, 3)), Shown(5, Insert("new")),
                                Shown(0, CommitText(70, 71, kTime))));
}

TEST_F(TransactionAssemblerTest, WhatADeadProcessLeftIsRemoved) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/transaction-77.spill") << "rows";
  std::ofstream(folder_ + "/notes.txt") << "not ours";
  Open();
  EXPECT_EQ(Files(), 1u);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/notes.txt"));
}

TEST_F(TransactionAssemblerTest, AFileThatCannotBeWrittenIsNamed) {
  std::ofstream(folder_) << "in the way";
  Must(Start(1, true));
  const Status status = Feed(Streamed(1, Insert(std::string(SpillFile::kBlockBytes, 'x'))));
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message(), HasSubstr(folder_ + "/transaction-1.spill"));
}

TEST_F(TransactionAssemblerTest, ACommitCanBeStopped) {
  Must(Start(1, true));
  Must(Streamed(1, Insert("a")));
  Must(Stop());
  std::stop_source stop;
  stop.request_stop();
  const Status status = assembler_->Handle(0, StreamCommit(1, 60, 61), stop.get_token());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCancelled);
}

TEST_F(TransactionAssemblerTest, MessagesOutOfOrderAreCorrupt) {
  for (const std::string& message :
       {std::string(), Stop(), Start(1, false), StreamCommit(9, 1, 2), std::string("S"),
        Start(1, true).substr(0, 4), StreamCommit(9, 1, 2).substr(0, 20),
        Abort(1, 1).substr(0, 6)}) {
    const Status status = Feed(message);
    ASSERT_FALSE(status.ok()) << message;
    EXPECT_EQ(status.error().kind(), ErrorKind::kCorrupt) << message;
  }
  Must(Start(2, true));
  for (const std::string& message :
       {Start(3, true), BeginText(1, 2, 3), StreamCommit(2, 1, 2), std::string("I\0\0", 3)}) {
    const Status status = Feed(message);
    ASSERT_FALSE(status.ok()) << message;
    EXPECT_EQ(status.error().kind(), ErrorKind::kCorrupt) << message;
  }
  EXPECT_THAT(out_, IsEmpty());
}

}  // namespace
}  // namespace millrace::postgres
