"""The comparison itself: it accepts a right table, and notices each kind of wrong one."""

import datetime
import decimal
import sqlite3

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, DecimalType, IntegerType, LongType, NestedField, StringType, TimestamptzType

from harness import compare
from harness.lake import CATALOG, Lake
from harness.scd2 import Base, fold

_FIELDS = [("id", IntegerType()), ("a", StringType()), ("n", DecimalType(8, 2)), ("valid_from", TimestamptzType()), ("valid_to", TimestamptzType()),
           ("is_current", BooleanType()), ("is_deleted", BooleanType()), ("version", IntegerType()), ("_op", StringType()), ("_from_lsn", LongType()),
           ("_from_ord", LongType()), ("_to_lsn", LongType()), ("_to_ord", LongType())]


def _time(micros: int | None) -> datetime.datetime | None:
    return None if micros is None else datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=micros)


@pytest.fixture
def right_rows(database, audit):
    """What a right Silver would hold of table t."""
    database.execute("""
        CREATE TABLE t (id int PRIMARY KEY, a text, n numeric(8,2));
        INSERT INTO t VALUES (1, 'one', 1.50), (2, NULL, NULL), (3, 'x', 0);
        UPDATE t SET a = 'uno' WHERE id = 1; DELETE FROM t WHERE id = 2; BEGIN; UPDATE t SET n = 7; COMMIT;""")
    history = fold(audit.transactions(), audit.relation("t"), Base(), identity="key")
    ids = {c.name: c.attnum for c in history.columns}
    return [dict(id=int(v.row[ids["id"]]), a=v.row[ids["a"]], n=None if v.row[ids["n"]] is None else decimal.Decimal(v.row[ids["n"]]),
                 valid_from=_time(v.valid_from), valid_to=_time(v.valid_to), is_current=v.valid_to is None, is_deleted=v.deleted, version=v.number,
                 _op="c" if v.number == 1 else "u", _from_lsn=v.from_lsn, _from_ord=0, _to_lsn=v.to_lsn, _to_ord=None if v.to_lsn is None else 0)
            for v in history.versions]


def _lake(path, rows: list[dict]) -> Lake:
    lake = Lake(path)
    path.mkdir()
    catalog = SqlCatalog(CATALOG, uri=f"sqlite:///{lake.catalog_file}", warehouse=f"file://{path}/warehouse")
    catalog.create_namespace("silver")
    schema = Schema(*(NestedField(i, name, kind, required=False) for i, (name, kind) in enumerate(_FIELDS, 1)))
    table = catalog.create_table("silver.t", schema)
    table.append(pa.Table.from_pylist(rows, schema=table.scan().to_arrow().schema))
    assert sqlite3.connect(lake.catalog_file).execute("SELECT count(*) FROM iceberg_tables").fetchone() == (1,)
    return lake


def test_right_table_is_accepted(right_rows, audit, tmp_path):
    assert len(right_rows) == 6
    assert compare.check(audit, _lake(tmp_path / "lake", right_rows), compare.tables_of(audit)) == 12


def _without(rows):
    return rows[:-1]


def _doubled(rows):
    return rows + rows[-1:]


def _changed(**values):
    def change(rows):
        return [rows[0] | values, *rows[1:]]
    return change


@pytest.mark.parametrize("wrong", [
    _without, _doubled, _changed(a=None), _changed(a=""), _changed(n=decimal.Decimal("1.51")), _changed(version=2), _changed(is_deleted=True),
    _changed(valid_from=_time(5)), _changed(valid_to=_time(2**50)), _changed(_from_lsn=7), _changed(is_current=True, valid_to=None, _to_lsn=None, _to_ord=None)],
    ids=["lost", "doubled", "null", "empty", "number", "version", "deleted", "from", "to", "lsn", "open"])
def test_wrong_table_is_noticed(wrong, right_rows, audit, tmp_path):
    with pytest.raises(compare.Mismatch):
        compare.check(audit, _lake(tmp_path / "lake", wrong(right_rows)), compare.tables_of(audit))
