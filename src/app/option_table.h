#pragma once

#include <span>

#include "base/options.h"

namespace millrace::app {

// A section of the configuration file: "source" and what it is about.
struct OptionSection {
  std::string_view name;
  std::string_view help;
};

// Every option that there is, by section, in the order of the reference page.
std::span<const OptionSection> AllSections();
std::span<const Option> AllOptions();

}  // namespace millrace::app
