#pragma once

#include <string>
#include <vector>

#include "adapter/source_postgres/server/options.h"
#include "base/result.h"

namespace millrace::postgres {

// Asks for tables ("schema.table") to be read again: marks them in the publication, where whoever
// streams finds the mark (table_watcher.h) and puts their rows into the stream, after a `t` that
// says that they come anew. Durable on return; asking twice is asking once. kNotFound: no such
// table is captured; kUnsupported: the publication is not ours to mark.
Status AskForReread(const PostgresSourceOptions& options, const std::vector<std::string>& tables);

}  // namespace millrace::postgres
