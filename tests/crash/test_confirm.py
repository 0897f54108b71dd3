"""The slot never passes what Bronze has committed."""

import pytest

from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Failed, Millrace


def check_confirm_follows_commit(millrace: Millrace, audit) -> None:
    """Dies with changes received and not committed: PostgreSQL must still have them."""
    database = millrace.database
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'a');")
    millrace.catch_up()
    for round_ in range(3):
        database.execute(f"INSERT INTO t SELECT i, 'r' FROM generate_series({round_ * 1000 + 10}, {round_ * 1000 + 900}) i; UPDATE t SET a = 'b{round_}';")
        with pytest.raises(Failed) as died:
            # Whatever was to be committed by this run is not; the process lives on long enough to tell the server what it believes.
            millrace.run("capture", "--once", environment={"MILLRACE_FAILPOINTS": "commitlog.before_append=error@*"})
        assert 0 < died.value.code < 128
        confirmed = database.value("SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = %s", database.slot)
        committed = [c["position"]["resume_lsn"] for c in millrace.lake.commits() if c.get("position")][-1]
        high, low = committed.split("/")
        assert confirmed <= int(high, 16) << 32 | int(low, 16), "the slot was confirmed past the last commit"
    millrace.catch_up()
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    check_bronze(millrace.lake)


def test_confirm_follows_commit(millrace, audit):
    check_confirm_follows_commit(millrace, audit)
