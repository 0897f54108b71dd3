"""kill -9 from outside at random moments, again and again, while sessions write and the schema changes; then every row is compared."""

import random
import time

from harness import compare
from harness.bronze import check_bronze
from harness.workload import ALTERED, Workload, create


def test_kill_at_random_moments(seed, millrace, audit, database):
    rng = random.Random(seed)
    create(database, rng, rows=rng.choice((0, 60, 400)))
    kills = 0
    with Workload(database, rng.getrandbits(32), sessions=3, transactions=70, pause=0.02) as workload:
        while workload.running() or kills < 3:
            with millrace.up() as process:
                # From before the first commit to well into streaming.
                time.sleep(rng.choice((0.1, 0.4, 1.2)) * rng.uniform(0.3, 1.7))
                assert not process.ended(), process.output()
                process.kill()
            kills += 1
    database.execute("INSERT INTO clicks VALUES ('the last one')")
    with millrace.up() as process:
        millrace.wait_published(audit.last_commit(), process)
        assert process.stop() == 0
    tables = compare.tables_of(audit)
    assert len(tables) == 8
    assert compare.check(audit, millrace.lake, [t for t in tables if t.name not in ALTERED]) > 0
    for table in (t for t in tables if t.name in ALTERED):
        compare.check_or_read_again(audit, millrace.lake, table)
    assert check_bronze(millrace.lake) > 0
