"""Random types with random values that PostgreSQL makes itself; what PyIceberg reads of them is PostgreSQL's text again.

Each seed is a table of random columns; its rows come through the snapshot, through INSERT and through UPDATE.
"""

from __future__ import annotations

import pathlib
import random

from harness import compare

FUNCTIONS = (pathlib.Path(__file__).parent / "random_values.sql").read_text()
ROWS, COLUMNS = 60, 24


def _numeric(rng: random.Random) -> tuple[str, str]:
    precision = rng.choice([1, 5, 9, 18, 19, 38, 50])
    scale = rng.choice([0, 1, 2, precision, rng.randint(0, precision)])
    # Scales below zero and above the precision came with PostgreSQL 15.
    return f"numeric({precision},{scale})", f"rnd.numeric({precision}, {scale})"


def _sized(type: str, value: str):
    def make(rng: random.Random) -> tuple[str, str]:
        n = rng.choice([1, 3, 8, 17, 64])
        return type.format(n=n), value.format(n=n)
    return make


def _precise(type: str, value: str):
    """With a precision of 0 to 6, or none."""
    def make(rng: random.Random) -> tuple[str, str]:
        return type.format(p=rng.choice(["", *(f"({i})" for i in range(7))])), value
    return make


def _plain(type: str, value: str):
    return lambda rng: (type, value)


SCALARS = (
    _plain("boolean", "random() < 0.5"), _plain("smallint", "(random() * 65535 - 32768)::int::smallint"), _plain("int", "(random() * 4294967295 - 2147483648)::bigint::int"),
    _plain("bigint", "('x' || left(md5(random()::text), 16))::bit(64)::bigint"), _plain("oid", "(random() * 4294967295)::bigint::oid"),
    _plain("real", "rnd.float(8, -37, 37)::real"), _plain("double precision", "rnd.float(17, -300, 300)"), _plain("numeric", "rnd.anynumeric()"), _numeric, _numeric,
    _plain("money", "(random() * 1e15 - 5e14)::numeric(18,2)::money"), _plain("text", "rnd.text(60)"), _sized("varchar({n})", "left(rnd.text({n}), {n})"),
    _sized("char({n})", "left(rnd.text({n}), {n})"), _plain("name", "left(rnd.text(15), 15)::name"), _plain("citext", "rnd.text(12)::citext"),
    _plain('"char"', "chr(1 + rnd.upto(126))::\"char\""), _plain("bytea", "substr(rnd.bytes(100), 1, rnd.upto(100))"), _plain("date", "rnd.date()"), _precise("time{p}", "rnd.time()"),
    _precise("timetz{p}", "(rnd.time()::text || rnd.pick('+00', '-07', '+05:45', '-15:59:59'))::timetz"), _precise("timestamp{p}", "rnd.timestamp()"),
    _precise("timestamptz{p}", "rnd.timestamp() AT TIME ZONE 'UTC'"), _precise("interval{p}", "rnd.interval()"), _plain("uuid", "md5(random()::text)::uuid"),
    _plain("json", "rnd.json()::json"), _plain("jsonb", "rnd.json()::jsonb"), _plain("inet", "rnd.address()::inet"), _plain("cidr", "network(rnd.address()::inet)"),
    _plain("macaddr", "left(md5(random()::text), 12)::macaddr"), _plain("macaddr8", "left(md5(random()::text), 16)::macaddr8"),
    _sized("bit({n})", "right(repeat(('x' || md5(random()::text))::bit(128)::text, 1), {n})::bit({n})"), _plain("varbit", "left(('x' || md5(random()::text))::bit(128)::text, rnd.upto(128))::varbit"),
    _plain("point", "point(rnd.float(17, -9, 9), rnd.float(17, -9, 9))"), _plain("box", "box(point(random(), random()), point(random(), 5))"),
    _plain("rnd.mood", "rnd.pick('sad', 'so so', 'it''s \"odd\", {really}', 'NULL')::rnd.mood"), _plain("rnd.pair", "ROW(rnd.upto(9), rnd.text(9))::rnd.pair"), _plain("rnd.twice", "rnd.numeric(14, 2)"),
    _plain("int4range", "int4range((rnd.bounds(9))[1], NULL)"), _plain("numrange", "rnd.range('1.50', '2.25')::numrange"), _plain("daterange", "rnd.range('2024-01-01', 'infinity')::daterange"),
    _plain("tstzrange", "tstzrange(NULL, rnd.timestamp() AT TIME ZONE 'UTC')"), _plain("int4multirange", "int4multirange(int4range(1, 1 + rnd.upto(5)), int4range(9, 9 + rnd.upto(5)))"),
    _plain("tsvector", "to_tsvector('simple', rnd.text(40))"), _plain("tsquery", "plainto_tsquery('simple', rnd.text(20))"), _plain("ltree", "('a.' || rnd.digits(5))::ltree"),
    _plain("pg_lsn", "('1/' || left(md5(random()::text), 8))::pg_lsn"), _plain("xid8", "(rnd.digits(18))::xid8"), _plain("audit.hstore", "audit.hstore(rnd.text(5), rnd.text(9))"),
)


def column(rng: random.Random) -> tuple[str, str]:
    """(type, SQL expression of a random value)."""
    type, value = rng.choice(SCALARS)(rng)
    if rng.random() < 0.35:
        return f"{type}[]", f"rnd.shape(ARRAY[{value}, {value}, {value}]::{type}[])"
    return type, value


def test_random_values(database, audit, millrace, seed):
    rng = random.Random(seed)
    columns = [column(rng) for _ in range(COLUMNS)]
    values = ", ".join(f"CASE WHEN random() < 0.1 THEN NULL ELSE {value} END" for _, value in columns)
    names = [f"c{i}" for i in range(COLUMNS)]
    database.execute(FUNCTIONS)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, " + ", ".join(f"{n} {type}" for n, (type, _) in zip(names, columns)) + ")")

    def insert(first: int) -> str:
        return f"INSERT INTO t SELECT i, {values} FROM generate_series({first}, {first + ROWS - 1}) i"

    with database.connect() as c:
        c.execute("SELECT setseed(%s)", [seed % 1000 / 1000])
        c.execute(insert(1))
        millrace.catch_up()
        c.execute(insert(1001))
        c.execute(f"UPDATE t SET ({', '.join(names)}) = (SELECT {values} WHERE t.id > 0) WHERE id % 3 = 0")
    millrace.catch_up()
    assert compare.check(audit, millrace.lake, compare.tables_of(audit), engines=("pyiceberg",)) == 2 * ROWS + 2 * ROWS // 3
