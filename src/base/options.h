#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

// Configuration as rows of a table: what may be set, of which type, within which bounds. The file's
// syntax is somebody else's affair; this takes what a reader found as dotted keys and says which
// value each option has, or everything that is wrong.
namespace millrace {

enum class OptionType {
  kString,
  kInt,
  kBool,      // true | false
  kSize,      // "64MiB"; bytes
  kDuration,  // "500ms", "10s", "7d"; microseconds
  kChoice,    // one of `choices`
  kList,      // of strings
  kSecret,    // ${env:NAME} or ${file:/path}; never the value itself
};
std::string_view OptionTypeName(OptionType type);

struct Option {
  std::string_view key;  // dotted: "bronze.commit_interval"
  OptionType type = OptionType::kString;
  // As it would stand in the file; empty: none.
  std::string_view fallback = {};
  // One sentence.
  std::string_view help = {};
  // Without a fallback: what the default is made of, for the reference.
  std::string_view derived = {};
  // `init` writes the key with this value instead of commenting it out.
  std::string_view example = {};
  // kChoice: "zstd|gzip|none".
  std::string_view choices = {};
  // kInt, kSize, kDuration, written as values are; empty: no bound.
  std::string_view min = {}, max = {};
  bool required = false;
  bool fixed = false;  // never to be changed once the lake holds data
};

// One thing that a reader found: a scalar, a list of scalars, or nothing at all ("key:").
struct OptionEntry {
  std::string key;
  std::string origin;  // where: "millrace.yaml:12", "--set"
  std::vector<std::string> values;
  bool is_list = false;
  bool is_null = false;  // the option keeps its default
};

// The value of each option of a table. Asking for a key that the table lacks, or as another type,
// is a bug: it aborts.
class OptionValues {
 public:
  const std::string& Text(std::string_view key) const;  // kString, kChoice
  int64_t Number(std::string_view key) const;  // kInt; kSize in bytes; kDuration in microseconds
  bool Bool(std::string_view key) const;
  const std::vector<std::string>& List(std::string_view key) const;
  // Reads the environment or the file now; empty when the option is not set. kInvalidInput names
  // option and cure, never the value.
  Result<Secret> Reveal(std::string_view key) const;

  bool given(std::string_view key) const;
  // "millrace.yaml:12", or "default".
  const std::string& Origin(std::string_view key) const;
  // As it would stand in a file; a secret shows its placeholder.
  std::vector<std::string> Shown(std::string_view key) const;

 private:
  friend Result<OptionValues> ResolveOptions(std::span<const Option> table,
                                             const std::vector<OptionEntry>& entries);
  struct Value {
    OptionType type;
    std::string origin;
    std::vector<std::string> texts;
    int64_t number = 0;
    bool given = false;
  };
  const Value& At(std::string_view key, std::initializer_list<OptionType> types) const;
  std::map<std::string, Value, std::less<>> values_;
};

// Later entries of a key win over earlier ones only from another origin's file (an override); twice
// in one file is an error. kInvalidInput lists everything that is wrong, a line each: where, which
// key, why, and the cure. Non-secret placeholders are replaced here.
Result<OptionValues> ResolveOptions(std::span<const Option> table,
                                    const std::vector<OptionEntry>& entries);

// Bytes: a count, optionally with B, KiB, MiB, GiB, TiB or KB, MB, GB, TB.
Result<int64_t> ParseSize(std::string_view text);
// Microseconds: a count with us, ms, s, m, h or d.
Result<Micros> ParseDuration(std::string_view text);
// Levenshtein's; for "did you mean".
size_t EditDistance(std::string_view a, std::string_view b);

}  // namespace millrace
