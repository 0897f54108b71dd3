"""Our events against Debezium's: the same envelope, operations, keys, headers and values, but for what docs/formats/events.md lists as
differences of the `exact` profile."""

from __future__ import annotations

import base64
import decimal
import json

ENVELOPE = ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
# Debezium's source block, and our position at its end.
SOURCE = ["version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "schema", "table", "txId", "lsn", "xmin",
          "origin", "origin_lsn", "commit_lsn", "ordinal"]
UNAVAILABLE = "__debezium_unavailable_value"
UNAVAILABLE_FORMS = [UNAVAILABLE, [UNAVAILABLE], base64.b64encode(UNAVAILABLE.encode()).decode()]
# Columns whose values are the clock's.
VOLATILE = {("public.t_full", "c")}
NUMERIC = {("public.orders", "amount"), ("public.t_full", "b"), ("public.t_ddl", "c")}


def decoded(records: list[dict]) -> list[dict]:
    """Debezium's records without tombstones, which Bronze has no use for, and without the headers that name the connector and its run."""
    return [{"key": record["key"] and json.loads(record["key"]), "value": json.loads(record["value"]),
             "headers": [[name, value] for name, value in record["headers"] if not name.startswith("__debezium.context.")]}
            for record in records if record["value"] is not None]


def _same_value(table: str, column: str, ours, theirs) -> bool:
    if (table, column) in VOLATILE:
        return True
    if (table, column) in NUMERIC and ours is not None and theirs is not None:
        number = decimal.Decimal(ours)
        unscaled = int.from_bytes(base64.b64decode(theirs), "big", signed=True)
        return number == decimal.Decimal(unscaled).scaleb(number.as_tuple().exponent)
    return ours == theirs


def _same_row(table: str, ours: dict | None, theirs: dict | None, identity_only: bool) -> list[str]:
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
        elif not _same_value(table, column, ours[column], value):
            wrong.append(f"{column}: ours {ours[column]!r}, theirs {value!r}")
    wrong += [f"{column} is not in Debezium's row" for column in ours if column not in theirs]
    order = [column for column in theirs if column in ours]
    if list(ours) != order:
        wrong.append(f"order of columns: {list(ours)} against {order}")
    return wrong


def comparable(ours: list[dict]) -> list[dict]:
    """Our events that Debezium has too. It skips TRUNCATE by default, and never reads a table again after ALTER TABLE rewrote rows."""
    streaming = next((i for i, e in enumerate(ours) if e["value"]["op"] != "r"), len(ours))
    return ours[:streaming] + [e for e in ours[streaming:] if e["value"]["op"] != "t" and e["value"]["source"]["snapshot"] == "false"]


def differences(table: str, ours: list[dict], theirs: list[dict]) -> list[str]:
    """Both in offset order; `theirs` as decoded() gives them."""
    wrong: list[str] = []
    ours = comparable(ours)
    if [e["value"]["op"] for e in ours] != [e["value"]["op"] for e in theirs]:
        return [f"{table}: operations {[e['value']['op'] for e in ours]} against {[e['value']['op'] for e in theirs]}"]
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
            wrong += [f"{place}: {half}: {w}" for w in _same_row(table, our["value"][half], their["value"][half], identity_only)]
    return wrong
