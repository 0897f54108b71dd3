"""The files of a table against the rules that keep readers right (docs/formats/iceberg.md): Parquet layout, statistics, delete files,
and that nothing lies around that no snapshot reaches."""

from __future__ import annotations

import os
import pathlib

import pyarrow.parquet as pq
import pytest

from judges import readers
from judges.probe import NAME, SAMPLES, UNPARTITIONED, Probe, by_identity, field, schema
from judges.test_table_readers import people, probe  # noqa: F401  (a fixture)

PHYSICAL = {
    "boolean": "BOOLEAN", "int": "INT32", "long": "INT64", "float": "FLOAT", "double": "DOUBLE", "decimal(9, 2)": "INT32",
    "decimal(18, 4)": "INT64", "decimal(38, 10)": "FIXED_LEN_BYTE_ARRAY", "date": "INT32", "time": "INT64", "timestamp": "INT64",
    "timestamptz": "INT64", "string": "BYTE_ARRAY", "binary": "BYTE_ARRAY", "uuid": "FIXED_LEN_BYTE_ARRAY", "fixed[4]": "FIXED_LEN_BYTE_ARRAY",
}
LOGICAL = {"time": "Time(isAdjustedToUTC=", "timestamp": "Timestamp(isAdjustedToUTC=false, timeUnit=microseconds",
           "timestamptz": "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds", "string": "String", "date": "Date", "uuid": "UUID",
           "decimal(9, 2)": "Decimal(precision=9, scale=2)", "int": "None", "long": "None"}


def local(uri: str) -> pathlib.Path:
    return pathlib.Path(uri.removeprefix("file://"))


def pyiceberg_table(probe: Probe, name: str):
    return readers.open_pyiceberg(probe.db, NAME).load_table(f"silver.{name}")


def entries(table) -> list:
    return [e.data_file for m in table.current_snapshot().manifests(table.io) for e in m.fetch_manifest_entry(table.io)]


def test_parquet_layout(probe: Probe):
    """P1 field ids, P3 timestamps, P4 decimals, P5 plain integers, P6 uuid, P12 no ARROW:schema, P13 page index and row groups."""
    fields = [field(i + 1, f"c{i}", type_) for i, type_ in enumerate(SAMPLES)]
    nested = {"type": "list", "element-id": 101, "element": "int", "element-required": False}
    pairs = {"type": "map", "key-id": 102, "key": "string", "value-id": 103, "value": "long", "value-required": False}
    probe("create", "t", schema=schema(*fields, field(100, "l", nested), field(104, "m", pairs)), spec=UNPARTITIONED)
    columns = [[samples[i % len(samples)][0] for i in range(300)] for samples in SAMPLES.values()]
    probe.append("t", columns + [[[1, 2]] * 300, [[["k", 1]]] * 300], row_group_rows=100)
    (file,) = probe("files", "t")["files"]
    parquet = pq.ParquetFile(local(file["path"]))
    metadata = parquet.metadata
    assert "ARROW:schema" not in {k.decode() for k in (metadata.metadata or {})}
    assert metadata.num_row_groups == 3
    for i, type_ in enumerate(SAMPLES):
        column = parquet.schema.column(i)
        assert column.physical_type == PHYSICAL[type_], type_
        assert str(column.logical_type).startswith(LOGICAL.get(type_, "")), (type_, column.logical_type)
    text = str(parquet.schema)
    ids = {int(word.split("=")[1].split()[0]) for word in text.replace("field_id=", "\nfield_id=").splitlines() if word.startswith("field_id=")}
    assert ids >= set(range(1, len(SAMPLES) + 1)) | {100, 101, 102, 103, 104}
    assert "l.list.element" in {parquet.schema.column(i).path for i in range(len(parquet.schema))}
    for group in range(3):
        for i in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(i)
            assert chunk.compression == "ZSTD" and chunk.has_column_index and chunk.has_offset_index
    (entry,) = entries(pyiceberg_table(probe, "t"))
    assert entry.file_size_in_bytes == os.path.getsize(local(file["path"]))
    assert entry.record_count == 300
    starts = [min(filter(None, (c.dictionary_page_offset, c.data_page_offset))) for c in (metadata.row_group(g).column(0) for g in range(3))]
    assert entry.split_offsets == starts


def test_bounds_contain_every_value(probe: Probe):
    """S2, S6: PyIceberg's reading of our bounds and counts against the values."""
    kinds = [t for t in SAMPLES if t not in ("binary", "uuid", "fixed[4]", "boolean")]
    probe("create", "t", schema=schema(*(field(i + 1, f"c{i}", type_) for i, type_ in enumerate(kinds))), spec=UNPARTITIONED)
    probe.append("t", [[g for g, _ in SAMPLES[t]] + [None] * (6 - len(SAMPLES[t])) for t in kinds])
    table = pyiceberg_table(probe, "t")
    (entry,) = table.inspect.files().to_pylist()
    rows = table.scan().to_arrow().to_pylist()
    for i, type_ in enumerate(kinds):
        metrics = entry["readable_metrics"][f"c{i}"]
        values = [row[f"c{i}"] for row in rows if row[f"c{i}"] is not None]
        assert metrics["value_count"] == 6 and metrics["null_value_count"] == 6 - len(SAMPLES[type_]), type_
        if type_ in ("float", "double"):
            assert metrics["nan_value_count"] == 1
            values = [v for v in values if v == v]
        if type_ == "string":
            assert metrics["lower_bound"] <= min(values, key=str.encode)
            assert metrics["upper_bound"] is None  # nothing is above sixteen U+10FFFF
        else:
            assert metrics["lower_bound"] == min(values) and metrics["upper_bound"] == max(values), type_


def test_delete_file_layout(probe: Probe):
    """2.8, S3, S4, S5, M6: two columns in order with the reserved ids, full equal path bounds, the data file's own partition."""
    people(probe)
    probe.append("people", [list(range(50)), ["n"] * 50, [True] * 50], [True])
    (data,) = probe("files", "people")["files"]
    probe("delete", "people", files={data["path"]: [3, 30, 7]})
    table = pyiceberg_table(probe, "people")
    (deletes,) = table.inspect.delete_files().to_pylist()
    parquet = pq.ParquetFile(local(deletes["file_path"]))
    assert [(f.name, f.nullable, f.metadata[b"PARQUET:field_id"]) for f in parquet.schema_arrow] == [
        ("file_path", False, b"2147483546"), ("pos", False, b"2147483545")]
    assert parquet.read().to_pylist() == [{"file_path": data["path"], "pos": p} for p in (3, 7, 30)]
    assert deletes["record_count"] == 3 and deletes["partition"] == {"is_current": True}
    assert dict(deletes["lower_bounds"]) == dict(deletes["upper_bounds"]) == {2147483546: data["path"].encode()}
    assert [e.file_path for e in entries(table) if e.content.value == 1] == [deletes["file_path"]]


def test_summaries_add_up(probe: Probe):
    people(probe)
    probe.append_parts("people", [([True], [[1, 2, 3], ["a", "b", "c"], [True] * 3]), ([False], [[1], ["z"], [False]])])
    path = next(f["path"] for f in probe("files", "people")["files"] if f["records"] == 3)
    probe("delete", "people", files={path: [0]})
    probe("delete", "people", files={path: [1]})
    probe("rewrite", "people")
    table = pyiceberg_table(probe, "people")
    operations = [s.summary.operation.value for s in table.snapshots()]
    assert operations == ["append", "delete", "delete", "replace"]
    totals = [{k: s.summary[f"total-{k}"] for k in ("data-files", "delete-files", "records", "position-deletes")} for s in table.snapshots()]
    assert totals == [
        {"data-files": "2", "delete-files": "0", "records": "4", "position-deletes": "0"},
        {"data-files": "2", "delete-files": "1", "records": "4", "position-deletes": "1"},
        {"data-files": "2", "delete-files": "1", "records": "4", "position-deletes": "2"},
        {"data-files": "2", "delete-files": "0", "records": "2", "position-deletes": "0"},
    ]
    assert int(table.current_snapshot().summary["total-files-size"]) == sum(f["file_size_in_bytes"] for f in table.inspect.files().to_pylist())


def test_nothing_is_left_that_no_snapshot_reaches(probe: Probe):
    people(probe)
    for i in range(12):
        probe.append("people", [[i, i + 100], ["n", "m"], [True, True]], [True])
        path = probe("files", "people")["files"][0]["path"]
        probe("delete", "people", files={path: [0]})
        if i % 4 == 3:
            probe("rewrite", "people")
        if i % 5 == 4:
            probe("expire", "people", keep=2)
    probe("expire", "people", keep=3)
    table = pyiceberg_table(probe, "people")
    reachable = {table.metadata_location} | {e.metadata_file for e in table.metadata.metadata_log}
    for snapshot in table.snapshots():
        reachable.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            reachable.add(manifest.manifest_path)
            reachable |= {e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io, discard_deleted=True)}
    there = {"file://" + str(path) for path in (probe.folder / "silver/people").rglob("*") if path.is_file()}
    assert there == reachable
    assert len(table.snapshots()) == 3


def test_many_commits_keep_few_manifests(probe: Probe):
    people(probe)
    for i in range(100):
        probe.append("people", [[i], ["n"], [True]], [True])
    table = pyiceberg_table(probe, "people")
    assert len(table.current_snapshot().manifests(table.io)) <= 4
    assert table.scan().to_arrow().num_rows == 100


@pytest.mark.parametrize("value", [True, False])
def test_manifests_do_not_mix_current_rows_and_history(probe: Probe, value: bool):
    probe("create", "t", schema=schema(field(1, "id", "long", True), field(2, "is_current", "boolean", True)), spec=by_identity(2, "is_current"))
    for i in range(10):
        probe.append_parts("t", [([True], [[i], [True]]), ([False], [[i], [False]])])
    table = pyiceberg_table(probe, "t")
    for manifest in table.current_snapshot().manifests(table.io):
        summary = manifest.partitions[0]
        assert summary.lower_bound == summary.upper_bound and not summary.contains_null
    assert len(list(table.scan(row_filter=f"is_current == {str(value).lower()}").plan_files())) == 10
