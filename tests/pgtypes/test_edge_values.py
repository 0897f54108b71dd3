"""Every type, at its edges: the same text comes back through the snapshot, through INSERT and through UPDATE, from both readers."""

from __future__ import annotations

import pyarrow as pa

from harness import compare, pgtext
from pgtypes.edge_values import PREPARE, ROWS, Edge, create, edges, insert, turn


def test_every_type_comes_back(database, audit, millrace):
    database.execute(PREPARE)
    columns = edges(database.cluster.version)
    database.execute(create("t", columns))
    database.execute(insert("t", columns, 1))
    millrace.catch_up()
    snapshot = millrace.lake.read("silver.t")
    assert set(snapshot["_op"].to_pylist()) == {"r"} and snapshot.num_rows == ROWS + 1
    expect_only_what_must_be_beside(snapshot, columns)

    database.execute(insert("t", columns, 1001))
    database.execute(turn("t", columns))
    database.execute("INSERT INTO t (id) VALUES (2001); DELETE FROM t WHERE id % 7 = 0")
    millrace.catch_up()
    assert compare.check(audit, millrace.lake, compare.tables_of(audit)) > 4 * ROWS
    expect_only_what_must_be_beside(millrace.lake.read("silver.t"), columns)


def expect_only_what_must_be_beside(silver: pa.Table, columns: list[Edge]) -> None:
    """A value is in its column unless docs/formats/types.md says that its type cannot hold it, and never in both places."""
    rows = silver.num_rows
    wrong = []
    for edge in columns:
        column = silver[edge.name]
        values = pgtext.column_texts(column, "numeric[]" if pa.types.is_list(column.type) or pa.types.is_large_list(column.type) else "numeric")
        exact = f"{edge.name}__pg"
        texts = silver[exact].to_pylist() if exact in silver.column_names else [None] * rows
        if any(v is not None and t is not None for v, t in zip(values, texts)):
            wrong.append(f"{edge.name}: a value in both columns")
        seen = len({t for t in texts if t is not None})
        if seen != len(edge.beside):
            wrong.append(f"{edge.name} ({edge.type}): {seen} texts in {exact}, {len(edge.beside)} are expected: {sorted(set(filter(None, texts)))[:5]}")
        held = len(set(values) - {None})
        if held < len(edge.held):
            wrong.append(f"{edge.name} ({edge.type}): {held} values, {len(edge.held)} are expected")
    assert not wrong, "\n".join(wrong)
