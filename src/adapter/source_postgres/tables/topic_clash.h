#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "adapter/source_postgres/tables/catalog.h"

namespace millrace::postgres {

// Tables whose names differ only in characters that a topic's name cannot hold would share a topic,
// and their rows with it. Of each such group all but the first by name, with that first one's name:
// by oid. Pure.
std::map<uint32_t, std::string> TopicClashes(const std::vector<TableEntry>& tables);

}  // namespace millrace::postgres
