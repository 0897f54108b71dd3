"""PyIceberg and Iceberg's Java library as other writers of the same catalog: we read what it wrote, write on top of it, and lose nothing when both write at once."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, DecimalType, DoubleType, IntegerType, ListType, LongType, NestedField, StringType, TimestamptzType

from judges import readers
from judges.probe import NAME, UNPARTITIONED, Probe, ProbeError, field, schema
from judges.test_table_readers import check, people, probe  # noqa: F401  (a fixture)


def catalog_of(probe: Probe):
    return readers.open_pyiceberg(probe.db, NAME, warehouse=f"file://{probe.folder}")


def started(probe: Probe) -> Probe:
    """The probe opens its catalog at its first command."""
    probe("create", "first", schema=schema(field(1, "id", "long")), spec=UNPARTITIONED)
    return probe


def test_we_read_what_pyiceberg_wrote(probe: Probe):
    started(probe)
    catalog = catalog_of(probe)
    made = Schema(
        NestedField(1, "id", LongType(), required=False), NestedField(2, "name", StringType(), required=False),
        NestedField(3, "n", IntegerType(), required=False), NestedField(4, "d", DecimalType(10, 2), required=False),
        NestedField(5, "t", TimestamptzType(), required=False), NestedField(6, "l", ListType(7, DoubleType(), element_required=False), required=False))
    table = catalog.create_table("silver.foreign", made)
    arrow = table.schema().as_arrow()
    rows = [{"id": i, "name": f"n{i}", "n": i % 3, "d": None, "t": 1_000_000 * i, "l": [0.5, None]} for i in range(100)]
    table.append(pa.Table.from_pylist(rows, schema=arrow))
    table.delete("id < 10")
    table.overwrite(pa.Table.from_pylist([{"id": 50, "name": "new"}], schema=arrow), "id == 50")
    with table.update_schema() as update:
        update.rename_column("name", "label")
        update.update_column("n", LongType())
        update.add_column("more", BooleanType())
        update.delete_column("t")
    with table.update_schema() as update:
        update.move_first("more")
    table.append(pa.Table.from_pylist([{"id": 1000, "label": "z", "more": True, "n": 2**40}], schema=table.schema().as_arrow()))
    expected = readers.in_order(readers.read_pyiceberg(probe.db, NAME, "silver.foreign"))
    assert len(expected) == 91 and expected[0].keys() == {"more", "id", "label", "n", "d", "l"}
    assert readers.in_order(probe.scan("foreign")[0]) == expected
    # Its bounds prune for us, and only what cannot match.
    found, plan = probe.scan("foreign", [["id", "=", 1000]])
    assert {"more": True, "id": 1000, "label": "z", "n": 2**40, "d": None, "l": None} in found
    assert plan["files_skipped"] > 0


def test_we_write_on_top_of_pyiceberg(probe: Probe):
    started(probe)
    table = catalog_of(probe).create_table("silver.foreign", Schema(NestedField(1, "id", LongType(), required=False), NestedField(2, "s", StringType(), required=False)))
    table.append(pa.Table.from_pylist([{"id": i, "s": "a"} for i in range(20)], schema=table.schema().as_arrow()))
    probe.append("foreign", [[100, 101], ["b", None]])
    path = next(f["path"] for f in probe("files", "foreign")["files"] if f["records"] == 20)
    location = probe("delete", "foreign", files={path: [0, 19]})["metadata_location"]
    expected = [{"id": i, "s": "a"} for i in range(1, 19)] + [{"id": 100, "s": "b"}, {"id": 101, "s": None}]
    check(probe, "foreign", location, expected)
    # And PyIceberg on top of us again.
    table.refresh()
    table.append(pa.Table.from_pylist([{"id": 7777, "s": "c"}], schema=table.schema().as_arrow()))
    check(probe, "foreign", table.metadata_location, expected + [{"id": 7777, "s": "c"}])
    table.delete("id == 100")
    expected = [row for row in expected if row["id"] != 100] + [{"id": 7777, "s": "c"}]
    check(probe, "foreign", table.metadata_location, expected)


def test_a_catalog_that_pyiceberg_made_first(probe: Probe, tmp_path, request: pytest.FixtureRequest):
    """Schema V0 of the SQL catalog: no iceberg_type column."""
    folder = tmp_path / "other"
    folder.mkdir()
    catalog = readers.open_pyiceberg(folder / "catalog.db", NAME, warehouse=f"file://{folder}")
    catalog.create_namespace("silver")
    table = catalog.create_table("silver.v0", Schema(NestedField(1, "id", LongType(), required=False)))
    table.append(pa.table({"id": pa.array([1, 2], pa.int64())}))
    other = Probe(probe.binary, folder)
    try:
        location = other.append("v0", [[3]])["metadata_location"]
        check(other, "v0", location, [{"id": 1}, {"id": 2}, {"id": 3}])
        other("create", "ours", schema=schema(field(1, "id", "long")), spec=UNPARTITIONED)
        assert ("silver", "ours") in catalog.list_tables("silver")
    finally:
        other.close()


def test_two_writers_lose_nothing(probe: Probe):
    """Both append to one table as fast as they can, each trying again when it lost the race."""
    started(probe)
    probe("create", "race", schema=schema(field(1, "id", "long"), field(2, "who", "string")), spec=UNPARTITIONED)
    rounds, lost, errors = 25, {"us": 0, "them": 0}, []

    def they_write():
        try:
            table = catalog_of(probe).load_table("silver.race")
            for i in range(rounds):
                while True:
                    try:
                        table.append(pa.table({"id": pa.array([i], pa.int64()), "who": ["them"]}))
                        break
                    except CommitFailedException:
                        lost["them"] += 1
                        table.refresh()
        except Exception as error:  # noqa: BLE001: shown by the assertion below
            errors.append(error)

    them = threading.Thread(target=they_write)
    them.start()
    for i in range(rounds):
        while True:
            try:
                answer = probe.append("race", [[i], ["us"]])
                break
            except ProbeError as error:
                assert "conflict" in str(error), error
                lost["us"] += 1
    them.join()
    assert not errors
    table = catalog_of(probe).load_table("silver.race")
    expected = [{"id": i, "who": who} for i in range(rounds) for who in ("us", "them")]
    check(probe, "race", table.metadata_location, expected)
    assert len(table.snapshots()) == 2 * rounds, (answer, lost)


def java(probe: Probe, *arguments: object) -> str:
    return readers.run_java("JdbcWriter.java", probe.db, NAME, f"file://{probe.folder}", *arguments)[-1]


def test_java_writes_through_the_same_catalog(probe: Probe):
    """Java's JdbcCatalog on our SQLite file: it appends, and deletes positions of several files in one delete file, ours among them."""
    people(probe)
    probe.append("people", [[0, 1, 2, 3], ["us"] * 4, [True] * 4], [True])
    probe.append("people", [[0, 9], ["old"] * 2, [False] * 2], [False])
    assert "silver.people" in java(probe, "list")
    java(probe, "append", "people", 100, 5)
    ours, theirs = sorted((f for f in probe("files", "people")["files"] if f["records"] in (4, 5)), key=lambda f: f["records"])
    location = java(probe, "delete", "people", ours["path"], 1, theirs["path"], 0, theirs["path"], 4)
    rows = {i: {"id": i, "name": "us", "is_current": True} for i in range(4)} | {i: {"id": i, "name": "java", "is_current": True} for i in range(100, 105)}
    old = [{"id": i, "name": "old", "is_current": False} for i in (0, 9)]
    for gone in (1, 100, 104):
        del rows[gone]
    check(probe, "people", location, list(rows.values()) + old)
    # We add to the deletes: the shared delete file stays for the other data file, and must not come to count twice.
    answer = probe("delete", "people", files={ours["path"]: [3]})
    del rows[3]
    check(probe, "people", answer["metadata_location"], list(rows.values()) + old)
    check(probe, "people", probe("rewrite", "people")["metadata_location"], list(rows.values()) + old)
