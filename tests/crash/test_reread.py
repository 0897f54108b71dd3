"""A table whose events were lost for good has a way back: its rows are read again, and Silver goes on there."""


def test_a_damaged_bronze_file_is_passed_over(millrace, audit, database):
    database.execute("""CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 20) i;
        CREATE TABLE bag (v int); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES (1), (1), (2)""")
    millrace.catch_up()
    for step in range(2):
        database.execute(f"UPDATE t SET a = 'step {step}' WHERE id % 3 = {step}; DELETE FROM t WHERE id = {step + 1}; "
                         f"DELETE FROM bag WHERE v = {step + 1}; INSERT INTO bag VALUES ({step + 2}), (9)")
        millrace.run("capture", "--once")
        if step == 0:
            for file in (f for c in millrace.lake.commits() for f in c["files"] if not f["snapshot"]):
                (millrace.lake.bronze / file["path"]).unlink()
    millrace.run("silver", "--once")
    held = {table["table"] for table in millrace.status()["silver"]["held_back"]}
    assert held == {"public.t", "public.bag"}, held

    millrace.run("reread", "public.t", "public.bag")
    millrace.catch_up()
    database.execute("UPDATE t SET a = 'after' WHERE id = 20; INSERT INTO bag VALUES (7)")
    millrace.catch_up()
    for table in ("public.t", "public.bag"):
        millrace.run("silver", "--once", "--resume", table)
    assert not millrace.status()["silver"]["held_back"]
    for name, columns in (("t", "id, a"), ("bag", "v")):
        rows = millrace.lake.read(f"silver.{name}").to_pylist()
        ours = sorted(tuple(r[c] for c in columns.split(", ")) for r in rows if r["is_current"])
        assert ours == sorted(database.query(f"SELECT {columns} FROM {name}"))
