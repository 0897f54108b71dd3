#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::avro {

// An Avro block of the `snappy` codec: raw snappy and the big-endian CRC-32 of what it unpacks to.
// Only for reading what other engines wrote. kCorrupt "<what>: ..." when damaged.
Result<std::string> UnpackSnappy(std::string_view block, std::string_view what);

}  // namespace millrace::avro
