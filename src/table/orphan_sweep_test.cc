#include "table/orphan_sweep.h"

#include <gmock/gmock.h>

#include "table/table_fixture.h"
#include "testing/manual_clock.h"
#include "testing/memory_catalog.h"

namespace millrace::table {
namespace {

namespace fake = millrace::testing;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST(OrphanSweep, OnlyOldFilesThatNothingNamesGo) {
  fake::MemoryStore store;
  ManifestCache cache(store);
  fake::ManualClock clock;
  fake::MemoryCatalog catalog(clock);
  const NewTable made{
      MakeIdent("gold", "sums"), store.uri() + "/gold/sums", PeopleSchema(), {}, {}};
  Get(catalog.CreateNamespace(made.ident.levels));
  LoadedTable table = Get(catalog.Commit({StageCreate(made)})).at(0);
  auto writer = DataWriter::New(store, table.metadata.location, PeopleSchema(), {}, {}, "live", {});
  Get(writer->Write(*Batch(PeopleSchema(), {"[1]", R"(["a"])", "[true]"})));
  SnapshotChange change;
  change.added_data = Get(writer->Finish());
  Get(catalog.Commit({Get(StageSnapshot(store, cache, table, change, clock.Now())).commit}));
  const std::vector<std::string> live = store.Paths();

  const std::string data = "gold/sums/data/killed.parquet",
                    manifest = "gold/sums/metadata/k-m0.avro",
                    foreign = "gold/sums/metadata/stats.puffin",
                    young = "gold/sums/data/new.parquet",
                    elsewhere = "gold/sums2/data/killed.parquet";
  for (const std::string& path : {data, manifest, foreign, young, elsewhere})
    Get(store.Put(path, "x"));
  const Micros now = 1'800'000'000 * kMicrosPerSecond;
  for (const std::string& path : store.Paths())
    store.set_modified_at(path, now - 3 * kMicrosPerDay);
  store.set_modified_at(young, now);

  OrphanSweep sweep(store, cache, catalog, clock);
  sweep.Pass({made.ident});
  EXPECT_THAT(store.Paths(), IsSupersetOf(live));
  EXPECT_THAT(store.Paths(), IsSupersetOf({foreign, young, elsewhere}));
  EXPECT_THAT(store.Paths(), Not(::testing::Contains(data)));
  EXPECT_THAT(store.Paths(), Not(::testing::Contains(manifest)));

  // Once a day, however often there is nothing else to do.
  Get(store.Put(data, "x"));
  store.set_modified_at(data, now - 3 * kMicrosPerDay);
  sweep.Pass({made.ident});
  EXPECT_THAT(store.Paths(), ::testing::Contains(data));
  clock.Advance(kMicrosPerDay + 1);
  sweep.Pass({made.ident});
  EXPECT_THAT(store.Paths(), Not(::testing::Contains(data)));
}

}  // namespace
}  // namespace millrace::table
