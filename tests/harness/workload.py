"""A seeded workload: several sessions at once, mixed transactions over tables of every kind, and DDL in mid-stream.

The seed fixes what each session tries; the interleaving is the server's, which is the point. Conflicts between sessions (deadlocks,
duplicate keys) roll a transaction back, as they do in life.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time

import psycopg

from harness.postgres import Database

SCHEMA = """
CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'delivered', 'cancelled');
CREATE TABLE orders (
  id bigserial PRIMARY KEY, external_id uuid NOT NULL, customer_id int NOT NULL, customer_name varchar(64) NOT NULL,
  amount numeric(12,2) NOT NULL, quantity int, discount double precision, is_gift bool NOT NULL DEFAULT false, note text,
  order_date date NOT NULL, created_at timestamptz NOT NULL, updated_at timestamp NOT NULL, attrs jsonb,
  status order_status NOT NULL DEFAULT 'new');
CREATE TABLE lines (order_code text, line smallint, price numeric(10,4), tags text[], PRIMARY KEY (order_code, line));
CREATE TABLE documents (id int PRIMARY KEY, title text, body text, extra jsonb);
ALTER TABLE documents ALTER body SET STORAGE EXTERNAL, ALTER extra SET STORAGE EXTERNAL;
CREATE TABLE readings (sensor int, value real, at timestamptz);
ALTER TABLE readings REPLICA IDENTITY FULL;
CREATE TABLE clicks (page text, at timestamp, weight numeric);
CREATE TABLE "Odd Näme" ("Id" int PRIMARY KEY, "sp ace" text, "Ünï" int, "a.b-c" text);
CREATE TABLE coupons (id int, code text NOT NULL, percent int);
CREATE UNIQUE INDEX coupons_code ON coupons (code);
ALTER TABLE coupons REPLICA IDENTITY USING INDEX coupons_code;
CREATE TABLE stock (sku int PRIMARY KEY, amount int, shelf text, note varchar(20));
"""

def connect_again(database: Database, **options) -> psycopg.Connection:
    """A connection, as soon as the server takes one."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return database.connect(**options)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


_STATUS = ("new", "paid", "shipped", "delivered", "cancelled")


def create(database: Database, rng: random.Random, rows: int = 200) -> None:
    """The tables, with rows that are there before Millrace first looks."""
    database.execute(SCHEMA)
    with database.connect() as c:
        for _ in range(rows):
            _insert_order(c, rng)
        for i in range(rows // 4):
            c.execute("INSERT INTO lines VALUES (%s, %s, %s, %s)", [f"o{i}", i % 3, rng.randint(1, 10**6) / 100, ["a", None, "b c"]])
            c.execute("INSERT INTO documents VALUES (%s, %s, %s, %s)", [i, f"title {i}", _long(rng), f'{{"k": "{_long(rng)}"}}'])
            c.execute("INSERT INTO stock VALUES (%s, %s, 'A', 'n')", [i, rng.randint(0, 100)])


def _long(rng: random.Random) -> str:
    """Long enough for PostgreSQL to store it out of line."""
    return "".join(rng.choice("abcdefgh漢 ") for _ in range(3000))


def _insert_order(c: psycopg.Connection, rng: random.Random) -> None:
    c.execute("""INSERT INTO orders (external_id, customer_id, customer_name, amount, quantity, discount, is_gift, note, order_date, created_at,
                 updated_at, attrs, status)
                 VALUES (%s::text::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
              [f"{rng.getrandbits(128):032x}", rng.randint(1, 500), rng.choice(("Ada", 'Zoë "q" \\', "漢字 😀")), rng.randint(-10**9, 10**9) / 100,
               rng.choice((None, 0, 2**31 - 1)), rng.choice((None, rng.random(), float("inf"), float("nan"), -0.0)), rng.random() < 0.5,
               rng.choice((None, "", "tab\tnl\n\x01", "note")), f"{rng.randint(1, 9999):04d}-01-{rng.randint(1, 28):02d}",
               f"{rng.randint(1970, 2100)}-06-30 12:00:00.{rng.randint(0, 999999):06d}+02", "2025-06-30 12:00:00.5",
               rng.choice((None, '{"b": 1, "a": [1, 2.50]}', "null")), rng.choice(_STATUS)])


class Session(threading.Thread):
    """Runs `transactions` transactions over its own connection, then ends; `done` counts those that committed."""

    def __init__(self, database: Database, seed: int, transactions: int, *, pause: float = 0.0, truncate: bool = True):
        super().__init__(name=f"workload-{seed}", daemon=True)
        self.database, self.rng, self.transactions, self.pause, self.truncate = database, random.Random(seed), transactions, pause, truncate
        self.done = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            left = self.transactions
            while left > 0:
                left = self.work(left)
        except BaseException as error:  # handed to whoever joins
            self.error = error

    def work(self, left: int) -> int:
        """Over one connection, until it is lost: what was under way then has committed or has not, and the audit trigger knows."""
        with connect_again(self.database, autocommit=False) as c, contextlib.suppress(psycopg.OperationalError):
            c.execute("SET lock_timeout = '5s'")
            c.execute("SET deadlock_timeout = '100ms'")
            c.commit()
            while left > 0:
                left -= 1
                try:
                    self.transaction(c)
                    self.done += 1
                except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation, psycopg.errors.LockNotAvailable,
                        psycopg.errors.UndefinedColumn, psycopg.errors.FeatureNotSupported):
                    # The last two: DDL came between; the session looks at the table anew.
                    c.rollback()
                if self.pause:
                    time.sleep(self.rng.random() * 2 * self.pause)
        return left

    def transaction(self, c: psycopg.Connection) -> None:
        rng = self.rng
        kind = rng.random()
        if kind < 0.02 and self.truncate:
            c.execute("TRUNCATE " + rng.choice(("lines", "readings", "stock, clicks", "coupons")))
        elif kind < 0.06:
            c.execute("UPDATE orders SET amount = amount + 1, status = 'paid' WHERE id %% 7 = %s", [rng.randint(0, 6)])
        elif kind < 0.09:
            c.execute("INSERT INTO clicks SELECT 'p' || i, now()::timestamp, i / 7.0 FROM generate_series(1, 300) i")
        else:
            for _ in range(rng.randint(1, 6)):
                if rng.random() < 0.15:
                    self.savepoint(c)
                else:
                    self.change(c)
        if rng.random() < 0.1:
            c.rollback()
        else:
            c.commit()

    def savepoint(self, c: psycopg.Connection) -> None:
        c.execute("SAVEPOINT s")
        self.change(c)
        c.execute("ROLLBACK TO s" if self.rng.random() < 0.5 else "RELEASE s")

    def change(self, c: psycopg.Connection) -> None:
        rng = self.rng
        rng.choice((self.order, self.order, self.line, self.document, self.reading, self.click, self.odd, self.coupon, self.shelf))(c)

    def order(self, c: psycopg.Connection) -> None:
        rng, id_ = self.rng, self.rng.randint(1, 400)
        match rng.randint(0, 7):
            case 0 | 1:
                _insert_order(c, rng)
            case 2 | 3:
                c.execute("UPDATE orders SET amount = %s, status = %s, updated_at = clock_timestamp() WHERE id = %s",
                          [rng.randint(0, 10**6) / 100, rng.choice(_STATUS), id_])
            case 4:
                c.execute("DELETE FROM orders WHERE id = %s", [id_])
            case 5:
                c.execute("UPDATE orders SET id = nextval('orders_id_seq') WHERE id = %s", [id_])
            case 6:  # changes nothing
                c.execute("UPDATE orders SET amount = amount WHERE id = %s", [id_])
            case 7:  # there and back within the transaction
                c.execute("UPDATE orders SET note = note || 'x' WHERE id = %s", [id_])
                c.execute("UPDATE orders SET note = left(note, -1) WHERE id = %s", [id_])

    def line(self, c: psycopg.Connection) -> None:
        rng = self.rng
        key = [f"o{rng.randint(0, 40)}", rng.randint(0, 3)]
        match rng.randint(0, 4):
            case 0 | 1:
                c.execute("INSERT INTO lines VALUES (%s, %s, %s, %s) ON CONFLICT (order_code, line) DO UPDATE SET price = excluded.price",
                          [*key, rng.randint(0, 10**6) / 1000, rng.choice((None, [], ["x", "y,z", None, '"']))])
            case 2:
                c.execute("UPDATE lines SET tags = array_append(tags, 'z') WHERE (order_code, line) = (%s, %s)", key)
            case 3:
                c.execute("DELETE FROM lines WHERE (order_code, line) = (%s, %s)", key)
            case 4:  # deleted and inserted again, equal or not
                for (price,) in c.execute("DELETE FROM lines WHERE (order_code, line) = (%s, %s) RETURNING price", key).fetchall():
                    c.execute("INSERT INTO lines VALUES (%s, %s, %s, NULL)", [*key, price])

    def document(self, c: psycopg.Connection) -> None:
        rng, id_ = self.rng, self.rng.randint(0, 80)
        match rng.randint(0, 5):
            case 0:
                c.execute("INSERT INTO documents VALUES (%s, 't', %s, NULL) ON CONFLICT DO NOTHING", [id_, _long(rng)])
            case 1 | 2:  # the long values stay out of the stream
                c.execute("UPDATE documents SET title = %s WHERE id = %s", [f"t{rng.randint(0, 9)}", id_])
            case 3:
                c.execute("UPDATE documents SET body = %s WHERE id = %s", [rng.choice((None, "short", _long(rng))), id_])
            case 4:  # the key changes and the long values are not sent
                c.execute("UPDATE documents SET id = %s WHERE id = %s", [rng.randint(81, 10**6), id_])
            case 5:
                c.execute("DELETE FROM documents WHERE id = %s", [id_])

    def reading(self, c: psycopg.Connection) -> None:
        rng, sensor = self.rng, self.rng.randint(1, 5)
        match rng.randint(0, 3):
            case 0 | 1:  # equal rows come about
                c.execute("INSERT INTO readings SELECT %s, %s, '2025-01-01 00:00:00+00' FROM generate_series(1, %s)",
                          [sensor, rng.choice((0.1, 1.5, None)), rng.randint(1, 3)])
            case 2:
                c.execute("UPDATE readings SET value = %s WHERE ctid = (SELECT min(ctid) FROM readings WHERE sensor = %s)",
                          [rng.choice((0.1, 2.5)), sensor])
            case 3:
                c.execute("DELETE FROM readings WHERE ctid = (SELECT min(ctid) FROM readings WHERE sensor = %s)", [sensor])

    def click(self, c: psycopg.Connection) -> None:
        c.execute("INSERT INTO clicks VALUES ('home', now()::timestamp, %s)", [self.rng.choice((1, 0.5, None))])
        if self.rng.random() < 0.1:
            # Not in the stream, and must not fail: a publication may not break the application's writes.
            c.execute("UPDATE clicks SET weight = 2 WHERE page = 'home'")

    def odd(self, c: psycopg.Connection) -> None:
        c.execute("""INSERT INTO "Odd Näme" VALUES (%s, 'x', 1, 'd') ON CONFLICT ("Id") DO UPDATE SET "sp ace" = %s""",
                  [self.rng.randint(1, 20), self.rng.choice(("x", "y", None))])

    def coupon(self, c: psycopg.Connection) -> None:
        rng, code = self.rng, f"c{self.rng.randint(0, 30)}"
        match rng.randint(0, 3):
            case 0:
                c.execute("INSERT INTO coupons VALUES (%s, %s, 10) ON CONFLICT (code) DO NOTHING", [rng.randint(1, 9), code])
            case 1:
                c.execute("UPDATE coupons SET percent = %s WHERE code = %s", [rng.randint(1, 99), code])
            case 2:
                c.execute("UPDATE coupons SET code = %s WHERE code = %s", [f"c{rng.randint(31, 10**6)}", code])
            case 3:
                c.execute("DELETE FROM coupons WHERE code = %s", [code])

    def shelf(self, c: psycopg.Connection) -> None:
        """`stock` is the table whose shape changes: only columns that stay are named."""
        rng, sku = self.rng, self.rng.randint(0, 60)
        match rng.randint(0, 2):
            case 0:
                c.execute("INSERT INTO stock (sku, amount) VALUES (%s, %s) ON CONFLICT (sku) DO UPDATE SET amount = excluded.amount",
                          [sku, rng.randint(0, 9)])
            case 1:
                c.execute("UPDATE stock SET amount = amount + 1 WHERE sku = %s", [sku])
            case 2:
                c.execute("DELETE FROM stock WHERE sku = %s", [sku])


# Each in a transaction of its own, at a random moment, in this order. The application's statements above keep working.
DDL = (
    "ALTER TABLE stock ADD COLUMN colour text",
    "UPDATE stock SET colour = 'red' WHERE sku % 2 = 0",
    "ALTER TABLE stock ALTER COLUMN amount TYPE bigint",
    "UPDATE stock SET amount = 5000000000 WHERE sku % 3 = 0",
    "ALTER TABLE stock RENAME COLUMN colour TO tint",
    "UPDATE stock SET tint = 'blue' WHERE sku % 5 = 0",
    "ALTER TABLE stock DROP COLUMN shelf",
    "UPDATE stock SET tint = 'green' WHERE sku % 7 = 0",
    "ALTER TABLE stock ALTER COLUMN note TYPE varchar(40)",
    "BEGIN; ALTER TABLE orders ADD COLUMN channel varchar(10); UPDATE orders SET channel = 'web' WHERE id % 4 = 0; COMMIT",
    "ALTER TABLE readings ADD COLUMN unit text",
)


ALTERED = ("public.stock", "public.orders", "public.readings")


class SchemaChanges(threading.Thread):
    """Runs DDL while the sessions are at work."""

    def __init__(self, database: Database, seed: int, pause: float):
        super().__init__(name="workload-ddl", daemon=True)
        self.database, self.rng, self.pause = database, random.Random(seed), pause
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for statement in DDL:
                time.sleep(self.rng.random() * 2 * self.pause)
                self.attempt(statement)
        except BaseException as error:
            self.error = error

    def attempt(self, statement: str) -> None:
        lost = False
        while True:
            try:
                with connect_again(self.database) as c:
                    c.execute(statement)
                return
            except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                continue
            except psycopg.OperationalError:
                lost = True
            except (psycopg.errors.DuplicateColumn, psycopg.errors.UndefinedColumn):
                if not lost:
                    raise
                return  # it had committed before the connection was lost


class Workload:
    """Sessions and DDL together; a context manager that waits for all of them and reports their errors."""

    def __init__(self, database: Database, seed: int, *, sessions: int = 3, transactions: int = 60, ddl: bool = True, pause: float = 0.0,
                 truncate: bool = True):
        rng = random.Random(seed)
        self.threads: list = [Session(database, rng.getrandbits(32), transactions, pause=pause, truncate=truncate) for _ in range(sessions)]
        if ddl:
            self.threads.append(SchemaChanges(database, rng.getrandbits(32), max(pause, 0.01) * transactions / len(DDL)))

    def start(self) -> Workload:
        for thread in self.threads:
            thread.start()
        return self

    def running(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def join(self) -> int:
        """Waits; returns how many transactions ran to their end."""
        for thread in self.threads:
            thread.join(600)
            assert not thread.is_alive(), f"{thread.name} hangs"
        for thread in self.threads:
            if thread.error:
                raise thread.error
        return sum(t.done for t in self.threads if isinstance(t, Session))

    def __enter__(self) -> Workload:
        return self.start()

    def __exit__(self, *_) -> None:
        self.join()
