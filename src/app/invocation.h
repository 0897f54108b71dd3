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
  std::string resume;               // silver: a table that is held back
  std::vector<std::string> tables;  // reread
  std::string path;                 // init
  std::string sql;                  // query
  std::string table;                // history
  std::string key;                  // history

  // Reads the configuration and sets up logging as it says.
  Result<Config> Load() const;
};

// A command's work. Results go to standard output, everything else to standard error; the error
// kind decides the exit code.
using Command = Status (*)(const Invocation&);

Status RunUp(const Invocation&);
Status RunCapture(const Invocation&);
Status RunBronze(const Invocation&);
Status RunSilver(const Invocation&);
Status RunGold(const Invocation&);
Status RunStatus(const Invocation&);
Status RunTables(const Invocation&);
Status RunQuery(const Invocation&);
Status RunHistory(const Invocation&);
Status RunCheckSource(const Invocation&);
Status RunReread(const Invocation&);
Status RunInit(const Invocation&);
Status RunConfig(const Invocation&);
Status RunVersion(const Invocation&);

}  // namespace millrace::app
