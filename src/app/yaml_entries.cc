#include "app/yaml_entries.h"

#include <yaml-cpp/yaml.h>

#include "base/format.h"

namespace millrace::app {
namespace {

std::string OriginOf(const std::string& name, const YAML::Node& node) {
  return Format("{}:{}", name, node.Mark().line + 1);
}

Status Flatten(const YAML::Node& mapping, const std::string& prefix, const std::string& name,
               std::vector<OptionEntry>& out) {
  for (const auto& member : mapping) {
    const YAML::Node& value = member.second;
    if (!member.first.IsScalar()) {
      return Fail(ErrorKind::kInvalidInput, "{}: a key must be a word, not a list or mapping",
                  OriginOf(name, member.first));
    }
    OptionEntry entry{
        prefix + member.first.Scalar(), OriginOf(name, member.first), {}, false, false};
    if (value.IsMap()) {
      MR_TRY(Flatten(value, entry.key + ".", name, out));
      continue;
    }
    if (value.IsSequence()) {
      entry.is_list = true;
      for (const auto& item : value) {
        if (!item.IsScalar()) {
          return Fail(ErrorKind::kInvalidInput,
                      "{}: {} is a list of plain values; this item is not one",
                      OriginOf(name, item), entry.key);
        }
        entry.values.push_back(item.Scalar());
      }
    } else if (value.IsNull()) {
      entry.is_null = true;
    } else {
      entry.values.push_back(value.Scalar());
    }
    out.push_back(std::move(entry));
  }
  return {};
}

}  // namespace

Result<std::vector<OptionEntry>> ReadYamlEntries(const std::string& text, const std::string& name) {
  std::vector<OptionEntry> entries;
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return entries;
    if (!root.IsMap()) {
      return Fail(
          ErrorKind::kInvalidInput,
          "{}:1: the file must be a mapping of sections; `millrace init` writes one to start from",
          name);
    }
    MR_TRY(Flatten(root, "", name, entries));
  } catch (const YAML::Exception& e) {
    return Fail(ErrorKind::kInvalidInput, "{}:{}: not valid YAML at column {}: {}", name,
                e.mark.line + 1, e.mark.column + 1, e.msg);
  }
  return entries;
}

}  // namespace millrace::app
