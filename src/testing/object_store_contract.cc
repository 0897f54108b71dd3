#include "testing/object_store_contract.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace millrace::testing {
namespace {

std::string Text(ObjectStore& store, const std::string& path) {
  ByteBuffer out;
  const Status got = store.Get(path, out);
  EXPECT_TRUE(got.ok()) << got.error().ToString();
  return std::string(out.view());
}

template <typename T>
ErrorKind KindOf(const Result<T>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? ErrorKind::kInternal : result.error().kind();
}

std::vector<std::string> Names(ObjectStore& store, const std::string& prefix,
                               const std::string& after = "") {
  const auto found = store.List(prefix, after);
  EXPECT_TRUE(found.ok());
  std::vector<std::string> names;
  if (found.ok()) {
    for (const ObjectInfo& info : *found) names.push_back(info.path);
  }
  return names;
}

void PutReplaces(ObjectStore& store) {
  EXPECT_TRUE(store.Put("a/b", "one").ok());
  EXPECT_TRUE(store.Put("a/b", "two").ok());
  EXPECT_EQ(Text(store, "a/b"), "two");
}

void PutIfAbsentKeepsTheFirst(ObjectStore& store) {
  EXPECT_TRUE(store.PutIfAbsent("x", "first").ok());
  EXPECT_EQ(KindOf(store.PutIfAbsent("x", "second")), ErrorKind::kAlreadyExists);
  EXPECT_EQ(Text(store, "x"), "first");
  EXPECT_TRUE(store.Delete("x").ok());
  EXPECT_TRUE(store.PutIfAbsent("x", "third").ok());
  EXPECT_EQ(Text(store, "x"), "third");
}

void PutIfAbsentHasOneWinner(ObjectStore& store) {
  for (int round = 0; round < 20; ++round) {
    const std::string path = "race/" + std::to_string(round);
    std::atomic<int> winners = 0;
    std::atomic<int> winner = -1;
    {
      std::vector<std::jthread> racers;
      for (int racer = 0; racer < 4; ++racer) {
        racers.emplace_back([&, racer] {
          if (store.PutIfAbsent(path, std::to_string(racer)).ok()) {
            ++winners;
            winner = racer;
          }
        });
      }
    }
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(Text(store, path), std::to_string(winner));
  }
}

void WriterShowsNothingBeforeFinish(ObjectStore& store) {
  auto writer = store.OpenWriter("folder/object");
  ASSERT_TRUE(writer.ok());
  const std::string piece(300'000, 'x');
  std::string all;
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE((*writer)->Append(piece + std::to_string(i)).ok());
    all += piece + std::to_string(i);
  }
  EXPECT_EQ((*writer)->bytes_written(), static_cast<int64_t>(all.size()));
  EXPECT_EQ(KindOf(store.Head("folder/object")), ErrorKind::kNotFound);
  EXPECT_TRUE(Names(store, "").empty());
  EXPECT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(Text(store, "folder/object"), all);
}

void AbandonedWriterLeavesNothing(ObjectStore& store) {
  {
    auto writer = store.OpenWriter("gone");
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->Append("bytes").ok());
  }
  EXPECT_EQ(KindOf(store.Head("gone")), ErrorKind::kNotFound);
  EXPECT_TRUE(Names(store, "").empty());
}

void ReaderReadsExactRanges(ObjectStore& store) {
  EXPECT_TRUE(store.Put("r", "0123456789").ok());
  auto reader = store.OpenReader("r");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->size(), 10);
  std::string part(4, ' ');
  EXPECT_TRUE((*reader)->ReadAt(3, 4, part.data()).ok());
  EXPECT_EQ(part, "3456");
  EXPECT_TRUE((*reader)->ReadAt(10, 0, part.data()).ok());
  EXPECT_EQ(KindOf((*reader)->ReadAt(8, 4, part.data())), ErrorKind::kCorrupt);
}

void ReaderKeepsADeletedObject(ObjectStore& store) {
  EXPECT_TRUE(store.Put("r", "still here").ok());
  auto reader = store.OpenReader("r");
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(store.Delete("r").ok());
  std::string part(5, ' ');
  EXPECT_TRUE((*reader)->ReadAt(0, 5, part.data()).ok());
  EXPECT_EQ(part, "still");
}

void ListIsSortedByWholePath(ObjectStore& store) {
  for (const char* path : {"a/z", "a-b", "a/b/c", "a/b.d", "b", "a/b/a"})
    EXPECT_TRUE(store.Put(path, path).ok());
  using Paths = std::vector<std::string>;
  EXPECT_EQ(Names(store, ""), (Paths{"a-b", "a/b.d", "a/b/a", "a/b/c", "a/z", "b"}));
  EXPECT_EQ(Names(store, "a/"), (Paths{"a/b.d", "a/b/a", "a/b/c", "a/z"}));
  EXPECT_EQ(Names(store, "a/b"), (Paths{"a/b.d", "a/b/a", "a/b/c"}));
  EXPECT_EQ(Names(store, "", "a/b/a"), (Paths{"a/b/c", "a/z", "b"}));
  EXPECT_EQ(Names(store, "a/", "a/b/a"), (Paths{"a/b/c", "a/z"}));
  EXPECT_EQ(Names(store, "", "a/b/zz"), (Paths{"a/z", "b"}));
  EXPECT_TRUE(Names(store, "none/").empty());
  const auto all = store.List("b");
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().size, 1);
}

void MissingObjectsAreNotFound(ObjectStore& store) {
  ByteBuffer out;
  EXPECT_EQ(KindOf(store.Get("none/at/all", out)), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(store.Head("none")), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(store.OpenReader("none")), ErrorKind::kNotFound);
  EXPECT_TRUE(store.Delete("none").ok());
  EXPECT_TRUE(store.Put("folder/x", "").ok());
  EXPECT_EQ(KindOf(store.Head("folder")), ErrorKind::kNotFound);
}

void GetAppends(ObjectStore& store) {
  EXPECT_TRUE(store.Put("g", "tail").ok());
  EXPECT_TRUE(store.Put("empty", "").ok());
  ByteBuffer out;
  out.Append("head ");
  EXPECT_TRUE(store.Get("g", out).ok());
  EXPECT_TRUE(store.Get("empty", out).ok());
  EXPECT_EQ(out.view(), "head tail");
}

void UrisGoThereAndBack(ObjectStore& store) {
  const auto back = store.Relative(store.Absolute("a/b c"));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, "a/b c");
  EXPECT_EQ(KindOf(store.Relative("elsewhere://x/y")), ErrorKind::kInvalidInput);
}

}  // namespace

const std::vector<ObjectStorePromise>& ObjectStoreContract() {
  static const std::vector<ObjectStorePromise> promises = {
      {"PutReplaces", PutReplaces},
      {"PutIfAbsentKeepsTheFirst", PutIfAbsentKeepsTheFirst},
      {"PutIfAbsentHasOneWinner", PutIfAbsentHasOneWinner},
      {"WriterShowsNothingBeforeFinish", WriterShowsNothingBeforeFinish},
      {"AbandonedWriterLeavesNothing", AbandonedWriterLeavesNothing},
      {"ReaderReadsExactRanges", ReaderReadsExactRanges},
      {"ReaderKeepsADeletedObject", ReaderKeepsADeletedObject},
      {"ListIsSortedByWholePath", ListIsSortedByWholePath},
      {"MissingObjectsAreNotFound", MissingObjectsAreNotFound},
      {"GetAppends", GetAppends},
      {"UrisGoThereAndBack", UrisGoThereAndBack},
  };
  return promises;
}

}  // namespace millrace::testing
