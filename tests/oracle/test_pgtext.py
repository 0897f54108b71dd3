"""The harness's text forms are PostgreSQL's own: random and edge values through the server and through Arrow."""

import datetime
import decimal
import random
import struct

import numpy
import pyarrow as pa
import pytest

from harness import pgtext


def _server_texts(database, values: list, pg_type: str) -> list[str]:
    with database.connect() as c:
        with c.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE v (i int, v {pg_type})")
            with cursor.copy("COPY v FROM STDIN") as copy:
                for i, value in enumerate(values):
                    copy.write_row((i, value))
            with cursor.copy("COPY (SELECT v FROM v ORDER BY i) TO STDOUT") as copy:
                return [row[0] for row in copy.rows()]


def test_floats(database):
    rng = random.Random(1)
    doubles = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(3000)] + [
        0.0, -0.0, 1e15, 1e14, 123456789012345.6, 1e-4, 1e-5, 0.1, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308]
    _expect_same(pa.array(doubles), _server_texts(database, [repr(v) for v in doubles], "float8"), "double precision")
    floats = [struct.unpack("<f", rng.randbytes(4))[0] for _ in range(3000)] + [0.0, -0.0, 1e6, 999999.0, 1e5, 1e-4, 9.9e-5, 0.1]
    singles = [numpy.float32(v) for v in floats]
    _expect_same(pa.array(singles, pa.float32()), _server_texts(database, [str(v) for v in singles], "float4"), "real")


def _expect_same(values: pa.Array, server: list[str], pg_type: str) -> None:
    texts = pgtext.column_texts(values, pg_type)
    assert sum(a != b for a, b in zip(texts, server)) < len(server) / 100
    assert [pgtext.canonical(t, pg_type) for t in texts] == [pgtext.canonical(t, pg_type) for t in server]


def test_dates_and_times(database):
    rng = random.Random(2)
    days = [rng.randint(-2_000_000, 2_932_896) for _ in range(500)] + [0, -1, -719_528, -719_529, -719_163]
    texts = pgtext.column_texts(pa.array(days, pa.int32()).cast(pa.date32()), "date")
    assert texts == _server_texts(database, texts, "date")
    epoch = datetime.date(1970, 1, 1)
    assert [pgtext.date_text(d) for d in range(-1000, 1000)] == [(epoch + datetime.timedelta(d)).isoformat() for d in range(-1000, 1000)]
    micros = [rng.randint(-10**17, 10**17) for _ in range(500)] + [0, -1, 1, 500_000, 1_000_000]
    texts = pgtext.column_texts(pa.array(micros, pa.timestamp("us", tz="UTC")), "timestamp with time zone")
    assert texts == _server_texts(database, texts, "timestamptz")
    texts = pgtext.column_texts(pa.array(micros, pa.timestamp("us")), "timestamp without time zone")
    assert texts == _server_texts(database, texts, "timestamp")
    assert pgtext.column_texts(pa.array([1_500_000], pa.time64("us")), "time without time zone") == ["00:00:01.5"]


def test_arrays(database):
    values = [["a,b", 'q"q', None, "", "NULL", "null", " x", "a\\b", "{", "plain", "tab\t"], [], ["é漢"]]
    texts = pgtext.column_texts(pa.array(values + [None]), "text[]")
    assert texts[:3] == _server_texts(database, texts[:3], "text[]")
    with database.connect() as c:
        assert [c.execute("SELECT %s::text[] = %s", [t, v]).fetchone()[0] for t, v in zip(texts, values)] == [True] * 3
    assert pgtext.column_texts(pa.array([[True, None]]), "boolean[]") == ["{t,NULL}"]
    assert pgtext.column_texts(pa.array([[b"\xde"]]), "bytea[]") == ['{"\\\\xde"}']


@pytest.mark.parametrize("text,pg_type,precision,scale", [("1.50", "numeric(12,2)", 12, 2), ("-0.05", "numeric(12,2)", 12, 2),
                                                          ("12300", "numeric(5,-2)", 7, 0), ("7", "numeric(10,0)", 10, 0)])
def test_numerics(database, text, pg_type, precision, scale):
    if pg_type == "numeric(5,-2)" and database.cluster.version < 150000:
        pytest.skip("scales below zero came with PostgreSQL 15")
    value = pa.array([decimal.Decimal(text)], pa.decimal128(precision, scale))
    assert pgtext.column_texts(value, pg_type) == _server_texts(database, [text], pg_type)


def test_unconstrained_numeric_loses_only_its_scale():
    assert pgtext.canonical("1.500", "numeric") == pgtext.canonical("1.5", "numeric") == "1.5"
    assert pgtext.canonical("100", "numeric") == "100"
    assert pgtext.canonical("-0.00", "numeric") == "0"
