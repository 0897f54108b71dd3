#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

// Named places before and after each durable step, where a test can make the process die or the
// step fail.
//
//   MILLRACE_FAILPOINTS="bronze.before_commit=kill@3,silver.after_commit=error"
//
// `kill` ends the process at once (_exit(137)), `stop` stops it until SIGCONT (a zombie that
// wakes), `error` returns kUnavailable, `nospace` kOutOfSpace, `unknown` kUnknownOutcome;
// `@N` acts on the N-th pass only (the first by default, `@*` on each). Without the variable a pass
// costs one load and a branch.
namespace millrace {

// REQUIRES: `name` is a literal; every name is listed by `grep -rho 'MR_FAILPOINT("[^"]*")' src`.
Status PassFailpoint(std::string_view name);

// Whether MILLRACE_FAILPOINTS names something; read once.
bool FailpointsActive();

// Deliberate bugs for the proof that the suite would notice them; compiled in by the `sabotage`
// preset only, chosen by MILLRACE_SABOTAGE_BUG=<name>. Always false in other builds.
bool Sabotaged(std::string_view bug);

}  // namespace millrace

#define MR_FAILPOINT(name)                                                       \
  do {                                                                           \
    if (::millrace::FailpointsActive()) MR_TRY(::millrace::PassFailpoint(name)); \
  } while (false)
