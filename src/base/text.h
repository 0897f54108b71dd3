#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Small operations on ASCII text.
namespace millrace {

std::vector<std::string_view> Split(std::string_view text, char separator);  // "" gives no parts
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
std::string ToLower(std::string_view text);
std::string_view Trim(std::string_view text);
std::string ToHex(std::string_view bytes);  // lower case
std::optional<std::string> FromHex(
    std::string_view hex);                     // either case; nullopt when odd or not hex
std::string ToBase64(std::string_view bytes);  // standard alphabet, padded
std::optional<std::string> FromBase64(std::string_view text);

// The whole text as a decimal integer, or nullopt.
template <typename Int>
std::optional<Int> ParseInt(std::string_view text) {
  Int value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace millrace
