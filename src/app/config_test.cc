#include "app/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "app/option_table.h"

namespace millrace::app {
namespace {

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    dir_ = std::filesystem::temp_directory_path() /
           ("millrace_config_test." + std::to_string(getpid()));
    std::filesystem::create_directories(dir_);
  }
  ~ConfigFile() override { std::filesystem::remove_all(dir_); }

  Result<Config> Load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    std::ofstream(dir_ / "m.yaml") << text;
    return LoadConfig(dir_ / "m.yaml", overrides);
  }
  std::string Complaint(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto config = Load(text, overrides);
    if (config.ok()) return "";
    std::string message = config.error().message();
    const std::string where = (dir_ / "m.yaml").string();
    for (size_t at; (at = message.find(where)) != std::string::npos;)
      message.replace(at, where.size(), "m.yaml");
    return message;
  }

  std::filesystem::path dir_;
};

constexpr char kLeast[] = "source: {database: shop, user: me}\nlake: {path: lake}\n";

TEST_F(ConfigFile, LeastConfigurationHasDerivedNames) {
  const auto config = Load(kLeast);
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->source.name, "shop");
  EXPECT_EQ(config->source.slot, "millrace_shop");
  EXPECT_EQ(config->source.publication, "millrace_shop");
  EXPECT_EQ(config->lake.path, dir_ / "lake");
  EXPECT_TRUE(config->gold.sql.empty());
  EXPECT_EQ(config->bronze.compression, Compression::kZstd);
}

TEST_F(ConfigFile, NestedKeysListsAndOverrides) {
  const auto config = Load(
      "source:\n  database: My-Shop.eu\n  user: me\n  tables:\n    include: [public.*, "
      "sales.orders]\n"
      "lake:\n  path: /srv/lake\nsilver:\n  retention:\n    snapshots: 7\ngold:\n  sql: kpi\n",
      {"silver.retention.hours=24", "source.tables.exclude=a.b, c.d"});
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->source.name, "My-Shop_eu");
  EXPECT_EQ(config->source.slot, "millrace_my_shop_eu");
  EXPECT_EQ(config->source.include, (std::vector<std::string>{"public.*", "sales.orders"}));
  EXPECT_EQ(config->source.exclude, (std::vector<std::string>{"a.b", "c.d"}));
  EXPECT_EQ(config->lake.path, "/srv/lake");
  EXPECT_EQ(config->silver.retention_snapshots, 7);
  EXPECT_EQ(config->silver.retention_hours, 24);
  EXPECT_EQ(config->gold.sql, dir_ / "kpi");
}

TEST_F(ConfigFile, ProblemsNameFileAndLine) {
  EXPECT_EQ(Complaint("source:\n  database: shop\n  user: me\n  pasword: x\nlake: {path: l}\n"),
            "m.yaml:4: unknown option source.pasword; did you mean source.password?");
  EXPECT_EQ(Complaint("source: [a]\n").substr(0, 43),
            "m.yaml:1: source is a section, not an optio");
  EXPECT_EQ(
      Complaint("just words\n"),
      "m.yaml:1: the file must be a mapping of sections; `millrace init` writes one to start from");
  EXPECT_EQ(Complaint("source:\n  host: [a\n").substr(0, 9), "m.yaml:3:");
  EXPECT_EQ(Complaint("source:\n  tables:\n    include: [[a]]\n"),
            "m.yaml:3: source.tables.include is a list of plain values; this item is not one");
  EXPECT_EQ(
      Complaint(std::string(kLeast) + "bronze: {compression: gzip,\n  compression_level: 12}\n"),
      "m.yaml:4: bronze.compression_level: gzip's levels are 1 to 9, not 12");
  EXPECT_EQ(
      Complaint("source: {database: shop, user: me, slot: My-Slot}\nlake: {path: lake}\n"),
      "m.yaml:1: source.slot: 'My-Slot' must be at most 63 of lower-case letters, digits and '_'");
  EXPECT_EQ(Complaint("source: {database: shop, user: me, name: a.b}\nlake: {path: lake}\n"),
            "m.yaml:1: source.name: 'a.b' must be at most 63 of letters, digits, '_' and '-'");
  EXPECT_EQ(Complaint(""),
            "source.database is required and not set: Database to carry\n"
            "source.user is required and not set: Role to log in as; it needs REPLICATION and "
            "SELECT on the tables\n"
            "lake.path is required and not set: Directory of the lake, relative to this file: "
            "bronze/, warehouse/ "
            "and catalog.db are made in it");
  EXPECT_EQ(Complaint(kLeast, {"log.level"}),
            "--set log.level: write it as key=value, for example --set log.level=debug");
  EXPECT_EQ(Complaint(kLeast, {"log.level=loud"}),
            "--set: log.level: 'loud' is not one of debug, info, warn, error");
}

TEST_F(ConfigFile, AMissingFileSaysHowToMakeOne) {
  const auto config = LoadConfig(dir_ / "none.yaml", {});
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(
      config.error().message(),
      "no configuration at " + (dir_ / "none.yaml").string() +
          ": `millrace init none.yaml` writes one to start from, or name another with --config");
}

TEST_F(ConfigFile, TheStarterLoads) {
  const auto config = Load(StarterConfig());
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->source.database, "shop");
}

TEST_F(ConfigFile, TheStarterUncommentedSetsEveryOption) {
  std::string text = StarterConfig();
  for (const Option& option : AllOptions()) {
    const std::string name(option.key.substr(option.key.rfind('.') + 1));
    EXPECT_TRUE(text.find("  " + name + ":") != std::string::npos ||
                text.find("# " + name + ":") != std::string::npos)
        << option.key;
  }
}

TEST_F(ConfigFile, WhatIsShownLoadsAgainToTheSame) {
  setenv("MILLRACE_CONFIG_TEST", "hunter2", 1);
  const auto config = Load(
      std::string("source: {database: 'a: b', user: me, password: '${env:MILLRACE_CONFIG_TEST}'}\n"
                  "lake: {path: 'my lake'}\nlog: {level: warn}\n"));
  ASSERT_TRUE(config.ok()) << config.error().message();
  const std::string shown = ShowConfig(*config);
  EXPECT_EQ(shown.find("hunter2"), std::string::npos);
  EXPECT_NE(shown.find("password: ${env:MILLRACE_CONFIG_TEST}\n"), std::string::npos);
  EXPECT_NE(shown.find("port: 5432  # default\n"), std::string::npos);
  const auto again = Load(shown);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->source.database, "a: b");
  EXPECT_EQ(again->source.slot, config->source.slot);
  EXPECT_EQ(again->lake.path, config->lake.path);
  EXPECT_EQ(again->log.level, "warn");
  EXPECT_EQ(again->bronze.commit_bytes, config->bronze.commit_bytes);
}

TEST(ReferencePage, HasEveryOption) {
  const std::string page = ReferencePage();
  for (const Option& option : AllOptions()) {
    EXPECT_NE(page.find("| `" + std::string(option.key) + "` |"), std::string::npos) << option.key;
    EXPECT_FALSE(option.help.empty()) << option.key;
    EXPECT_NE(option.help.back(), '.') << option.key;
  }
}

}  // namespace
}  // namespace millrace::app
