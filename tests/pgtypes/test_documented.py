"""docs/formats/types.md has a row for every type that the code knows and for every type that these tests show."""

from __future__ import annotations

import pathlib
import re

from pgtypes.edge_values import EDGES, PREPARE

ROOT = pathlib.Path(__file__).resolve().parents[2]


def first_column() -> str:
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs/formats/types.md").read_text(), re.MULTILINE)
    return "\n".join(rows[1:])


def named(type: str) -> bool:
    return re.search(rf"(?<![\w\"]){re.escape(type)}(?![\w\"])", first_column()) is not None


def test_every_row_of_the_type_table():
    source = (ROOT / "src/adapter/source_postgres/events/type_table.cc").read_text()
    internal = {"bool": "boolean", "bpchar": "char(n)", "char": '"char"'}
    names = re.findall(r'TypeRow\{\d+, "(\w+)"', source)
    assert len(names) > 20
    assert not [n for n in names if not named(internal.get(n, n))]


def test_every_type_that_is_shown_to_come_back():
    own = {n: "domains" if kind == "DOMAIN" else "enums" if " AS ENUM" in rest else "ranges" if " AS RANGE" in rest else "composites"
           for kind, n, rest in re.findall(r"CREATE (TYPE|DOMAIN) (\w+)( AS [^;]*);", PREPARE)}
    other = {"bpchar": "char(n)", "int": "integer", "bool": "boolean"}
    wrong = []
    for edge in EDGES:
        type = re.sub(r" DEFAULT.*|\(.*?\)| year to month", "", edge.type).removesuffix("[][]").removesuffix("[]").removeprefix("audit.")
        type = other.get(type, type)
        type = re.sub(r"\w+multirange", "multiranges", own.get(type, type))
        if not named(type):
            wrong.append(edge.type)
    assert not wrong, wrong
