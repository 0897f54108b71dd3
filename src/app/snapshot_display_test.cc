#include "app/snapshot_display.h"

#include <gtest/gtest.h>

namespace millrace::app {
namespace {

TEST(SnapshotDisplay, SaysHowFarHowFastAndHowLong) {
  SnapshotProgress progress;
  progress.table = "public.orders";
  progress.rows = 1'200'000;
  progress.estimated_rows = 2'000'000;
  progress.tables_done = 1;
  progress.tables_total = 5;
  EXPECT_EQ(
      DescribeSnapshot(progress, 250'000),
      "snapshot: public.orders 1,200,000 of about 2,000,000 rows, 250,000 rows/s, 3.2 s left; "
      "tables done: 1 of 5");
  progress.estimated_rows = -1;
  EXPECT_EQ(DescribeSnapshot(progress, 0),
            "snapshot: public.orders 1,200,000 rows; tables done: 1 of 5");
  progress.estimated_rows = 1'000'000;  // the statistics were behind
  EXPECT_EQ(DescribeSnapshot(progress, 1000),
            "snapshot: public.orders 1,200,000 of about 1,000,000 rows, 1,000 rows/s; "
            "tables done: 1 of 5");
}

}  // namespace
}  // namespace millrace::app
