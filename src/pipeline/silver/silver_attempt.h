#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/silver/silver_stage.h"

// What SilverStage keeps between its steps: for its own sources only.
namespace millrace {

struct SilverStage::State {
  std::optional<LoadedTable> cuts;
  silver::CutMark mark;
  std::map<TableIdent, silver::SilverTable> tables;
  std::map<std::string, TableIdent> by_topic;
  std::map<TableIdent, std::string> foreign;  // tables in our namespace that are not ours, and why
  std::set<std::string> in_last_cut;          // tables that the newest cut names
};

struct SilverStage::Attempt {
  silver::CutMark mark;  // as it will be
  silver::CutRow row;
  std::vector<silver::TableStep> steps;
  size_t committed = 0;  // steps that are in for good, where tables commit one by one
  silver::StagedCut cut;
  bool publishes = true;  // whether a cut is part of it
  int64_t events = 0, commits = 0;
  std::stop_token stop;
  std::string resumed;                 // topic
  std::optional<TableSchema> settled;  // that topic's newest schema version
};

}  // namespace millrace
