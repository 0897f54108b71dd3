"""Our events against those of the real Debezium 3.7: same SQL, same envelope, same operations, keys, headers and values.

The changes are all made before capture starts to stream, so the catalog is ahead of every event: what Debezium needs pauses for
(it reads key columns from the live catalog) has to be right without them.
"""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from harness import envelope
from harness.bronze import read_events

GOLDEN = pathlib.Path(__file__).parent / "debezium-3.7"
TABLES = sorted(path.name.removesuffix(".jsonl") for path in GOLDEN.glob("*.jsonl"))


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
    return {topic.removeprefix("shop."): lines for topic, lines in read_events(millrace.lake).items()}


def golden(table: str) -> list[dict]:
    return envelope.decoded([json.loads(record) for record in (GOLDEN / f"{table}.jsonl").read_text().splitlines()])


def test_every_golden_table_is_compared():
    assert len(TABLES) == 13


def test_events_equal_debezium(events):
    wrong = [line for table in TABLES for line in envelope.differences(table, events.get(table, []), golden(table))]
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
