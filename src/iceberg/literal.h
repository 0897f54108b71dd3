#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "iceberg/type.h"

namespace millrace::iceberg {

__extension__ typedef __int128 Int128;

// A single value of a primitive type: null; boolean; int/date as int32_t; long/time/timestamp(tz)
// as int64_t; float; double; decimal as its unscaled Int128; string/binary/fixed/uuid as bytes.
using Literal =
    std::variant<std::monostate, bool, int32_t, int64_t, float, double, Int128, std::string>;

inline bool IsNull(const Literal& v) { return v.index() == 0; }

// Order of two non-null values of one type, or of types that promote to one (int and long, float
// and double): -0.0 below +0.0, NaN above all, bytes unsigned.
std::strong_ordering Compare(const Literal& a, const Literal& b);

// Spec Appendix D, binary single-value serialisation, as bounds are stored. Decoding takes promoted
// bounds by their length (a 4-byte bound of a long column is an int). nullopt where the bytes do
// not fit the type.
std::string ToBytes(const Literal& value, const Type& type);
std::optional<Literal> FromBytes(std::string_view bytes, const Type& type);

// Two's complement, big-endian, as few bytes as possible; and back (nullopt when empty or beyond
// 128 bits).
std::string DecimalBytes(Int128 unscaled);
std::optional<Int128> DecimalFromBytes(std::string_view bytes);
// Bytes that hold any unscaled value of so many digits: the width of a decimal in Avro and Parquet.
size_t DecimalRequiredBytes(int precision);

// The longest prefix of at most `count` whole code points; it ends early where the bytes are not
// UTF-8.
std::string_view FirstCodePoints(std::string_view text, size_t count);

// Bounds of at most 16 code points (string) or bytes (binary): S1, S2. The upper bound is nullopt
// when none can be made. Other types are returned whole.
std::string TruncateLower(std::string_view value, const Type& type);
std::optional<std::string> TruncateUpper(std::string_view value, const Type& type);

}  // namespace millrace::iceberg
