#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"

namespace millrace::silver {

// Runs work(0) ... work(n - 1) on at most `threads` threads, the caller's among them, and returns
// when all are done. The error of the lowest failed number; the rest is not started once one has
// failed.
Status ParallelFor(size_t n, int threads, const std::function<Status(size_t)>& work);

}  // namespace millrace::silver
