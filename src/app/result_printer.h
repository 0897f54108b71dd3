#pragma once

#include "app/invocation.h"
#include "base/result.h"

struct ArrowArrayStream;

namespace millrace::app {

// Prints a query's rows to standard output and releases the stream. Tables stop at 1000 rows and
// say how many there are; csv (RFC 4180, null is an empty field, an empty text is "") and json (an
// object a line) print all of them as they come.
Status PrintRows(ArrowArrayStream* stream, OutputFormat format);

}  // namespace millrace::app
