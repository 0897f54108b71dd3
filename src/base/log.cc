#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace millrace::log {
namespace {

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool json_lines = false;

spdlog::logger& Logger() {
  static auto logger = [] {
    auto made = spdlog::stderr_color_mt("millrace");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *logger;
}

void AppendJsonEscaped(std::string& out, std::string_view text) {
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20) {
      out += Format("\\u{:04x}", u);
    } else {
      out += c;
    }
  }
}

}  // namespace

void Configure(const Options& options) {
  Logger().set_level(ToSpdlog(options.level));
  json_lines = options.json;
  if (json_lines) {
    Logger().set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})",
                         spdlog::pattern_time_type::utc);
  }
}

Result<Level> ParseLevel(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "info") return Level::kInfo;
  if (name == "warn") return Level::kWarn;
  if (name == "error") return Level::kError;
  return Fail(ErrorKind::kInvalidInput, "log level '{}' is not one of debug, info, warn, error",
              name);
}

bool Enabled(Level level) { return Logger().should_log(ToSpdlog(level)); }

void Write(Level level, std::string_view component, std::string_view message) {
  if (!json_lines) {
    Logger().log(ToSpdlog(level), "{}: {}", component, message);
    return;
  }
  std::string line = "\"component\":\"";
  AppendJsonEscaped(line, component);
  line += "\",\"message\":\"";
  AppendJsonEscaped(line, message);
  line += '"';
  Logger().log(ToSpdlog(level), "{}", line);
}

}  // namespace millrace::log
