#pragma once

#include <string>
#include <vector>

#include "base/options.h"

namespace millrace::app {

// The leaves of a YAML document as dotted keys with their lines, in file order. `name` stands in
// origins and messages. kInvalidInput with line and column where it is not YAML, or not a mapping
// of scalars and lists of scalars.
Result<std::vector<OptionEntry>> ReadYamlEntries(const std::string& text, const std::string& name);

}  // namespace millrace::app
