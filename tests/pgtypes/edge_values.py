"""A column of every PostgreSQL type, with values at the edges of it.

`held` are PostgreSQL texts of values that the Silver column takes, `beside` of those whose text has to go to `<column>__pg`
(docs/formats/types.md, the last column of its table). The first 94 columns are those of the golden samples (`all_types`).
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Edge:
    name: str
    type: str                      # as CREATE TABLE takes it, with a default where one follows
    held: tuple[str, ...]
    beside: tuple[str, ...] = ()

    def values(self) -> list[str]:
        return [*self.held, *self.beside]


def _edge(name: str, type: str, *held: str, beside: tuple[str, ...] = ()) -> Edge:
    return Edge(name, type, held, beside)


PREPARE = """
CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION isn; CREATE EXTENSION cube; CREATE EXTENSION seg;
CREATE TYPE order_status AS ENUM ('new', 'paid', 'in transit', 'it''s "odd", {really}', 'NULL', '');
CREATE TYPE comp AS (a int, b text);
CREATE TYPE nested AS (c comp, cs comp[], at timestamptz);
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN smallpos AS posint CHECK (VALUE < 1000);
CREATE DOMAIN money2 AS numeric(14,2);
CREATE DOMAIN short AS varchar(8);
CREATE DOMAIN ints AS int[];
CREATE DOMAIN wide AS nested;
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
"""

_FAR = "294276-12-31 23:59:59.999999"  # beyond 64 bits of microseconds since 1970
_LONG = "x" * 9000
_ODD = "tab\tnl\ncr\r\\ \"q\" 'a' \b\f\v\x01\x1f\x7f / é漢😀\u2028\ufeff"
_ARRAY_TEXT = r'{"a,b","q\"q",NULL,"",null,"NULL"," x ","back\\slash","{brace}",é漢😀,"line' + "\n" + r'feed"}'
_2D = ("{{1,2},{3,4}}", "{{{1}},{{2}}}", "[5:6]={1,2}", "[0:0]={NULL}")

EDGES = (
    _edge("c_bool", "boolean", "t", "f"),
    _edge("c_int2", "smallint", "-32768", "32767", "0"),
    _edge("c_int4", "int DEFAULT 42", "-2147483648", "2147483647", "0"),
    _edge("c_int8", "bigint", "-9223372036854775808", "9223372036854775807", "0"),
    _edge("c_oid", "oid", "4294967295", "0", "2147483648"),
    _edge("c_real", "real", "3.14159", "-0", "1e-45", "3.4028235e38", "1.17549435e-38", "16777217", "NaN", "Infinity", "-Infinity", "1e15", "0.0001", "8388609.5"),
    _edge("c_double", "double precision", "2.718281828459045", "-0", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308", "9007199254740993", "NaN", "Infinity",
          "-Infinity", "1e22", "1e-5", "0.1", "123456789012345680"),
    _edge("c_num", "numeric", "0", "1.5", "-0.000000000000000001", "99999999999999999999.999999999999999999", "-99999999999999999999", "2.50",
          beside=("NaN", "Infinity", "-Infinity", "123456789012345678901234567890.123456789", "1e-19", "1e400", "0.1234567890123456789", "-1e20")),
    _edge("c_num_p", "numeric(38,10)", "1234567890123456789012345678.0123456789", "-9999999999999999999999999999.9999999999", "0.0000000001", beside=("NaN",)),
    _edge("c_num_12_2", "numeric(12,2) DEFAULT 1.50", "9999999999.99", "-9999999999.99", "0", "-0.01", "12.30", beside=("NaN",)),
    _edge("c_num_0", "numeric(10)", "-9999999999", "0", "7", beside=("NaN",)),
    _edge("c_num_neg", "numeric(5,-2)", "12300", "-9999900", "0", beside=("NaN",)),
    _edge("c_money", "money", "$1,234.56", "-92233720368547758.08", "92233720368547758.07", "0"),
    _edge("c_char", "char(10)", "ab", "", "  ab", "漢字", "0123456789"),
    _edge("c_varchar", "varchar(20) DEFAULT 'dflt'", "varchar é", "", " trailing  ", "NULL", r"\N"),
    _edge("c_text", "text", _ODD, "", _LONG, "null", r"\.", "a" * 15 + "\\", "a" * 16 + '"', "\u0080\u07ff\u0800\uffff\U0010ffff"),
    _edge("c_qchar", '"char"', "x", "", "\\", r"\377", r"\200", "\n"),
    _edge("c_name", "name", "aname", "", "n" * 63, 'a "quoted" name'),
    _edge("c_citext", "citext", "CiText", "", "ÄÖ"),
    _edge("c_bytea", "bytea", r"\xdeadbeef00ff", r"\x", r"\x00", r"\x0001", r"\x000102", r"\x5c78", r"\x" + "ab" * 5000),
    _edge("c_date", "date", "2024-02-29", "0001-01-01", "0001-12-31 BC", "4714-11-24 BC", "5874897-12-31", "9999-12-31", "10000-01-01", "1970-01-01", "1969-12-31",
          "0005-02-29 BC", beside=("infinity", "-infinity")),
    _edge("c_time", "time", "00:00", "23:59:59.999999", "12:34:56.789012", "00:00:00.000001", beside=("24:00:00",)),
    _edge("c_time3", "time(3)", "12:34:56.789", "00:00", beside=("23:59:59.9999",)),
    _edge("c_time0", "time(0)", "23:59:59", beside=("23:59:59.5",)),
    _edge("c_timetz", "timetz", "12:34:56.789012+02", "24:00:00+00", "00:00:00-15:59", "00:00:00+15:59:59", "23:59:59.999999+05:45"),
    _edge("c_ts", "timestamp", "2024-02-29 12:34:56.789012", "1970-01-01", "1969-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC", "0001-12-31 23:59:59.999999 BC",
          "9999-12-31 23:59:59.999999", "10000-01-01", "294247-01-10 04:00:54.775807", "2024-12-31 23:59:60",
          beside=("infinity", "-infinity", _FAR, "294247-01-10 04:00:54.775808")),
    _edge("c_ts0", "timestamp(0)", "2024-02-29 12:34:57", beside=("-infinity",)),
    _edge("c_ts3", "timestamp(3)", "2024-02-29 12:34:56.789", "0044-03-15 12:00:00.5 BC", beside=("infinity",)),
    _edge("c_tstz", "timestamptz", "2024-02-29 12:34:56.789012+02", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "1970-01-01 00:00:00+00", "1900-01-01 00:00:00.1-15:59",
          beside=("infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "0001-12-31 23:59:59.999999+00 BC", "10000-01-01 00:00:00+00", _FAR + "+00")),
    _edge("c_tstz3", "timestamptz(3)", "2024-02-29 12:34:56.789+02", beside=("infinity",)),
    _edge("c_interval", "interval", "1 year 2 mons 3 days 04:05:06.789", "-178000000 years", "178000000 years", "00:00:00.000001", "-1 day +02:03:04", "0",
          "1 mon -1 days"),
    _edge("c_uuid", "uuid", "123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    _edge("c_json", "json", '{"b":1, "a" : [1,2], "b":2}', "null", '"\\u00e9 \\ud83d\\ude00"', "  [1.50, 1e400]  ", '""'),
    _edge("c_jsonb", "jsonb", '{"b":1, "a" : [1,2.50]}', "null", '"a\\"b\\\\c\\n"', "12345678901234567890.123456789012345678901234567890", "[]", "{}"),
    _edge("c_xml", "xml", '<a x="1">t</a>', "<?xml version=\"1.0\"?><r>é &amp; </r>", "text only"),
    _edge("c_hstore", "audit.hstore", 'k1=>v1, k2=>NULL, "q k"=>"a\\"b"', "", '"=>"=>"NULL"'),
    _edge("c_inet", "inet", "192.168.1.5/24", "::1", "::ffff:1.2.3.4/128", "0.0.0.0/0", "2001:db8::8a2e:370:7334/64"),
    _edge("c_cidr", "cidr", "10.0.0.0/8", "::/0", "2001:db8::/32"),
    _edge("c_macaddr", "macaddr", "08:00:2b:01:02:03", "00:00:00:00:00:00"),
    _edge("c_macaddr8", "macaddr8", "08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff"),
    _edge("c_bit1", "bit(1)", "1", "0"),
    _edge("c_bit8", "bit(8)", "10101010", "00000000"),
    _edge("c_bit70", "bit(70)", "10" * 35, "0" * 70),
    _edge("c_varbit", "varbit(20)", "10110", "", "1" * 20),
    _edge("c_point", "point", "(1.5,-2.25)", "(NaN,Infinity)", "(1e-300,-0)"),
    _edge("c_line", "line", "{1,2,3}", "{0,-1,1e100}"),
    _edge("c_lseg", "lseg", "[(0,0),(1,1)]"),
    _edge("c_box", "box", "(2,2),(0,0)"),
    _edge("c_path", "path", "[(0,0),(1,1)]", "((0,0),(1,1),(2,0.1))"),
    _edge("c_polygon", "polygon", "((0,0),(1,1),(2,0))"),
    _edge("c_circle", "circle", "<(1,2),3>", "<(0.1,0.2),0>"),
    _edge("c_enum", "order_status", "paid", "in transit", 'it\'s "odd", {really}', "NULL", ""),
    _edge("c_dom_int", "posint", "5", "2147483647"),
    _edge("c_dom_num", "money2", "99.95", "-999999999999.99", "0", beside=("NaN",)),
    _edge("c_dom_vc", "short", "short", "", "漢字漢字漢字漢字"),
    _edge("c_comp", "comp", '(1,"x y")', "(,)", '(-1,"a""b\\\\c, (d)")', '(0,"")', "(,NULL)"),
    _edge("c_int4range", "int4range", "[1,10)", "empty", "(,)", "[2147483646,)"),
    _edge("c_int8range", "int8range", "[1,10000000000)", "(,5)"),
    _edge("c_numrange", "numrange", "[1.5,2.50]", "(1.50,NaN)", "[-Infinity,Infinity]"),
    _edge("c_tsrange", "tsrange", "[2024-01-01 00:00,2024-01-02 00:00)", "[-infinity,infinity]", '["0044-03-15 00:00:00 BC",)'),
    _edge("c_tstzrange", "tstzrange", "[2024-01-01 00:00+00,2024-01-02 00:00+00)", "(,infinity)"),
    _edge("c_daterange", "daterange", "[2024-01-01,2024-01-31]", "[-infinity,infinity)", "[0044-03-15 BC,5874897-12-30]"),
    _edge("c_int4multirange", "int4multirange", "{[1,3),[5,8)}", "{}", "{(,)}"),
    _edge("c_tsvector", "tsvector", "a fat cat", "", "'it''s':1A,2B 'back\\\\slash':3"),
    _edge("c_tsquery", "tsquery", "fat & rat", "", "'a b' <-> !c:*A"),
    _edge("c_ltree", "ltree", "Top.Science", "", "a.b.c_1"),
    _edge("c_isbn", "isbn", "978-0-393-04002-9"),
    _edge("c_pg_lsn", "pg_lsn", "16/B374D848", "0/0", "FFFFFFFF/FFFFFFFF"),
    _edge("a_bool", "bool[]", "{t,f,NULL}", "{}"),
    _edge("a_int2", "smallint[]", "{1,-32768}", "{}"),
    _edge("a_int4", "int[]", "{1,NULL,3}", "{}", "{NULL}", "{2147483647,-2147483648}", beside=_2D),
    _edge("a_int8", "bigint[]", "{9223372036854775807,-9223372036854775808}"),
    _edge("a_real", "real[]", "{1.5,2.5}", "{NaN,Infinity,-Infinity,-0,1e-45,3.4028235e38}"),
    _edge("a_double", "double precision[]", "{1.1,NaN,Infinity}", "{-0,5e-324,1.7976931348623157e308,0,1e22}"),
    _edge("a_num", "numeric(10,2)[]", "{1.10,NULL,2.25}", "{-99999999.99}", beside=("{NaN}", "{1.10,NaN}")),
    _edge("a_char", "char(3)[]", "{ab,abc}", '{"",NULL}'),
    _edge("a_varchar", "varchar(10)[]", '{x,"y z"}'),
    _edge("a_text", "text[]", _ARRAY_TEXT, "{}", "{" + _LONG + "}", r'{"\\.","\\N","\t"}', beside=("{{a,b},{NULL,\"c d\"}}",)),
    _edge("a_date", "date[]", "{2024-01-01,1970-01-01}", '{"0044-03-15 BC",NULL}', beside=("{infinity}", "{2024-01-01,-infinity,NULL}")),
    _edge("a_time", "time[]", "{12:34:56.789012}", beside=("{24:00:00,00:00:00}",)),
    _edge("a_ts", "timestamp[]", '{"2024-02-29 12:34:56.789012"}', '{"0044-03-15 00:00:00 BC"}', beside=("{infinity}", '{"' + _FAR + '"}')),
    _edge("a_tstz", "timestamptz[]", '{"2024-02-29 12:34:56.789012+00"}', "{NULL}", beside=('{"0044-03-15 00:00:00+00 BC"}', "{-infinity,NULL}")),
    _edge("a_uuid", "uuid[]", "{123e4567-e89b-12d3-a456-426614174000}"),
    _edge("a_json", "json[]", '{"{\\"a\\":1}","[1]","null",NULL}'),
    _edge("a_jsonb", "jsonb[]", '{"{\\"a\\": 1}","[1]"}'),
    _edge("a_enum", "order_status[]", '{new,"in transit"}', '{"NULL","",NULL}'),
    _edge("a_inet", "inet[]", "{1.2.3.4}"),
    _edge("a_bytea", "bytea[]", '{"\\\\xdead","\\\\x",NULL}'),
    _edge("a_hstore", "audit.hstore[]", '{"\\"a\\"=>\\"1\\""}'),
    _edge("a_citext", "citext[]", "{A,b}"),
    _edge("a_int4_2d", "int[][]", "{1}", beside=("{{1,2},{3,4}}",)),
    _edge("a_interval", "interval[]", '{"1 day"}'),
    _edge("a_range", "int4range[]", '{"[1,2)"}'),
    # Beyond the golden samples.
    _edge("d_two_domains", "smallpos", "1", "999"),
    _edge("d_ints", "ints", "{1,2}", "{}", beside=("{{1}}",)),
    _edge("d_wide", "wide", '("(1,x)","{""(2,\\\\""y z\\\\"")""}","2024-01-01 00:00:00+00")'),
    _edge("d_nested", "nested", '("(1,""x y"")",,infinity)', "(,,)"),
    _edge("d_doms", "money2[]", "{1.50,NULL}", beside=("{NaN}",)),
    _edge("d_ints_array", "ints[]", "{}", '{"{1,2}"}'),
    _edge("n_big", "numeric(60,10)", "1234567890123456789012345678.0000000001", beside=("99999999999999999999999999999999999999999999999999.5", "NaN")),
    _edge("n_small", "numeric(3,8)", "0.00000999", "-0.00000001", beside=("NaN",)),
    _edge("n_tiny", "numeric(2,50)", "0", beside=("0." + "0" * 48 + "99", "NaN")),
    _edge("n_huge", "numeric(5,-100)", "0", beside=("99999" + "0" * 100, "-1" + "0" * 100)),
    _edge("a_num_any", "numeric[]", "{1.5,-2}", "{NULL}", beside=("{1e30}", "{1e-19,2}", "{NaN}")),
    _edge("i_ym", "interval year to month", "1 year 2 mons"),
    _edge("i_p", "interval(2)", "1.237 seconds"),
    _edge("x_bpchar", "bpchar", "a  ", "", "  b"),
    _edge("x_name", "name[]", "{a,b}"),
    _edge("x_box", "box[]", "{(2,2),(0,0);(1,1),(0,0)}"),
    _edge("x_oidvector", "oidvector", "1 2 3", ""),
    _edge("x_int2vector", "int2vector", "1 -2 3", ""),
    _edge("x_regclass", "regclass", "pg_class", "public.t", "0"),
    _edge("x_regtype", "regtype", "numeric", "double precision"),
    _edge("x_regproc", "regprocedure", "sum(int4)"),
    _edge("x_regrole", "regrole", "postgres"),
    _edge("x_xid", "xid", "4294967295", "0"),
    _edge("x_xid8", "xid8", "18446744073709551615"),
    _edge("x_cid", "cid", "7"),
    _edge("x_tid", "tid", "(4294967295,65535)"),
    _edge("x_snapshot", "pg_snapshot", "10:20:10,14,15"),
    _edge("x_jsonpath", "jsonpath", '$."a"[*]?(@ > 1)'),
    _edge("x_multi", "datemultirange", "{[2024-01-01,2024-01-05),[2024-02-01,)}"),
    _edge("x_floatrange", "floatrange", "[0.1,1e300)"),
    _edge("x_cube", "cube", "(1, 2),(3, 4)", "(0.1)"),
    _edge("x_seg", "seg", "1.5 .. 2.50", "<3"),
    _edge("x_enum_array", "comp[]", '{"(1,\\"x y\\")",NULL,"(,)"}'),
    _edge("x_bits", "bit(3)[]", "{101,NULL}"),
    _edge("x_money", "money[]", '{"$1,234.56"}'),
    _edge("x_oids", "oid[]", "{4294967295,0}"),
    _edge("x_point", "point[]", '{"(1,2)"}'),
)

ROWS = max(len(e.values()) for e in EDGES)


def edges(server_version: int) -> list[Edge]:
    """Those that a server of this version has: scales below zero and above the precision, and octal "char"s, came with PostgreSQL 15."""
    if server_version >= 150000:
        return list(EDGES)
    return [dataclasses.replace(e, held=tuple(v for v in e.held if e.name != "c_qchar" or len(v) < 2))
            for e in EDGES if e.name not in ("c_num_neg", "n_small", "n_tiny", "n_huge")]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def create(table: str, columns: list[Edge]) -> str:
    return f"CREATE TABLE {table} (id int PRIMARY KEY, " + ", ".join(f"{e.name} {e.type}" for e in columns) + ")"


def insert(table: str, columns: list[Edge], first_id: int) -> str:
    """ROWS rows, each value of each column in at least one of them; then one of NULLs, where defaults stand for some."""
    rows = []
    for i in range(ROWS):
        rows.append(f"({first_id + i}, " + ", ".join(literal(e.values()[i % len(e.values())]) for e in columns) + ")")
    rows.append(f"({first_id + ROWS}, " + ", ".join("NULL" for _ in columns) + ")")
    return f"INSERT INTO {table} VALUES " + ", ".join(rows)


def turn(table: str, columns: list[Edge]) -> str:
    """Every row takes the values of the next one."""
    names = ", ".join(e.name for e in columns)
    return (f"UPDATE {table} t SET ({names}) = (SELECT {names} FROM {table} s WHERE s.id > t.id OR t.id = (SELECT max(id) FROM {table}) "
            "ORDER BY s.id LIMIT 1)")
