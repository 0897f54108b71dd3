"""The real Debezium beside Millrace: one database, a slot each, the same changes; the events are equal but for what docs/formats/events.md
lists. `make peer` runs it."""

from __future__ import annotations

import json

import pytest

from golden.test_envelope import GOLDEN, TABLES
from harness import envelope
from harness.bronze import read_events
from harness.postgres import wait_until
from peer.peers import Broker, Connect, debezium


@pytest.fixture(scope="session")
def broker():
    broker = Broker()
    yield broker
    broker.destroy()


@pytest.fixture(scope="session")
def connect(broker):
    connect = Connect(broker)
    yield connect
    connect.destroy()


def test_events_equal_debezium_live(database, millrace, broker, connect):
    database.execute((GOLDEN / "schema.sql").read_text())
    prefix = database.name
    connect.start(prefix, debezium(database, prefix, r"public\..*,other\..*"))
    millrace.config["source"]["tables"]["include"] = ["public.*", "other.*"]
    millrace.write_config()
    millrace.run("capture", "--once")  # the snapshot
    slot = f"SELECT active FROM pg_replication_slots WHERE slot_name = '{prefix}'"
    wait_until(lambda: database.value(slot), 60, "Debezium does not stream")
    # The changes with their pauses: Debezium reads key columns from the catalog as it is when it gets there.
    database.execute((GOLDEN / "changes.sql").read_text())
    millrace.run("capture", "--once")
    ours = {topic.removeprefix("shop."): lines for topic, lines in read_events(millrace.lake).items()}

    wrong = []
    for table in TABLES:
        expected = len(envelope.comparable(ours[table]))

        def theirs() -> list[dict] | None:
            events = envelope.decoded(broker.read(f"{prefix}.{table}"))
            return events if len(events) >= expected else None
        wrong += envelope.differences(table, ours[table], wait_until(theirs, 60, f"Debezium has not {expected} events of {table}", 1))
    connect.delete(prefix)
    assert not wrong, "\n".join(wrong)
    assert sum(len(ours[table]) for table in TABLES) > 50
    assert json.loads(broker.read(f"{prefix}.public.orders")[0]["value"])["source"]["connector"] == "postgresql"
