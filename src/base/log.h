#pragma once

#include <string>
#include <string_view>

#include "base/format.h"

// Logs carry names, counts and positions; never row values or secrets.
namespace millrace::log {

enum class Level { kDebug, kInfo, kWarn, kError };

// Where lines go (stderr, always) and how they look. Not thread-safe; call once at start.
struct Options {
  Level level = Level::kInfo;
  bool json = false;  // one JSON object a line instead of text
};
void Configure(const Options& options);
Result<Level> ParseLevel(std::string_view name);  // debug|info|warn|error

void Write(Level level, std::string_view component, std::string_view message);
bool Enabled(Level level);

// `component` is the folder that speaks: "capture", "bronze", "silver", ...
template <typename... Args>
void Debug(std::string_view component, fmt::format_string<Args...> pattern, Args&&... args) {
  if (Enabled(Level::kDebug))
    Write(Level::kDebug, component, Format(pattern, std::forward<Args>(args)...));
}
template <typename... Args>
void Info(std::string_view component, fmt::format_string<Args...> pattern, Args&&... args) {
  if (Enabled(Level::kInfo))
    Write(Level::kInfo, component, Format(pattern, std::forward<Args>(args)...));
}
template <typename... Args>
void Warn(std::string_view component, fmt::format_string<Args...> pattern, Args&&... args) {
  Write(Level::kWarn, component, Format(pattern, std::forward<Args>(args)...));
}
template <typename... Args>
void Error(std::string_view component, fmt::format_string<Args...> pattern, Args&&... args) {
  Write(Level::kError, component, Format(pattern, std::forward<Args>(args)...));
}

}  // namespace millrace::log
