"""Files too large to be written anew get delete files: no reader may see what they took away."""

from harness import compare
from harness.millrace import Millrace


def check_delete_files(millrace: Millrace, audit) -> None:
    database = millrace.database
    # Text that does not compress, to pass the 16 MiB below which a merge writes a file anew.
    database.execute("""
        CREATE TABLE t (id int PRIMARY KEY, a text, n int);
        INSERT INTO t SELECT i, (SELECT string_agg(md5(random()::text || i || j), '') FROM generate_series(1, 50) j), 0 FROM generate_series(1, 23000) i;""")
    millrace.catch_up()
    for round_ in range(2):
        database.execute(f"UPDATE t SET n = n + 1 WHERE id % 90 = {round_}; DELETE FROM t WHERE id % 900 = {100 + round_};")
        millrace.catch_up()
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    deletes = millrace.lake.catalog().load_table("silver.t").inspect.delete_files()
    assert deletes.num_rows > 0, "the merges wrote no delete file: the test is vacuous"


def test_delete_files(millrace, audit):
    check_delete_files(millrace, audit)
