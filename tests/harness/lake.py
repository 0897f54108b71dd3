"""The lake as outsiders read it: PyIceberg over the SQLite catalog, and DuckDB's Iceberg extension over the table's metadata file.

Nothing here uses a line of Millrace's own reader.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sqlite3

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError

CATALOG = "millrace"


class Lake:
    def __init__(self, root: pathlib.Path):
        self.root = pathlib.Path(root)
        self.bronze = self.root / "bronze"
        self.catalog_file = self.root / "catalog.db"

    def catalog(self) -> SqlCatalog:
        # A new one each time: nothing that an earlier look cached may hide a later commit.
        return SqlCatalog(CATALOG, uri=f"sqlite:///{self.catalog_file}", warehouse=f"file://{self.root}/warehouse",
                          init_catalog_tables="false")

    def tables(self) -> list[str]:
        if not self.catalog_file.exists():
            return []
        with sqlite3.connect(f"file:{self.catalog_file}?mode=ro", uri=True, timeout=30) as db:
            try:
                rows = db.execute("SELECT table_namespace, table_name FROM iceberg_tables WHERE catalog_name = ?", [CATALOG]).fetchall()
            except sqlite3.OperationalError:  # before the first commit
                return []
        return sorted(f"{namespace}.{name}" for namespace, name in rows)

    def metadata_location(self, table: str) -> str:
        namespace, name = table.split(".", 1)
        with sqlite3.connect(f"file:{self.catalog_file}?mode=ro", uri=True, timeout=30) as db:
            row = db.execute("SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
                             [CATALOG, namespace, name]).fetchone()
        if row is None:
            raise NoSuchTableError(f"{table}; the catalog has {self.tables()}")
        return row[0]

    def read(self, table: str, engine: str = "pyiceberg") -> pa.Table:
        """All rows, engine 'pyiceberg' or 'duckdb'."""
        if engine == "pyiceberg":
            return self.catalog().load_table(table).scan().to_arrow()
        if engine == "duckdb":
            location = self.metadata_location(table).removeprefix("file://")
            with duckdb_with_iceberg() as db:
                result = db.execute(f"SELECT * FROM iceberg_scan('{location}')").arrow()
                return result.read_all() if isinstance(result, pa.RecordBatchReader) else result
        raise ValueError(engine)

    def commits(self) -> list[dict]:
        """Bronze's commit files in order."""
        return [json.loads(path.read_text()) for path in sorted((self.bronze / "_commits").glob("*.json"))]

    def cuts(self) -> list[dict]:
        if "_millrace.cuts" not in self.tables():
            return []
        return sorted(self.catalog().load_table("_millrace.cuts").scan().to_arrow().to_pylist(), key=lambda row: row["cut"])


def duckdb_with_iceberg() -> duckdb.DuckDBPyConnection:
    """A DuckDB with the Iceberg extension of the Python environment: nothing is downloaded."""
    db = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    db.execute("SET TimeZone = 'UTC'")
    for extension in ("avro", "iceberg"):
        package = importlib.util.find_spec(f"duckdb_extension_{extension}")
        (file,) = pathlib.Path(package.submodule_search_locations[0]).rglob(f"{extension}.duckdb_extension")
        db.execute(f"LOAD '{file}'")
    return db
