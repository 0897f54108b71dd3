#include "adapter/source_postgres/stream/change_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/source_postgres/protocol/message_builder.h"
#include "base/format.h"
#include "codec/json.h"

namespace millrace::postgres {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kOid = 7;
constexpr Micros kTime = 1'750'000'000'123'456;

// Shows each event as "op key commit_lsn/ordinal", and each batch end.
class ShowingSink final : public RecordSink {
 public:
  Status Write(RecordBatch batch) override {
    for (const Record& r : batch.records) {
      const std::string key(batch.bytes.view(r.offset, r.key_size));
      const std::string value(batch.bytes.view(r.offset + r.key_size, r.value_size));
      values.push_back(value);
      const auto parsed = json::Parse(value, "event");
      if (!parsed.ok()) return parsed.error();
      const json::Value& source = *parsed->Find("source");
      shown.push_back(Format("{} {} {}/{}", parsed->Find("op")->AsString(), key,
                             source.Find("commit_lsn")->AsInt(), source.Find("ordinal")->AsInt()));
    }
    shown.push_back(batch.ends_at ? Format("end {}/{} {}", batch.ends_at->last.commit_lsn,
                                           batch.ends_at->last.ordinal, batch.ends_at->resume_lsn)
                                  : "open");
    return {};
  }
  std::vector<std::string> shown, values;
};

class ChangeDecoderTest : public ::testing::Test {
 protected:
  ChangeDecoderTest() { Reset({}, 1 << 20); }
  void Reset(SourcePosition start, size_t batch_bytes) {
    writer_ = std::make_unique<BatchWriter>(sink_, batch_bytes);
    decoder_ = std::make_unique<ChangeDecoder>(
        EventEncoder("srv", "db"),
        [](const RelationMessage& relation, Lsn) -> Result<std::unique_ptr<CapturedTable>> {
          if (relation.table == "ignored") return std::unique_ptr<CapturedTable>();
          TableSchema schema{.relation_oid = relation.oid,
                             .schema = relation.schema,
                             .table = relation.table,
                             .replica_identity = ReplicaIdentity::kDefault,
                             .columns = {}};
          std::vector<bool> identity;
          for (const RelationColumn& from : relation.columns) {
            SourceColumn column;
            column.name = from.name;
            column.type = {
                from.type_oid == 23 ? LogicalKind::kInt32 : LogicalKind::kText, 0, 0, {}};
            column.key_position = from.name == "id" ? 1 : 0;
            schema.columns.push_back(column);
            identity.push_back(from.identity);
          }
          return std::make_unique<CapturedTable>(Capture("srv", schema, {}, identity));
        },
        *writer_, start);
  }
  Status Feed(const std::string& message, Lsn lsn = 5) { return decoder_->Handle(lsn, message); }
  void Must(const std::string& message, Lsn lsn = 5) {
    const Status status = Feed(message, lsn);
    ASSERT_TRUE(status.ok()) << status.error().ToString();
  }
  static std::string Relation(uint32_t oid = kOid, const std::string& table = "t",
                              char identity = 'd') {
    return RelationText({.oid = oid,
                         .schema = "public",
                         .table = table,
                         .replica_identity = identity,
                         .columns = {{"id", 23, -1, true}, {"a", 25, -1, identity == 'f'}}});
  }
  static std::string Insert(const std::string& id, const std::string& a, uint32_t oid = kOid) {
    return MessageBuilder('I').Int32(oid).Char('N').TupleData({id, a}).bytes();
  }
  void Flush() { ASSERT_TRUE(writer_->Flush().ok()); }

  ShowingSink sink_;
  std::unique_ptr<BatchWriter> writer_;
  std::unique_ptr<ChangeDecoder> decoder_;
};

TEST_F(ChangeDecoderTest, CountsEventsOverTheTablesOfATransaction) {
  Must(BeginText(100, kTime, 9));
  Must(Relation());
  Must(Relation(8, "u"));
  Must(Relation(9, "ignored"));
  Must(Insert("1", "x"));
  Must(Insert("1", "x", 9));
  Must(Insert("2", "y", 8));
  Must(MessageBuilder('D').Int32(kOid).Char('K').TupleData({"1", std::nullopt}).bytes());
  Must(MessageBuilder('T').Int32(3).Char('\0').Int32(kOid).Int32(9).Int32(8).bytes());
  Must(CommitText(100, 110, kTime));
  Must(BeginText(120, kTime, 10));
  Must(Insert("3", "z"));
  Must(CommitText(120, 130, kTime));
  Flush();
  EXPECT_THAT(sink_.shown,
              ElementsAre("c {\"id\":1} 100/0", "c {\"id\":2} 100/1", "d {\"id\":1} 100/2",
                          "t  100/3", "t  100/4", "c {\"id\":3} 120/0", "end 120/0 130"));
}

TEST_F(ChangeDecoderTest, TheWholeValue) {
  Must(BeginText(100, kTime, 9));
  Must(MessageBuilder('O').Int64(77).String("up\"stream").bytes());
  Must(Relation());
  Must(Insert("1", "x"), 90);
  Must(CommitText(100, 110, kTime));
  Flush();
  ASSERT_EQ(sink_.values.size(), 1u);
  std::string value = sink_.values[0];
  value.resize(value.find(",\"op\":"));  // what follows is the time of reading
  EXPECT_EQ(
      value,
      R"({"before":null,"after":{"id":1,"a":"x"},"source":{"version":"millrace-0.1","connector":"postgresql","name":"srv",)"
      R"("ts_ms":1750000000123,"snapshot":"false","db":"db","sequence":"[null,\"90\"]","ts_us":1750000000123456,)"
      R"("ts_ns":1750000000123456000,"schema":"public","table":"t","txId":9,"lsn":90,"xmin":null,"origin":"up\"stream",)"
      R"("origin_lsn":77,"commit_lsn":100,"ordinal":0},"transaction":null)");
  // The next transaction names the end of this one and has no origin.
  Must(BeginText(120, kTime, 10));
  Must(Insert("2", "x"), 115);
  Must(CommitText(120, 130, kTime));
  Flush();
  EXPECT_NE(sink_.values[1].find(R"("sequence":"[\"110\",\"115\"]")"), std::string::npos);
  EXPECT_NE(sink_.values[1].find(R"("origin":null,"origin_lsn":null)"), std::string::npos);
}

TEST_F(ChangeDecoderTest, ATransactionLargerThanABatchEndsOnlyOnce) {
  Reset({}, 1000);
  Must(BeginText(100, kTime, 9));
  Must(Relation());
  for (int i = 0; i < 4; ++i) Must(Insert(std::to_string(i), std::string(400, 'x')));
  Must(CommitText(100, 110, kTime));
  Flush();
  EXPECT_THAT(sink_.shown,
              ElementsAre("c {\"id\":0} 100/0", "c {\"id\":1} 100/1", "open", "c {\"id\":2} 100/2",
                          "c {\"id\":3} 100/3", "open", "end 100/3 110"));
}

TEST_F(ChangeDecoderTest, AKeyChangeIsTwoEvents) {
  Must(BeginText(100, kTime, 9));
  Must(Relation());
  Must(MessageBuilder('U')
           .Int32(kOid)
           .Char('K')
           .TupleData({"1", std::nullopt})
           .Char('N')
           .TupleData({"2", "\1"})
           .bytes());
  // The old key is sent although it is the same (a key stored out of line): an update like any
  // other.
  Must(MessageBuilder('U')
           .Int32(kOid)
           .Char('K')
           .TupleData({"2", std::nullopt})
           .Char('N')
           .TupleData({"2", "y"})
           .bytes());
  Must(CommitText(100, 110, kTime));
  Flush();
  EXPECT_THAT(sink_.shown, ElementsAre("d {\"id\":1} 100/0", "c {\"id\":2} 100/1",
                                       "u {\"id\":2} 100/2", "end 100/2 110"));
  EXPECT_NE(sink_.values[1].find(R"("after":{"id":2},)"), std::string::npos);
  EXPECT_NE(sink_.values[2].find(R"("before":{"id":2},"after":{"id":2,"a":"y"})"),
            std::string::npos);
}

TEST_F(ChangeDecoderTest, IdentityFullFillsUnchangedToast) {
  Must(BeginText(100, kTime, 9));
  Must(Relation(kOid, "t", 'f'));
  Must(MessageBuilder('U')
           .Int32(kOid)
           .Char('O')
           .TupleData({"1", "long"})
           .Char('N')
           .TupleData({"\1", "\1"})
           .bytes());
  Must(CommitText(100, 110, kTime));
  Flush();
  EXPECT_THAT(sink_.shown, ElementsAre("u {\"id\":1} 100/0", "end 100/0 110"));
  EXPECT_NE(sink_.values[0].find(R"("before":{"id":1,"a":"long"},"after":{"id":1,"a":"long"})"),
            std::string::npos);
}

TEST_F(ChangeDecoderTest, SkipsWhatIsCovered) {
  Reset({.system_id = 1, .timeline = 1, .last = {100, 5}, .resume_lsn = 110, .commit_time = kTime},
        1 << 20);
  Must(BeginText(100, kTime, 9));
  Must(Relation());
  Must(Insert("1", "x"));
  Must(CommitText(100, 110, kTime));
  EXPECT_TRUE(writer_->empty());
  Must(BeginText(120, kTime, 9));
  Must(Insert("2", "x"));
  Must(CommitText(120, 130, kTime));
  Flush();
  EXPECT_THAT(sink_.shown, ElementsAre("c {\"id\":2} 120/0", "end 120/0 130"));
}

TEST_F(ChangeDecoderTest, AnEmptyTransactionMakesNoBatch) {
  Must(BeginText(100, kTime, 9));
  Must(CommitText(100, 110, kTime));
  EXPECT_TRUE(writer_->empty());
  EXPECT_EQ(decoder_->position().resume_lsn, Lsn{110});
}

TEST_F(ChangeDecoderTest, MessagesOutOfOrderAreCorrupt) {
  for (const std::string& message :
       {Insert("1", "x"), CommitText(1, 2, 3), std::string("?"), std::string()}) {
    EXPECT_EQ(Feed(message).error().kind(), ErrorKind::kCorrupt);
  }
  Must(BeginText(100, kTime, 9));
  EXPECT_EQ(Feed(BeginText(100, kTime, 9)).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(Feed(Insert("1", "x")).error().kind(), ErrorKind::kCorrupt);  // no RELATION yet
  EXPECT_EQ(Feed(CommitText(99, 110, kTime)).error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace millrace::postgres
