#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"

namespace millrace::app {

enum class OutputFormat { kTable, kCsv, kJson };

// What a command line asked for. Members that a command does not take keep their defaults.
struct Invocation {
  std::filesystem::path config_file = "millrace.yaml";
  std::vector<std::string> overrides;
  bool once = false;
  bool json = false;
  bool fix = false;
  bool reference = false;
  OutputFormat format = OutputFormat::kTable;
  std::string path;   // init
  std::string sql;    // query
  std::string table;  // history
  std::string key;    // history

  Result<Config> Load() const { return LoadConfig(config_file, overrides); }
};

// A command's work. Results go to standard output, everything else to standard error; the error kind decides the exit code.
using Command = Status (*)(const Invocation&);

Status RunInit(const Invocation&);
Status RunConfig(const Invocation&);
Status RunVersion(const Invocation&);

}  // namespace millrace::app
