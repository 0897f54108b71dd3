"""Values as a reader of Iceberg sees them -> the text that PostgreSQL prints for them.

Written from PostgreSQL's documentation and checked against the server itself (oracle/test_pgtext.py). Session settings are those of
postgres.TEXT_SETTINGS. What is one value with two texts is canonicalised on both sides by `canonical`: the display scale of a numeric
that is unconstrained or has more than 38 digits behind the point, whose Iceberg type has a scale of its own, and the last digit of floats whose shortest form lies just half way to the
neighbour, which PostgreSQL rounds apart from everyone else.
"""

from __future__ import annotations

import decimal
import re

import numpy
import pyarrow as pa

_DAY_US = 86_400_000_000


def column_texts(array: pa.ChunkedArray | pa.Array, pg_type: str) -> list[str | None]:
    """`pg_type` as format_type() gives it."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        element = pg_type[:-2] if pg_type.endswith("[]") else pg_type
        texts = column_texts(array.flatten(), element)
        result, at = [], 0
        for valid, length in zip(array.is_valid().to_pylist(), array.value_lengths().to_pylist()):
            if not valid:
                result.append(None)
                continue
            delimiter = ";" if element == "box" else ","
            result.append("{" + delimiter.join(_array_item(t, delimiter) for t in texts[at:at + length]) + "}")
            at += length
        return result
    if pa.types.is_boolean(kind):
        return [None if v is None else "t" if v else "f" for v in array.to_pylist()]
    if pa.types.is_integer(kind):
        return [None if v is None else str(v) for v in array.to_pylist()]
    if pa.types.is_float32(kind):
        return [None if v is None else float_text(numpy.float32(v)) for v in array.to_pylist()]
    if pa.types.is_float64(kind):
        return [None if v is None else float_text(numpy.float64(v)) for v in array.to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if v is None else numeric_text(v, pg_type) for v in array.to_pylist()]
    if pa.types.is_date(kind):
        return [None if v is None else date_text(v) for v in array.cast(pa.int32()).to_pylist()]
    if pa.types.is_time(kind):
        return [None if v is None else time_text(v) for v in array.cast(pa.time64("us")).cast(pa.int64()).to_pylist()]
    if pa.types.is_timestamp(kind):
        zone = "" if kind.tz is None else "+00"
        micros = array.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64()).to_pylist()
        return [None if v is None else timestamp_text(v, zone) for v in micros]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        values = array.to_pylist()
        if pg_type == "uuid":
            return [None if v is None else re.sub(r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5", v.hex()) for v in values]
        return [None if v is None else "\\x" + v.hex() for v in values]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return array.to_pylist()
    raise TypeError(f"no PostgreSQL text known for Arrow type {kind} (of {pg_type})")


def canonical(text: str | None, pg_type: str) -> str | None:
    """The form in which both sides are compared."""
    if text is None:
        return None
    element = pg_type.removesuffix("[]")
    if element == "numeric" or (scale := re.fullmatch(r"numeric\(\d+,(\d+)\)", element)) and int(scale[1]) > 38:
        return re.sub(r"-?\d+\.\d+", lambda m: _trim_scale(m[0]), text)
    if element in ("real", "double precision"):
        kind = numpy.float32 if element == "real" else numpy.float64
        bounds, equals, values = text.rpartition("=")
        return bounds + equals + re.sub(r"[^{},]+", lambda m: m[0] if m[0] == "NULL" else float_text(kind(m[0])), values)
    return text


def _trim_scale(text: str) -> str:
    trimmed = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if trimmed == "-0" else trimmed


def _array_item(text: str | None, delimiter: str) -> str:
    if text is None:
        return "NULL"
    # Blanks of array_out are ASCII's.
    if text == "" or text.upper() == "NULL" or re.search(r'[{}"\\ \t\n\v\f\r' + delimiter + "]", text):
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return text


def float_text(value: numpy.floating) -> str:
    """The shortest digits that read back the same; an exponent below 1e-4 and from 1e15 (float8) or 1e6 (float4) on."""
    if numpy.isnan(value):
        return "NaN"
    if numpy.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if numpy.signbit(value) else "0"
    scientific = numpy.format_float_scientific(value, unique=True, trim="-", exp_digits=2)
    mantissa, exponent = scientific.split("e")
    if -4 <= int(exponent) < (6 if isinstance(value, numpy.float32) else 15):
        return numpy.format_float_positional(value, unique=True, trim="-")
    return f"{mantissa}e{exponent}"


def numeric_text(value: decimal.Decimal, pg_type: str) -> str:
    scale = re.search(r"\(\d+,(-?\d+)\)", pg_type)
    text = f"{value:f}"
    if scale is None and pg_type != "numeric":  # numeric(10)
        return text.split(".")[0]
    if scale is not None and int(scale[1]) <= 0:
        return text.split(".")[0]
    return "0" + text[2:] if text.startswith("-0") and value == 0 else text


def civil(days: int) -> tuple[int, int, int]:
    """Days since 1970-01-01 -> proleptic Gregorian year (astronomical), month, day."""
    z = days + 719_468
    era, doe = divmod(z, 146_097)
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day, month = doy - (153 * mp + 2) // 5 + 1, mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (1 if month <= 2 else 0), month, day


def date_text(days: int) -> str:
    year, month, day = civil(days)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"{1 - year:04d}-{month:02d}-{day:02d} BC"


def time_text(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def timestamp_text(micros: int, zone: str) -> str:
    days, rest = divmod(micros, _DAY_US)
    date = date_text(days)
    era = " BC" if date.endswith(" BC") else ""
    return f"{date.removesuffix(' BC')} {time_text(rest)}{zone}{era}"
