#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// Microseconds since 1970-01-01T00:00:00Z, as Iceberg's timestamptz holds them.
using Micros = int64_t;

inline constexpr Micros kMicrosPerSecond = 1'000'000;
inline constexpr Micros kMicrosPerDay = 86'400 * kMicrosPerSecond;
// PostgreSQL counts from 2000-01-01; its times plus this are Micros.
inline constexpr Micros kPostgresEpoch = 946'684'800 * kMicrosPerSecond;

Micros WallClockNow();

// Proleptic Gregorian calendar, any year; days since 1970-01-01.
struct CivilDate {
  int64_t year;  // astronomical: 0 is 1 BC
  int month;     // 1..12
  int day;       // 1..31
};
int64_t DaysFromCivil(const CivilDate& date);
CivilDate CivilFromDays(int64_t days);

// "2026-11-24T22:38:39.000123Z", always six fraction digits.
std::string FormatTimestamp(Micros t);
// Takes "2026-11-24", "2026-11-24 22:38:39[.f]" or with 'T', and an optional "Z" or "+hh[:mm]"; UTC
// when none is given.
std::optional<Micros> ParseTimestamp(std::string_view text);

}  // namespace millrace
