"""Tables made by our own library on request (build/.../bin/table_probe), with what they must hold worked out here."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import pyarrow as pa

from judges import readers

NAME = "lake"  # the catalog's: part of every row, so readers must use it

# Iceberg's name, how a column of it is given to the probe (JSON that Arrow parses), and what readers must say (readers.py's plain form).
SAMPLES: dict[str, list[tuple[Any, Any]]] = {
    "boolean": [(True, True), (False, False)],
    "int": [(-2147483648, -2147483648), (7, 7), (2147483647, 2147483647)],
    "long": [(-9223372036854775808, -9223372036854775808), (12, 12), (9223372036854775807, 9223372036854775807)],
    "float": [(1.5, 1.5), (-0.25, -0.25), ("NaN", "NaN")],
    "double": [(2.5, 2.5), (-1e300, -1e300), ("NaN", "NaN"), ("Inf", "Infinity")],
    "decimal(9, 2)": [("1234567.89", "1234567.89"), ("-0.01", "-0.01"), ("0.00", "0.00")],
    "decimal(18, 4)": [("99999999999999.9999", "99999999999999.9999"), ("-1.0000", "-1.0000")],
    "decimal(38, 10)": [("1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"), ("-0.0000000001", "-0.0000000001")],
    "date": [(0, "1970-01-01"), (-719162, "0001-01-01"), (20781, "2026-11-24")],
    "time": [(0, "00:00:00.000000"), (86399999999, "23:59:59.999999")],
    "timestamp": [(1, "1970-01-01T00:00:00.000001"), (-1, "1969-12-31T23:59:59.999999"), (1795560000123456, "2026-11-24T22:40:00.123456")],
    "timestamptz": [(1, "1970-01-01T00:00:00.000001+00:00"), (1795560000123456, "2026-11-24T22:40:00.123456+00:00")],
    "string": [("", ""), ("zażółć gęślą jaźń 𝄞 0123456789", "zażółć gęślą jaźń 𝄞 0123456789"), ("a" * 5000, "a" * 5000), ("\U0010ffff" * 20, "\U0010ffff" * 20)],
    "binary": [("abc", "616263"), ("", "")],
    "uuid": [("0123456789abcdef", "30313233-3435-3637-3839-616263646566")],
    "fixed[4]": [("abcd", "61626364")],
}


def field(id_: int, name: str, type_: Any, required: bool = False) -> dict:
    return {"id": id_, "name": name, "required": required, "type": type_}


def schema(*fields: dict, schema_id: int = 0, keys: list[int] | None = None) -> dict:
    made = {"type": "struct", "schema-id": schema_id, "fields": list(fields)}
    return made | {"identifier-field-ids": keys} if keys else made


UNPARTITIONED = {"spec-id": 0, "fields": []}


def by_identity(source_id: int, name: str) -> dict:
    return {"spec-id": 0, "fields": [{"source-id": source_id, "field-id": 1000, "name": name, "transform": "identity"}]}


class ProbeError(AssertionError):
    pass


class Probe:
    def __init__(self, binary: pathlib.Path, folder: pathlib.Path):
        self.binary = binary
        self.folder = folder
        self.db = folder / "catalog.db"
        self._process = subprocess.Popen([str(binary), str(folder), NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def __call__(self, op: str, table: str, **arguments: Any) -> dict:
        self._process.stdin.write(json.dumps({"op": op, "table": table} | arguments) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ProbeError(f"{op} {table}: {answer['error']}: {answer['message']}")
        return answer

    def append(self, table: str, columns: list[list[Any]], partition: list[Any] | None = None, **more: Any) -> dict:
        return self.append_parts(table, [(partition or [], columns)], **more)

    def append_parts(self, table: str, parts: list[tuple[list[Any], list[list[Any]]]], **more: Any) -> dict:
        texts = [{"partition": p, "columns": [json.dumps(c, ensure_ascii=False).replace('"NaN"', "NaN").replace('"Inf"', "Inf") for c in cs]} for p, cs in parts]
        return self("append", table, parts=texts, **more)

    def scan(self, table: str, where: list | None = None) -> tuple[list[readers.Row], dict]:
        out = self.folder / "scan.arrow"
        answer = self("scan", table, out=str(out), where=where or [])
        with pa.OSFile(str(out)) as file:
            return readers.rows_of(pa.ipc.open_file(file).read_all()), answer
