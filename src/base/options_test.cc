#include "base/options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace millrace {
namespace {

constexpr Option kTable[] = {
    {.key = "source.host", .fallback = "localhost", .help = "Host"},
    {.key = "source.database", .help = "Database", .required = true},
    {.key = "source.password", .type = OptionType::kSecret, .help = "Password"},
    {.key = "source.port",
     .type = OptionType::kInt,
     .fallback = "5432",
     .min = "1",
     .max = "65535"},
    {.key = "source.tables.include", .type = OptionType::kList, .fallback = "a, b"},
    {.key = "bronze.compression",
     .type = OptionType::kChoice,
     .fallback = "zstd",
     .choices = "zstd|gzip|none"},
    {.key = "bronze.commit_interval",
     .type = OptionType::kDuration,
     .fallback = "500ms",
     .min = "10ms",
     .max = "10m"},
    {.key = "bronze.commit_bytes", .type = OptionType::kSize, .fallback = "64MiB", .min = "64KiB"},
    {.key = "log.json", .type = OptionType::kBool, .fallback = "false"},
};

OptionEntry At(int line, std::string key, std::string value) {
  return {std::move(key), "m.yaml:" + std::to_string(line), {std::move(value)}, false, false};
}

// The complaint about `entries`, given that the required option is set; empty when there is none.
std::string Complaint(std::vector<OptionEntry> entries) {
  entries.push_back(At(99, "source.database", "shop"));
  const auto values = ResolveOptions(kTable, entries);
  return values.ok() ? "" : values.error().message();
}

TEST(Options, DefaultsAreParsedLikeValues) {
  const auto values = ResolveOptions(kTable, {At(1, "source.database", "shop")});
  ASSERT_TRUE(values.ok()) << values.error().message();
  EXPECT_EQ(values->Text("source.host"), "localhost");
  EXPECT_EQ(values->Number("source.port"), 5432);
  EXPECT_EQ(values->Number("bronze.commit_interval"), 500'000);
  EXPECT_EQ(values->Number("bronze.commit_bytes"), 64 << 20);
  EXPECT_EQ(values->List("source.tables.include"), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(values->Bool("log.json"));
  EXPECT_FALSE(values->given("source.host"));
  EXPECT_TRUE(values->given("source.database"));
  EXPECT_EQ(values->Origin("source.database"), "m.yaml:1");
}

TEST(Options, UnknownKeysGetASuggestion) {
  EXPECT_EQ(Complaint({At(3, "source.hots", "x")}),
            "m.yaml:3: unknown option source.hots; did you mean source.host?");
  EXPECT_EQ(Complaint({At(3, "host", "x")}),
            "m.yaml:3: unknown option host; did you mean source.host?");
  EXPECT_EQ(Complaint({At(3, "silver.commit_bytes", "x")}),
            "m.yaml:3: unknown option silver.commit_bytes; did you mean bronze.commit_bytes?");
  EXPECT_EQ(Complaint({At(3, "volcano", "x")}),
            "m.yaml:3: unknown option volcano; `millrace config --reference` lists all options");
  EXPECT_EQ(Complaint({At(3, "source", "x")}),
            "m.yaml:3: source is a section, not an option: put its keys below it, indented, for "
            "example 'host'");
}

TEST(Options, BadValuesNameTheCure) {
  EXPECT_EQ(Complaint({At(4, "source.port", "x1")}),
            "m.yaml:4: source.port: 'x1' is not a whole number");
  EXPECT_EQ(Complaint({At(4, "source.port", "0")}),
            "m.yaml:4: source.port: 0 is below the least value, 1");
  EXPECT_EQ(Complaint({At(4, "source.port", "65536")}),
            "m.yaml:4: source.port: 65536 is above the greatest value, 65535");
  EXPECT_EQ(Complaint({At(4, "bronze.compression", "lz4")}),
            "m.yaml:4: bronze.compression: 'lz4' is not one of zstd, gzip, none");
  EXPECT_EQ(Complaint({At(4, "bronze.commit_interval", "5")}),
            "m.yaml:4: bronze.commit_interval: '5' is not a duration; write a number with us, ms, "
            "s, m, h or d, like 500ms");
  EXPECT_EQ(Complaint({At(4, "bronze.commit_interval", "1ms")}),
            "m.yaml:4: bronze.commit_interval: 1ms is below the least value, 10ms");
  EXPECT_EQ(Complaint({At(4, "bronze.commit_bytes", "64 Mb")}),
            "m.yaml:4: bronze.commit_bytes: '64 Mb' is not a size; write a number with B, KiB, "
            "MiB, GiB or TiB, like 64MiB");
  EXPECT_EQ(Complaint({At(4, "log.json", "yes")}),
            "m.yaml:4: log.json: 'yes' is neither true nor false");
  EXPECT_EQ(Complaint({{"source.host", "m.yaml:4", {"a", "b"}, true, false}}),
            "m.yaml:4: source.host takes one string, not a list");
}

TEST(Options, AllProblemsAreToldAtOnce) {
  EXPECT_EQ(Complaint({At(1, "source.port", "x"), At(2, "nonsense", "x")}),
            "m.yaml:1: source.port: 'x' is not a whole number\n"
            "m.yaml:2: unknown option nonsense; `millrace config --reference` lists all options");
}

TEST(Options, RequiredAndDuplicate) {
  const auto missing = ResolveOptions(kTable, {});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message(), "source.database is required and not set: Database");
  EXPECT_EQ(Complaint({At(1, "source.database", "")}).substr(0, 52),
            "m.yaml:1: source.database: must not be empty");
  EXPECT_EQ(Complaint({At(2, "source.host", "a"), At(5, "source.host", "b")}),
            "m.yaml:5: source.host is set twice, first at m.yaml:2; keep one of the two");
}

TEST(Options, OverridesWin) {
  const auto values = ResolveOptions(kTable, {At(1, "source.database", "shop"),
                                              At(2, "source.host", "a"),
                                              {"source.host", "--set", {"b"}, false, false},
                                              {"source.host", "--set", {"c"}, false, false}});
  ASSERT_TRUE(values.ok()) << values.error().message();
  EXPECT_EQ(values->Text("source.host"), "c");
}

TEST(Options, SecretsAreNeverInTheFileNorShown) {
  const std::string refused = Complaint({At(7, "source.password", "hunter2")});
  EXPECT_EQ(
      refused,
      "m.yaml:7: source.password: a secret must not stand in the file itself; write ${env:NAME} or "
      "${file:/absolute/path} as the whole value");
  EXPECT_FALSE(Complaint({At(7, "source.password", "x${env:A}")}).empty());
  EXPECT_FALSE(Complaint({At(7, "source.password", "${file:relative}")}).empty());

  setenv("MILLRACE_OPTIONS_TEST", "hunter2", 1);
  const auto values = ResolveOptions(
      kTable,
      {At(1, "source.database", "shop"), At(7, "source.password", "${env:MILLRACE_OPTIONS_TEST}")});
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->Shown("source.password"),
            std::vector<std::string>{"${env:MILLRACE_OPTIONS_TEST}"});
  EXPECT_EQ(values->Reveal("source.password")->Reveal(), "hunter2");
  unsetenv("MILLRACE_OPTIONS_TEST");
  const auto unset = values->Reveal("source.password");
  ASSERT_FALSE(unset.ok());
  EXPECT_EQ(unset.error().message(),
            "m.yaml:7: source.password: the environment variable MILLRACE_OPTIONS_TEST is not set; "
            "export it before starting millrace");
}

TEST(Options, PlaceholdersOfFiles) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("millrace_options_test." + std::to_string(getpid()));
  std::ofstream(path) << "db.example\n";
  const auto values = ResolveOptions(
      kTable,
      {At(1, "source.database", "shop"), At(2, "source.host", "${file:" + path.string() + "}")});
  std::filesystem::remove(path);
  ASSERT_TRUE(values.ok()) << values.error().message();
  EXPECT_EQ(values->Text("source.host"), "db.example");
  EXPECT_EQ(Complaint({At(2, "source.host", "${file:" + path.string() + "}")}),
            "m.yaml:2: source.host: cannot read " + path.string() +
                "; check that it exists and is readable by this user");
}

TEST(Options, EmptySectionsAndKeysKeepDefaults) {
  EXPECT_EQ(Complaint({{"bronze", "m.yaml:1", {}, false, true},
                       {"source.host", "m.yaml:2", {}, false, true}}),
            "");
  EXPECT_NE(Complaint({{"brozne", "m.yaml:1", {}, false, true}}), "");
}

TEST(Options, SizesAndDurations) {
  EXPECT_EQ(*ParseSize("7"), 7);
  EXPECT_EQ(*ParseSize("2 GiB"), 2ll << 30);
  EXPECT_EQ(*ParseSize("3MB"), 3'000'000);
  EXPECT_FALSE(ParseSize("9999999999TiB").ok());
  EXPECT_FALSE(ParseSize("-1").ok());
  EXPECT_EQ(*ParseDuration("0"), 0);
  EXPECT_EQ(*ParseDuration("7d"), 7 * kMicrosPerDay);
  EXPECT_EQ(*ParseDuration("90s"), 90 * kMicrosPerSecond);
  EXPECT_FALSE(ParseDuration("1.5s").ok());
}

TEST(Options, EditDistanceIsLevenshteins) {
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", "abc"), 0u);
}

}  // namespace
}  // namespace millrace
