#include "base/options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "base/format.h"
#include "base/text.h"

namespace millrace {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};
constexpr Unit kSizeUnits[] = {{"B", 1},
                               {"KiB", 1ll << 10},
                               {"MiB", 1ll << 20},
                               {"GiB", 1ll << 30},
                               {"TiB", 1ll << 40},
                               {"KB", 1'000},
                               {"MB", 1'000'000},
                               {"GB", 1'000'000'000},
                               {"TB", 1'000'000'000'000},
                               {"", 1}};
constexpr Unit kDurationUnits[] = {{"us", 1},
                                   {"ms", 1'000},
                                   {"s", kMicrosPerSecond},
                                   {"m", 60 * kMicrosPerSecond},
                                   {"h", 3600 * kMicrosPerSecond},
                                   {"d", kMicrosPerDay}};

std::optional<int64_t> ParseWithUnit(std::string_view text, std::span<const Unit> units) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const auto count = ParseInt<int64_t>(text.substr(0, digits));
  if (!count) return std::nullopt;
  const std::string_view suffix = Trim(text.substr(digits));
  for (const Unit& unit : units) {
    if (unit.name != suffix) continue;
    int64_t product;
    if (__builtin_mul_overflow(*count, unit.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

Result<int64_t> ParseNumber(OptionType type, std::string_view text) {
  if (type == OptionType::kSize) return ParseSize(text);
  if (type == OptionType::kDuration) return ParseDuration(text);
  const auto number = ParseInt<int64_t>(text);
  if (!number) return Fail(ErrorKind::kInvalidInput, "'{}' is not a whole number", text);
  return *number;
}

bool IsNumber(OptionType type) {
  return type == OptionType::kInt || type == OptionType::kSize || type == OptionType::kDuration;
}

enum class PlaceholderKind { kNone, kEnvironment, kFile, kMalformed };
struct Placeholder {
  PlaceholderKind kind = PlaceholderKind::kNone;
  std::string name;
};

Placeholder ReadPlaceholder(std::string_view text) {
  if (text.find("${") == std::string_view::npos) return {};
  if (!text.starts_with("${") || !text.ends_with("}")) return {PlaceholderKind::kMalformed, ""};
  const std::string_view inside = text.substr(2, text.size() - 3);
  const auto name_of = [&](std::string_view prefix) {
    return std::string(inside.substr(prefix.size()));
  };
  if (inside.starts_with("env:") && inside.size() > 4)
    return {PlaceholderKind::kEnvironment, name_of("env:")};
  if (inside.starts_with("file:/")) return {PlaceholderKind::kFile, name_of("file:")};
  return {PlaceholderKind::kMalformed, ""};
}

constexpr std::string_view kPlaceholderForms =
    "write ${env:NAME} or ${file:/absolute/path} as the whole value";

// What a placeholder stands for; the trailing newline of a file does not count.
Result<std::string> Substitute(const Placeholder& placeholder) {
  if (placeholder.kind == PlaceholderKind::kEnvironment) {
    const char* value = std::getenv(placeholder.name.c_str());
    if (value == nullptr) {
      return Fail(ErrorKind::kInvalidInput,
                  "the environment variable {} is not set; export it before starting millrace",
                  placeholder.name);
    }
    return std::string(value);
  }
  std::ifstream file(placeholder.name, std::ios::binary);
  if (!file)
    return Fail(ErrorKind::kInvalidInput,
                "cannot read {}; check that it exists and is readable by this user",
                placeholder.name);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// The option that was probably meant: the least edit distance, to the whole key or to its last
// part.
const Option* Nearest(std::span<const Option> table, std::string_view key) {
  const auto tail = [](std::string_view k) {
    return k.substr(k.rfind('.') == std::string_view::npos ? 0 : k.rfind('.') + 1);
  };
  const Option* best = nullptr;
  size_t best_distance = 0;
  for (const Option& option : table) {
    size_t distance = EditDistance(option.key, key);
    // A right name in the wrong section counts as one more edit, so that a typo within the section
    // wins over it.
    distance = std::min(distance, EditDistance(tail(option.key), tail(key)) + 1);
    if (best == nullptr || distance < best_distance) {
      best = &option;
      best_distance = distance;
    }
  }
  return best != nullptr && best_distance <= std::max<size_t>(2, tail(key).size() / 3) ? best
                                                                                       : nullptr;
}

std::string UnknownKey(std::span<const Option> table, const OptionEntry& entry) {
  const std::string prefix = entry.key + ".";
  for (const Option& option : table) {
    if (option.key.starts_with(prefix)) {
      return Format(
          "{} is a section, not an option: put its keys below it, indented, for example '{}'",
          entry.key, option.key.substr(prefix.size()));
    }
  }
  if (const Option* near = Nearest(table, entry.key))
    return Format("unknown option {}; did you mean {}?", entry.key, near->key);
  return Format("unknown option {}; `millrace config --reference` lists all options", entry.key);
}

std::string_view FileOf(std::string_view origin) { return origin.substr(0, origin.rfind(':')); }

}  // namespace

std::string_view OptionTypeName(OptionType type) {
  switch (type) {
    case OptionType::kString:
      return "string";
    case OptionType::kInt:
      return "integer";
    case OptionType::kBool:
      return "boolean";
    case OptionType::kSize:
      return "size";
    case OptionType::kDuration:
      return "duration";
    case OptionType::kChoice:
      return "choice";
    case OptionType::kList:
      return "list";
    case OptionType::kSecret:
      return "secret";
  }
  return "";
}

Result<int64_t> ParseSize(std::string_view text) {
  const auto bytes = ParseWithUnit(text, kSizeUnits);
  if (!bytes)
    return Fail(ErrorKind::kInvalidInput,
                "'{}' is not a size; write a number with B, KiB, MiB, GiB or TiB, like 64MiB",
                text);
  return *bytes;
}

Result<Micros> ParseDuration(std::string_view text) {
  const auto micros = text == "0" ? 0 : ParseWithUnit(text, kDurationUnits);
  if (!micros)
    return Fail(ErrorKind::kInvalidInput,
                "'{}' is not a duration; write a number with us, ms, s, m, h or d, like 500ms",
                text);
  return *micros;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

Result<OptionValues> ResolveOptions(std::span<const Option> table,
                                    const std::vector<OptionEntry>& entries) {
  OptionValues out;
  std::vector<std::string> problems;

  // Checks one value and stores what it means. Returns the complaint, or nothing.
  const auto check = [](const Option& option,
                        OptionValues::Value& value) -> std::optional<std::string> {
    for (std::string& text : value.texts) {
      const Placeholder placeholder = ReadPlaceholder(text);
      if (option.type == OptionType::kSecret) {
        if (placeholder.kind == PlaceholderKind::kEnvironment ||
            placeholder.kind == PlaceholderKind::kFile)
          continue;
        return Format("a secret must not stand in the file itself; {}", kPlaceholderForms);
      }
      if (placeholder.kind == PlaceholderKind::kNone) continue;
      if (placeholder.kind == PlaceholderKind::kMalformed)
        return Format("'{}' is not a placeholder; {}", text, kPlaceholderForms);
      auto substituted = Substitute(placeholder);
      if (!substituted.ok()) return substituted.error().message();
      text = *std::move(substituted);
    }
    if (option.type == OptionType::kList) return std::nullopt;
    const std::string& text = value.texts.front();
    if (option.type == OptionType::kBool && text != "true" && text != "false")
      return Format("'{}' is neither true nor false", text);
    if (option.type == OptionType::kChoice) {
      for (std::string_view choice : Split(option.choices, '|')) {
        if (choice == text) return std::nullopt;
      }
      std::string choices(option.choices);
      for (size_t at = 0; (at = choices.find('|', at)) != std::string::npos;)
        choices.replace(at, 1, ", ");
      return Format("'{}' is not one of {}", text, choices);
    }
    if (option.required && text.empty()) return std::string("must not be empty");
    if (!IsNumber(option.type)) return std::nullopt;
    auto number = ParseNumber(option.type, text);
    if (!number.ok()) return number.error().message();
    value.number = *number;
    if (!option.min.empty() && value.number < *ParseNumber(option.type, option.min)) {
      return Format("{} is below the least value, {}", text, option.min);
    }
    if (!option.max.empty() && value.number > *ParseNumber(option.type, option.max)) {
      return Format("{} is above the greatest value, {}", text, option.max);
    }
    return std::nullopt;
  };

  for (const Option& option : table) {
    OptionValues::Value value{option.type, "default", {}, 0, false};
    if (option.type == OptionType::kList) {
      for (std::string_view part : Split(option.fallback, ','))
        value.texts.emplace_back(Trim(part));
    } else if (!option.fallback.empty()) {
      value.texts.emplace_back(option.fallback);
    }
    if (!value.texts.empty()) {
      // A fallback that fails its own check is a bug in the table.
      if (check(option, value)) std::abort();
    }
    out.values_.emplace(option.key, std::move(value));
  }
  std::set<std::string> faulty;
  for (const OptionEntry& entry : entries) {
    const auto option = std::find_if(table.begin(), table.end(),
                                     [&](const Option& o) { return o.key == entry.key; });
    if (option == table.end()) {
      const std::string prefix = entry.key + ".";
      const bool section = std::any_of(table.begin(), table.end(),
                                       [&](const Option& o) { return o.key.starts_with(prefix); });
      if (!entry.is_null || !section)
        problems.push_back(Format("{}: {}", entry.origin, UnknownKey(table, entry)));
      continue;
    }
    if (entry.is_null) continue;
    OptionValues::Value& value = out.values_.find(entry.key)->second;
    if (value.given && FileOf(value.origin) == FileOf(entry.origin) &&
        value.origin != entry.origin) {
      problems.push_back(Format("{}: {} is set twice, first at {}; keep one of the two",
                                entry.origin, entry.key, value.origin));
      continue;
    }
    if (entry.is_list && option->type != OptionType::kList) {
      problems.push_back(Format("{}: {} takes one {}, not a list", entry.origin, entry.key,
                                OptionTypeName(option->type)));
      faulty.insert(entry.key);
      continue;
    }
    OptionValues::Value next{option->type, entry.origin, entry.values, 0, true};
    if (const auto complaint = check(*option, next)) {
      problems.push_back(Format("{}: {}: {}", entry.origin, entry.key, *complaint));
      faulty.insert(entry.key);
      continue;
    }
    value = std::move(next);
  }
  for (const Option& option : table) {
    if (!option.required || faulty.contains(std::string(option.key))) continue;
    if (!out.values_.find(option.key)->second.texts.empty()) continue;
    problems.push_back(Format("{} is required and not set: {}", option.key, option.help));
  }
  if (!problems.empty()) return Error(ErrorKind::kInvalidInput, Join(problems, "\n"));
  return out;
}

const OptionValues::Value& OptionValues::At(std::string_view key,
                                            std::initializer_list<OptionType> types) const {
  const auto found = values_.find(key);
  if (found == values_.end() ||
      std::find(types.begin(), types.end(), found->second.type) == types.end()) {
    std::fprintf(stderr, "option %.*s is not in the table, or not of that type\n",
                 static_cast<int>(key.size()), key.data());
    std::abort();
  }
  return found->second;
}

const std::string& OptionValues::Text(std::string_view key) const {
  static const std::string empty;
  const Value& value = At(key, {OptionType::kString, OptionType::kChoice});
  return value.texts.empty() ? empty : value.texts.front();
}

int64_t OptionValues::Number(std::string_view key) const {
  return At(key, {OptionType::kInt, OptionType::kSize, OptionType::kDuration}).number;
}

bool OptionValues::Bool(std::string_view key) const {
  const Value& value = At(key, {OptionType::kBool});
  return !value.texts.empty() && value.texts.front() == "true";
}

const std::vector<std::string>& OptionValues::List(std::string_view key) const {
  return At(key, {OptionType::kList}).texts;
}

Result<Secret> OptionValues::Reveal(std::string_view key) const {
  const Value& value = At(key, {OptionType::kSecret});
  if (value.texts.empty()) return Secret();
  auto text = Substitute(ReadPlaceholder(value.texts.front()));
  if (!text.ok()) return text.error().Wrap(Format("{}: {}", value.origin, key));
  return Secret(*std::move(text));
}

bool OptionValues::given(std::string_view key) const {
  const auto found = values_.find(key);
  return found != values_.end() && found->second.given;
}

const std::string& OptionValues::Origin(std::string_view key) const {
  static const std::string unknown;
  const auto found = values_.find(key);
  return found == values_.end() ? unknown : found->second.origin;
}

std::vector<std::string> OptionValues::Shown(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::vector<std::string>() : found->second.texts;
}

}  // namespace millrace
