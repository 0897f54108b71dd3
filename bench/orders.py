"""The data: the 14-column orders table, and changes to it."""

from __future__ import annotations

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from harness.lake import duckdb_with_iceberg  # noqa: E402
from harness.postgres import Database  # noqa: E402

SCHEMA = """
CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'delivered', 'cancelled');
CREATE TABLE orders (
  id bigserial PRIMARY KEY, external_id uuid NOT NULL, customer_id int NOT NULL, customer_name varchar(64) NOT NULL,
  amount numeric(12,2) NOT NULL, quantity int, discount double precision, is_gift bool NOT NULL DEFAULT false, note text,
  order_date date NOT NULL, created_at timestamptz NOT NULL, updated_at timestamp NOT NULL, attrs jsonb,
  status order_status NOT NULL);

CREATE FUNCTION add_orders(first bigint, last bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO orders (external_id, customer_id, customer_name, amount, quantity, discount, is_gift, note, order_date, created_at, updated_at, attrs, status)
  SELECT md5(i::text)::uuid, i * 7919 % 50000, 'Customer ' || i * 7919 % 50000, (i * 37 % 1000000) / 100.0, i % 20, (i % 100) / 100.0::float8, i % 10 = 0,
    CASE WHEN i % 3 = 0 THEN NULL ELSE 'note ' || md5((i + 1)::text) || ' some text' END, date '2025-01-01' + (i % 365)::int,
    timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second', timestamp '2025-01-01' + i * interval '1.123 second',
    jsonb_build_object('sku', 'SKU-' || i % 1000, 'tags', jsonb_build_array('a', 'b', i % 7), 'w', i % 50),
    (enum_range(NULL::order_status))[1 + i % 5]
  FROM generate_series(first, last) i
$$;

-- Transactions of 60 inserts, 30 updates and 10 deletes. `step`: how far apart the keys of a transaction's neighbours are; 0: random keys.
CREATE PROCEDURE change_orders(transactions int, last bigint, step int) LANGUAGE plpgsql AS $$
DECLARE base bigint;
BEGIN
  PERFORM setseed(0.5);
  FOR t IN 1..transactions LOOP
    PERFORM add_orders(t * 1000000::bigint + 1, t * 1000000::bigint + 60);
    IF step > 0 THEN
      base := (step::bigint * t) % last;
      UPDATE orders SET amount = amount + 1, status = 'paid', updated_at = clock_timestamp()::timestamp WHERE id BETWEEN base + 1 AND base + 30;
      DELETE FROM orders WHERE id BETWEEN base + 101 AND base + 110;
    ELSE
      UPDATE orders SET amount = amount + 1, status = 'paid', updated_at = clock_timestamp()::timestamp
      WHERE id = ANY (ARRAY(SELECT ceil(random() * last)::bigint FROM generate_series(1, 30)));
      DELETE FROM orders WHERE id = ANY (ARRAY(SELECT ceil(random() * last)::bigint FROM generate_series(1, 10)));
    END IF;
    COMMIT;
  END LOOP;
END $$;
"""


def fill(database: Database, rows: int) -> None:
    database.execute(SCHEMA)
    with database.connect() as c:
        for first in range(1, rows + 1, 500_000):
            c.execute("SELECT add_orders(%s, %s)", [first, min(rows, first + 499_999)])
        c.execute("VACUUM (ANALYZE) orders")
        c.execute("CHECKPOINT")


def changes_made(database: Database) -> tuple[int, int, int]:
    """Inserts, updates, deletes of orders since the statistics were reset, once they have come to rest."""
    with database.connect() as c:
        c.execute("SELECT pg_stat_force_next_flush()")
    return database.query("SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 'orders'")[0]


def source_sums(database: Database) -> tuple:
    return database.query("SELECT count(*), sum(id), sum(amount) FROM orders")[0]


def silver_sums(location: str) -> tuple:
    """Count, sum of ids and of amounts of the current rows, by DuckDB's Iceberg extension."""
    with contextlib.closing(duckdb_with_iceberg()) as db:
        return db.execute(f"SELECT count(*), sum(id), sum(amount) FROM iceberg_scan('{location.removeprefix('file://')}') WHERE is_current").fetchone()


def bronze_sums(bronze: pathlib.Path, files: list[dict], topic: str) -> dict[str, tuple[int, int]]:
    """op -> (records, sum of ids) over the given committed files of a topic, by DuckDB's JSON reader."""
    paths = [str(bronze / f["path"]) for f in files if f["topic"].endswith(topic)]
    if not paths:
        return {}
    listed = ", ".join(f"'{p}'" for p in paths)
    with contextlib.closing(duckdb_with_iceberg()) as db:
        rows = db.execute(f"""
            SELECT value->>'op', count(*), sum(coalesce(value->'after'->>'id', value->'before'->>'id')::hugeint)
            FROM read_ndjson([{listed}], columns = {{'value': 'JSON'}}, maximum_object_size = 67108864) GROUP BY 1""").fetchall()
    return {op: (count, int(ids or 0)) for op, count, ids in rows}
