"""What a database, a role or the server has set for its sessions changes no value and breaks no query of ours."""

from __future__ import annotations

import time

from harness import compare
from pgtypes.edge_values import EDGES, PREPARE, create, edges, insert, turn

ODD = {
    # How values are printed.
    "datestyle": "'German, DMY'", "intervalstyle": "iso_8601", "timezone": "'Asia/Kathmandu'", "extra_float_digits": "-15", "bytea_output": "escape",
    "xmlbinary": "hex", "xmloption": "content", "quote_all_identifiers": "on", "search_path": "'Odd Schema'", "client_encoding": "'LATIN1'",
    "lc_numeric": "'C'", "lc_time": "'C'",
    # How SQL is read.
    "standard_conforming_strings": "off", "escape_string_warning": "off", "backslash_quote": "off", "array_nulls": "off", "transform_null_equals": "on",
    # What may end or refuse a session's work.
    "statement_timeout": "'300ms'", "lock_timeout": "'100ms'", "idle_in_transaction_session_timeout": "'200ms'", "idle_session_timeout": "'200ms'",
    "row_security": "off", "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on", "check_function_bodies": "off",
    # Plans.
    "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "work_mem": "'64kB'", "synchronize_seqscans": "on",
}


def test_odd_settings_of_database_and_role(database, audit, millrace):
    database.execute(PREPARE)
    version = database.cluster.version
    columns = edges(version)
    for number, (name, value) in enumerate(ODD.items()):
        owner = f"ROLE postgres IN DATABASE {database.name}" if number % 2 else f"DATABASE {database.name}"
        database.execute(f"ALTER {owner} SET {name} = {value}")
    if version >= 170000:
        database.execute(f"ALTER DATABASE {database.name} SET transaction_timeout = '400ms'")
    setup = "SET search_path = public; SET statement_timeout = 0; SET standard_conforming_strings = on; SET array_nulls = on; SET xmloption = content;"
    database.execute(setup + create("public.t", columns) + ";" + insert("public.t", columns, 1))
    # Read slowly enough for every timeout to strike.
    database.execute(setup + "CREATE TABLE public.slow (id int PRIMARY KEY, v text); INSERT INTO public.slow SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i")
    millrace.catch_up()
    database.execute(setup + insert("public.t", columns, 1001) + ";" + turn("public.t", columns))
    with millrace.up() as process:
        millrace.wait_published(audit.last_commit(), process)
        time.sleep(0.5)
        database.execute("UPDATE public.slow SET v = 'y' WHERE id < 10")
        millrace.wait_published(audit.last_commit(), process)
        assert process.stop() == 0
    compare.check(audit, millrace.lake, compare.tables_of(audit))


def test_every_printing_setting_is_covered():
    """The settings that types.md names are among those that are set oddly."""
    assert {"datestyle", "intervalstyle", "timezone", "extra_float_digits", "bytea_output"} <= set(ODD) and len(EDGES) >= 94
