#pragma once

#include <string_view>

#include "base/byte_buffer.h"
#include "model/logical_type.h"

// A value's PostgreSQL text to its JSON form of the `exact` profile: docs/formats/types.md.
namespace millrace::postgres {

// How the values of one column are encoded; resolved once per table version. Encoders append
// exactly one JSON value and are safe on any bytes: text that is not of the type's usual shape
// becomes a JSON string.
struct ValueEncoder {
  // True when the value has a form of its kind; false when it went out as a string because it has
  // none (infinity, NaN in numeric, 24:00:00, far timestamps), which makes an array that holds it
  // go out as text.
  using Function = bool (*)(const ValueEncoder& self, std::string_view text, ByteBuffer& out);

  Function encode;
  Function element = nullptr;  // arrays: the encoder of an element
  char delimiter = ',';        // arrays: pg_type.typdelim of the element type

  bool Encode(std::string_view text, ByteBuffer& out) const { return encode(*this, text, out); }
};

// `delimiter` matters for arrays only.
ValueEncoder EncoderFor(const LogicalType& type, char delimiter = ',');

// Encodes the text of a one-dimensional array as a JSON array, others as a string.
bool EncodeArray(const ValueEncoder& self, std::string_view text, ByteBuffer& out);

}  // namespace millrace::postgres
