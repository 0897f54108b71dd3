"""Our events against those of the real Debezium 3.7: same SQL, same envelope, same operations, keys, headers and values.

The changes are all made before capture starts to stream, so the catalog is ahead of every event: what Debezium needs pauses for
(it reads key columns from the live catalog) has to be right without them.
"""

from __future__ import annotations

import base64
import decimal
import json
import pathlib
import re

import pytest
import zstandard

GOLDEN = pathlib.Path(__file__).parent / "debezium-3.7"
TABLES = sorted(path.name.removesuffix(".jsonl") for path in GOLDEN.glob("*.jsonl"))
ENVELOPE = ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
# Debezium's source block, and our position at its end.
SOURCE = ["version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "schema", "table", "txId", "lsn", "xmin",
          "origin", "origin_lsn", "commit_lsn", "ordinal"]
UNAVAILABLE = "__debezium_unavailable_value"
UNAVAILABLE_FORMS = [UNAVAILABLE, [UNAVAILABLE], base64.b64encode(UNAVAILABLE.encode()).decode()]
# Columns whose values are the clock's.
VOLATILE = {("public.t_full", "c")}
NUMERIC = {("public.orders", "amount"), ("public.t_full", "b"), ("public.t_ddl", "c")}


@pytest.fixture
def events(database, millrace) -> dict[str, list[dict]]:
    """topic without prefix -> our events in offset order."""
    database.execute((GOLDEN / "schema.sql").read_text())
    millrace.config["source"]["tables"]["include"] = ["public.*", "other.*"]
    millrace.write_config()
    millrace.run("capture", "--once")  # the snapshot
    changes = re.sub(r"SELECT pg_sleep\(\d+\);", "", (GOLDEN / "changes.sql").read_text())
    database.execute(changes)
    millrace.run("capture", "--once")
    found: dict[str, list[dict]] = {}
    for commit in millrace.lake.commits():
        for file in commit["files"]:
            data = zstandard.ZstdDecompressor().stream_reader((millrace.lake.bronze / file["path"]).read_bytes()).read()
            lines = [json.loads(line) for line in data.splitlines()]
            assert len(lines) == file["records"]
            found.setdefault(file["topic"].removeprefix("shop."), []).extend(lines)
    for lines in found.values():
        assert [line["offset"] for line in lines] == list(range(len(lines)))
    return found


def golden(table: str) -> list[dict]:
    """Debezium's records without tombstones, which Bronze has no use for."""
    records = [json.loads(line) for line in (GOLDEN / f"{table}.jsonl").read_text().splitlines()]
    return [{"key": record["key"] and json.loads(record["key"]), "value": json.loads(record["value"]), "headers": record["headers"]}
            for record in records if record["value"] is not None]


def same_value(table: str, column: str, ours, theirs) -> bool:
    if (table, column) in VOLATILE:
        return True
    if (table, column) in NUMERIC and ours is not None and theirs is not None:
        number = decimal.Decimal(ours)
        unscaled = int.from_bytes(base64.b64decode(theirs), "big", signed=True)
        return number == decimal.Decimal(unscaled).scaleb(number.as_tuple().exponent)
    return ours == theirs


def same_row(table: str, ours: dict | None, theirs: dict | None, identity_only: bool) -> list[str]:
    if ours is None or theirs is None:
        return [] if ours == theirs else [f"one row is null: ours {ours}, theirs {theirs}"]
    wrong = []
    for column, value in theirs.items():
        if identity_only and column not in ours:
            continue  # Debezium fills what was not sent with nulls and zeros
        if value in UNAVAILABLE_FORMS and column not in ours:
            continue
        if column not in ours:
            wrong.append(f"{column} is missing")
        elif not same_value(table, column, ours[column], value):
            wrong.append(f"{column}: ours {ours[column]!r}, theirs {value!r}")
    wrong += [f"{column} is not in Debezium's row" for column in ours if column not in theirs]
    order = [column for column in theirs if column in ours]
    if list(ours) != order:
        wrong.append(f"order of columns: {list(ours)} against {order}")
    return wrong


def test_every_golden_table_is_compared():
    assert len(TABLES) == 13


def test_events_equal_debezium(events):
    wrong = []
    for table in TABLES:
        theirs = golden(table)
        # TRUNCATE: Debezium skips it by default, we do not.
        ours = [event for event in events.get(table, []) if event["value"]["op"] != "t"]
        if [e["value"]["op"] for e in ours] != [e["value"]["op"] for e in theirs]:
            wrong.append(f"{table}: operations {[e['value']['op'] for e in ours]} against {[e['value']['op'] for e in theirs]}")
            continue
        # Snapshot workers order rows as they please.
        snapshot = [e for e in ours if e["value"]["op"] == "r"]
        ours = sorted(snapshot, key=lambda e: json.dumps(e["key"])) + ours[len(snapshot):]
        for number, (our, their) in enumerate(zip(ours, theirs)):
            place = f"{table} event {number} ({our['value']['op']})"
            if list(our["value"]) != ENVELOPE or list(our["value"]) != list(their["value"]):
                wrong.append(f"{place}: members {list(our['value'])}")
            source, other = our["value"]["source"], their["value"]["source"]
            if list(source) != SOURCE or list(source)[:-2] != list(other):
                wrong.append(f"{place}: source members {list(source)}")
            for same in ("connector", "schema", "table"):
                if source[same] != other[same]:
                    wrong.append(f"{place}: source.{same} {source[same]!r}")
            if (source["snapshot"] == "false") != (other["snapshot"] == "false"):
                wrong.append(f"{place}: source.snapshot {source['snapshot']!r}")
            if our["key"] != their["key"]:
                wrong.append(f"{place}: key {our['key']} against {their['key']}")
            headers = [[name, value] for name, value in (our["headers"] or {}).items()]
            if headers != [[name, json.loads(value)] for name, value in their["headers"]]:
                wrong.append(f"{place}: headers {headers} against {their['headers']}")
            for half in ("before", "after"):
                identity_only = half == "before" and our["value"]["op"] == "d"
                wrong += [f"{place}: {half}: {w}" for w in same_row(table, our["value"][half], their["value"][half], identity_only)]
    assert not wrong, "\n".join(wrong)


def test_positions_order_the_stream(events):
    """(commit_lsn, ordinal) is unique and grows within each topic; ordinals of a transaction have no gaps over all topics."""
    streamed = []
    for table, lines in events.items():
        positions = [(e["value"]["source"]["commit_lsn"], e["value"]["source"]["ordinal"]) for e in lines if e["value"]["op"] != "r"]
        assert positions == sorted(set(positions)), table
        streamed += positions
    assert len(streamed) == len(set(streamed)) > 50
    by_transaction: dict[int, list[int]] = {}
    for commit, ordinal in streamed:
        by_transaction.setdefault(commit, []).append(ordinal)
    assert all(sorted(ordinals) == list(range(len(ordinals))) for ordinals in by_transaction.values())


def test_truncate_is_an_event_per_table(events):
    for table in ("public.t_trunc", "public.t_trunc2"):
        truncates = [e for e in events[table] if e["value"]["op"] == "t"]
        assert [(e["key"], e["value"]["before"], e["value"]["after"]) for e in truncates] == [(None, None, None)]
