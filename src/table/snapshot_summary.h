#pragma once

#include <string>

#include "iceberg/metadata.h"
#include "table/snapshot_producer.h"

namespace millrace::table {

// The summary of a snapshot (spec, Appendix F): counts of this change, totals carried on from the
// parent, the change's own keys over them. A total whose parent lacks it is left out rather than
// guessed.
iceberg::Properties SummaryOf(const SnapshotChange& change, const iceberg::TableMetadata& base);

}  // namespace millrace::table
