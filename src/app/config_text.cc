#include "app/config.h"

#include "app/option_table.h"
#include "base/format.h"
#include "base/text.h"

// The three texts made from the option table, so that none of them can lag behind it.
namespace millrace::app {
namespace {

std::string_view SectionOf(std::string_view key) { return key.substr(0, key.find('.')); }
std::string_view WithinSection(std::string_view key) { return key.substr(key.find('.') + 1); }

// A value as YAML: quoted where a plain scalar would mean something else.
std::string YamlScalar(std::string_view text) {
  const bool plain = !text.empty() &&
                     text.find_first_of(":#{}[]&*!|>'\"%@`, ") == std::string_view::npos &&
                     text != "null" && text != "~" && text.front() != '-' && text.front() != '?';
  if (plain) return std::string(text);
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::string YamlValue(OptionType type, const std::vector<std::string>& texts) {
  if (type == OptionType::kSecret && !texts.empty()) return texts.front();
  if (type != OptionType::kList) return texts.empty() ? "''" : YamlScalar(texts.front());
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(YamlScalar(text));
  return "[" + Join(items, ", ") + "]";
}

std::string_view TypeText(const Option& option) {
  return option.type == OptionType::kChoice ? std::string_view("choice")
                                            : OptionTypeName(option.type);
}

std::string Bounds(const Option& option) {
  if (option.type == OptionType::kChoice) {
    std::vector<std::string> names;
    for (std::string_view choice : Split(option.choices, '|')) names.emplace_back(choice);
    return Join(names, ", ");
  }
  if (!option.min.empty() && !option.max.empty()) return Format("{} to {}", option.min, option.max);
  return "";
}

std::string DefaultText(const Option& option) {
  if (option.required) return "required";
  if (!option.fallback.empty()) return std::string(option.fallback);
  if (!option.derived.empty()) return std::string(option.derived);
  return "none";
}

// What a commented-out line of the starter shows as its value.
std::string Placeholder(const Option& option) {
  if (!option.fallback.empty()) return YamlScalar(option.fallback);
  return option.type == OptionType::kList ? "[]" : "";
}

// The effective value of options whose default is made from others.
std::string Derived(const Config& config, std::string_view key) {
  if (key == "source.name") return config.source.name;
  if (key == "source.slot") return config.source.slot;
  if (key == "source.publication") return config.source.publication;
  return "";
}

// "silver.retention" of "silver.retention.hours"; the section itself for keys right below it.
std::string_view GroupOf(std::string_view key) { return key.substr(0, key.rfind('.')); }

}  // namespace

std::string ShowConfig(const Config& config) {
  std::string out =
      Format("# Effective configuration of {}; options that are not in the file are marked.\n",
             config.file.string());
  for (const OptionSection& section : AllSections()) {
    out += Format("{}:\n", section.name);
    std::string_view group = section.name;
    for (const Option& option : AllOptions()) {
      if (SectionOf(option.key) != section.name) continue;
      const bool nested = GroupOf(option.key) != section.name;
      if (nested && GroupOf(option.key) != group)
        out += Format("  {}:\n", WithinSection(GroupOf(option.key)));
      group = GroupOf(option.key);
      std::vector<std::string> shown = config.values.Shown(option.key);
      if (shown.empty() && !Derived(config, option.key).empty())
        shown = {Derived(config, option.key)};
      const std::string mark = config.values.given(option.key) ? "" : "  # default";
      const std::string_view name = option.key.substr(option.key.rfind('.') + 1);
      if (shown.empty() && option.type != OptionType::kList) {
        out += Format("{}{}:{}\n", nested ? "    " : "  ", name, mark);
      } else {
        out += Format("{}{}: {}{}\n", nested ? "    " : "  ", name, YamlValue(option.type, shown),
                      mark);
      }
    }
  }
  return out;
}

std::string StarterConfig() {
  std::string out =
      "# Millrace's configuration. Lines that are commented out show the default. `millrace "
      "check-source` tells whether the\n"
      "# database is ready, `millrace config` shows what is in effect. All options: "
      "docs/guide/configuration.md\n";
  for (const OptionSection& section : AllSections()) {
    out += Format("\n# {}\n{}:\n", section.help, section.name);
    std::string_view group = section.name;
    for (const Option& option : AllOptions()) {
      if (SectionOf(option.key) != section.name) continue;
      const bool nested = GroupOf(option.key) != section.name;
      if (nested && GroupOf(option.key) != group)
        out += Format("  {}:\n", WithinSection(GroupOf(option.key)));
      group = GroupOf(option.key);
      const std::string_view indent = nested ? "    " : "  ";
      const std::string_view name = option.key.substr(option.key.rfind('.') + 1);
      std::string note(option.help);
      if (option.fallback.empty() && !option.derived.empty())
        note += Format(". Default: {}", option.derived);
      out += Format("{}# {}{}\n", indent, note, option.fixed ? ". Do not change it later" : "");
      if (!option.example.empty()) {
        out += Format("{}{}: {}\n", indent, name,
                      option.type == OptionType::kSecret ? std::string(option.example)
                                                         : YamlScalar(option.example));
      } else {
        const std::string value = Placeholder(option);
        out += Format("{}# {}:{}{}\n", indent, name, value.empty() ? "" : " ", value);
      }
    }
  }
  return out;
}

std::string ReferencePage() {
  std::string out =
      "# Configuration reference\n\n"
      "<!-- Written by `millrace config --reference`; a test compares. Change "
      "src/app/option_table.cc instead. -->\n\n"
      "`millrace init` writes a commented file; `millrace config` shows what is in effect. The "
      "file is `millrace.yaml` in the current\n"
      "directory, or what `--config` or the environment variable `MILLRACE_CONFIG` names. `--set "
      "key=value` overrides a key for one run.\n"
      "Dotted keys below are nested mappings in the file (`lake.path` is `path` below `lake`). "
      "Paths are relative to the file.\n"
      "An unknown key or a bad value stops the start with file, line, key and cure.\n\n"
      "- size: a count with `B`, `KiB`, `MiB`, `GiB` or `TiB`: `64MiB`\n"
      "- duration: a count with `us`, `ms`, `s`, `m`, `h` or `d`: `500ms`\n"
      "- secret: `${env:NAME}` or `${file:/absolute/path}`, read when needed and never printed; "
      "other values may be placeholders too\n"
      "- *fixed*: belongs to the lake's data and must not be changed once there is some\n";
  for (const OptionSection& section : AllSections()) {
    out += Format(
        "\n## {}\n\n{}\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n",
        section.name, section.help);
    for (const Option& option : AllOptions()) {
      if (SectionOf(option.key) != section.name) continue;
      const bool literal = !option.fallback.empty() && !option.required;
      const std::string fallback = literal ? "`" + DefaultText(option) + "`" : DefaultText(option);
      out += Format("| `{}` | {} | {} | {} | {}.{} |\n", option.key, TypeText(option), fallback,
                    Bounds(option), option.help, option.fixed ? " *Fixed.*" : "");
    }
  }
  return out;
}

}  // namespace millrace::app
