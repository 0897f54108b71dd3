#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"
#include "iceberg/literal.h"

// Texts of the exact profile as values: docs/formats/types.md.
namespace millrace::silver {

// "-12.30" as an unscaled number of this precision and scale; nullopt when it does not fit without
// rounding.
std::optional<iceberg::Int128> ParseDecimal(std::string_view text, int precision, int scale);
// Whether `text` is a numeric at all: digits with one point at most, or NaN, Infinity, -Infinity.
bool IsNumericText(std::string_view text);

// "2025-06-30T10:00:00.123456Z"; nullopt for every other shape.
std::optional<Micros> ParseTimestampTz(std::string_view text);

}  // namespace millrace::silver
