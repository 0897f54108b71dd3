#pragma once

#include <cstdint>

#include "model/position.h"

namespace millrace::postgres {

// Whoever brings rows of tables into the stream that are not changes. Thread-safe.
class PendingRows {
 public:
  virtual ~PendingRows() = default;
  // Whether the stream's changes of this table have to wait for its rows.
  virtual bool IsPending(uint32_t relation_oid) const = 0;
  // The table's rows are no longer to be had from the stream alone, since something that committed
  // at `commit_lsn`: brings them all, and makes that certain before the stream goes on with it.
  virtual void Renew(uint32_t relation_oid, Lsn commit_lsn) = 0;
};

}  // namespace millrace::postgres
