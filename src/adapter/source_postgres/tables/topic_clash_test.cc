#include "adapter/source_postgres/tables/topic_clash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::postgres {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TableEntry Named(uint32_t oid, const std::string& schema, const std::string& table) {
  TableEntry entry;
  entry.oid = oid;
  entry.schema = schema;
  entry.table = table;
  return entry;
}

TEST(TopicClashTest, NamesThatDifferInATopicAreNone) {
  EXPECT_THAT(TopicClashes({Named(1, "a", "t"), Named(2, "b", "t"), Named(3, "a", "T")}),
              IsEmpty());
}

TEST(TopicClashTest, AllButTheFirstByNameAreTold) {
  EXPECT_THAT(TopicClashes({Named(1, "s", "a_b"), Named(2, "s", "a b"), Named(3, "s", "a&b")}),
              UnorderedElementsAre(Pair(1, "s.a b"), Pair(3, "s.a b")));
}

}  // namespace
}  // namespace millrace::postgres
