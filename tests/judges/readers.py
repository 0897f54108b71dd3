"""Our tables through readers that are not ours: PyIceberg, DuckDB's extension, Iceberg's Java library.

Each returns a list of rows as dicts whose values are in one plain form, so that the readers can be compared: decimals, dates, times
and uuids as text, timestamps as ISO text with six digits (timestamptz ends in +00:00), bytes as hex, NaN and infinities as text, structs
as dicts, maps as a sorted list of [key, value].

`where` is a conjunction: a list of (column, op, literal) with op one of = < <= > >= "is null" "is not null". DuckDB takes SQL text too,
PyIceberg any of its own expressions.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import glob
import hashlib
import json
import math
import os
import pathlib
import subprocess
import uuid
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg import expressions
from pyiceberg.catalog import load_catalog

Row = dict[str, Any]
Where = list[tuple]

_JAVA = pathlib.Path(__file__).parent / "java"
_CACHE = pathlib.Path(os.environ.get("MILLRACE_CACHE", pathlib.Path.home() / ".cache/millrace"))


def plain(value: Any, type_: pa.DataType) -> Any:
    """One Arrow value (as Python has it) in the common form."""
    if value is None:
        return None
    if isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    if pa.types.is_struct(type_):
        return {f.name: plain(value[f.name], f.type) for f in type_}
    if pa.types.is_map(type_):
        pairs = value.items() if isinstance(value, dict) else value
        return sorted(([plain(k, type_.key_type), plain(v, type_.item_type)] for k, v in pairs), key=repr)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return [plain(v, type_.value_type) for v in value]
    if pa.types.is_fixed_size_binary(type_) and type_.byte_width == 16:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value))  # our own Arrow form of a uuid
    return plain_scalar(value, utc=pa.types.is_timestamp(type_) and type_.tz is not None)


def plain_scalar(value: Any, utc: bool = False) -> Any:
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        if utc:
            return value.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, (datetime.date, uuid.UUID)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return value


def rows_of(table: pa.Table) -> list[Row]:
    return [{f.name: plain(row[f.name], f.type) for f in table.schema} for row in table.to_pylist()]


def in_order(rows: list[Row]) -> list[Row]:
    """Readers promise no order: sorted by content, for comparison."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def _condition(where: Where) -> str:
    terms = []
    for column, op, *literal in where:
        text = f'"{column}" {op}'
        if literal:
            value = literal[0]
            quoted = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
            text += " " + quoted
        terms.append(text)
    return " and ".join(terms)


def open_pyiceberg(catalog_db: str | os.PathLike, catalog_name: str, warehouse: str | None = None):
    """The catalog as PyIceberg opens it. `catalog_name` must be the one the tables were made under."""
    return load_catalog(catalog_name, type="sql", uri=f"sqlite:///{catalog_db}", warehouse=warehouse or "")


def read_pyiceberg(catalog_db, catalog_name: str, table: str, filter: Where | Any | None = None, snapshot_id: int | None = None) -> list[Row]:
    loaded = open_pyiceberg(catalog_db, catalog_name).load_table(table)
    if isinstance(filter, list) or filter is None:
        filter = _expression(filter or [])
    return rows_of(loaded.scan(row_filter=filter, snapshot_id=snapshot_id).to_arrow())


def _expression(where: Where) -> expressions.BooleanExpression:
    terms = {"=": expressions.EqualTo, "<": expressions.LessThan, "<=": expressions.LessThanOrEqual, ">": expressions.GreaterThan,
             ">=": expressions.GreaterThanOrEqual, "is null": expressions.IsNull, "is not null": expressions.NotNull}
    made: expressions.BooleanExpression = expressions.AlwaysTrue()
    for column, op, *literal in where:
        made = expressions.And(made, terms[op](column, *literal))
    return made


@functools.cache
def open_duckdb() -> duckdb.DuckDBPyConnection:
    """One DuckDB for all tests, with the avro and iceberg extensions of its own version, from the wheels beside it."""
    connection = duckdb.connect()
    site = pathlib.Path(duckdb.__file__).parent.parent
    for extension in ("avro", "iceberg"):
        (path,) = glob.glob(f"{site}/duckdb_extension_{extension}/extensions/v{duckdb.__version__}/{extension}.duckdb_extension")
        connection.execute(f"LOAD '{path}'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def read_duckdb(metadata_location: str, where: Where | str | None = None, snapshot_id: int | None = None) -> list[Row]:
    sql = f"SELECT * FROM iceberg_scan('{metadata_location}'" + (f", snapshot_from_id = {snapshot_id}" if snapshot_id else "") + ")"
    if where:
        sql += " WHERE " + (where if isinstance(where, str) else _condition(where))
    return rows_of(open_duckdb().execute(sql).to_arrow_table())


def _java_classpath() -> str:
    """Builds the judge once for each version of its sources: Maven brings the pinned libraries, javac compiles one file."""
    pom, source = _JAVA / "pom.xml", _JAVA / "Judge.java"
    home = _CACHE / "java" / hashlib.sha256(pom.read_bytes() + source.read_bytes()).hexdigest()[:12]
    lib = _CACHE / "java" / ("lib-" + hashlib.sha256(pom.read_bytes()).hexdigest()[:12])
    if not (lib / ".complete").exists():
        _run("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={lib}")
        (lib / ".complete").touch()
    if not (home / "Judge.class").exists():
        home.mkdir(parents=True, exist_ok=True)
        _run("javac", "-d", home, "-cp", f"{lib}/*", source)
    return f"{home}:{lib}/*"


def run_java(source: str, *arguments: object) -> list[str]:
    """Runs a single-file program of java/ on the judge's libraries; its output as lines."""
    return _run("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", _java_classpath(), _JAVA / source, *arguments).splitlines()


def _run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def read_java(metadata_location: str, where: Where | None = None, snapshot_id: int | None = None) -> list[Row]:
    arguments = [metadata_location, str(snapshot_id) if snapshot_id else "-"]
    for column, op, *literal in where or []:
        value = str(literal[0]).lower() if literal and isinstance(literal[0], bool) else str(literal[0]) if literal else "-"
        arguments += [column, {"is null": "null", "is not null": "notnull"}.get(op, op), value]
    out = _run("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", _java_classpath(), "Judge", *arguments)
    rows = [json.loads(line) for line in out.splitlines()]
    return [{name: _sort_maps(value) for name, value in row.items()} for row in rows]


def _sort_maps(value: Any) -> Any:
    """The Java judge writes a map as {"": pairs}, in no order."""
    if isinstance(value, dict) and value.keys() == {""}:
        return sorted(([_sort_maps(k), _sort_maps(v)] for k, v in value[""]), key=repr)
    if isinstance(value, dict):
        return {name: _sort_maps(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_sort_maps(item) for item in value]
    return value
