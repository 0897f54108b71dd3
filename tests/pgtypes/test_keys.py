"""Every type that may be a key finds its rows again: after the snapshot, by UPDATE, DELETE and a change of the key itself."""

from __future__ import annotations

import re

import pytest

from harness import compare
from harness.millrace import Failed
from pgtypes.edge_values import EDGES, PREPARE, edges, literal

# Columns of EDGES, and how a key of theirs may be compared (docs/formats/types.md, "Keys").
FIT = ("c_bool c_int2 c_int4 c_int8 c_oid c_real c_double c_num c_num_p c_num_12_2 c_num_0 c_num_neg c_char c_varchar c_text c_qchar c_name c_bytea c_date c_time "
       "c_time3 c_ts c_ts3 c_tstz c_uuid c_inet c_cidr c_macaddr c_macaddr8 c_bit1 c_bit8 c_bit70 c_varbit c_enum c_dom_int c_dom_num c_dom_vc c_pg_lsn d_two_domains n_big "
       "n_small x_bpchar").split()
REFUSED = "c_citext c_jsonb c_interval c_timetz c_numrange c_comp a_int4 d_ints".split()


def test_keys_of_every_fit_type(database, audit, millrace):
    database.execute(PREPARE + "CREATE DOMAIN address AS inet; CREATE DOMAIN padded AS char(6);")
    by_name = {e.name: e for e in edges(database.cluster.version)}
    keys = {name: (by_name[name].type.split(" DEFAULT")[0], by_name[name].held) for name in FIT if name in by_name}
    keys |= {"d_inet": ("address", by_name["c_inet"].held), "d_char": ("padded", ("", " ", "ab", " ab"))}
    script, changes = [], []
    for name, (type, values) in keys.items():
        values = list(dict.fromkeys(v for v in values if not (name == "c_text" and len(v) > 2000)))
        if name == "d_char":
            values.remove(" ")  # char's trailing blanks make no difference: the same key as ''
        table = f"k_{name}"
        script.append(f"CREATE TABLE {table} (pre int DEFAULT 7, k {type}, v int, PRIMARY KEY (k, pre))")
        for i, value in enumerate(values):
            (script if i % 2 == 0 else changes).append(f"INSERT INTO {table} (k, v) VALUES ({literal(value)}, {i})")
        changes += [f"UPDATE {table} SET v = v + 100", f"UPDATE {table} SET pre = 8 WHERE v % 2 = 0", f"DELETE FROM {table} WHERE v % 3 = 0",
                    f"INSERT INTO {table} (k, v) VALUES ({literal(values[0])}, -1) ON CONFLICT DO NOTHING", f"UPDATE {table} SET v = v + 1000"]
    database.execute(";\n".join(script))
    millrace.catch_up()
    database.execute(";\n".join(changes))
    millrace.catch_up()
    compare.check(audit, millrace.lake, compare.tables_of(audit), engines=("pyiceberg",))
    assert len([t for t in millrace.lake.tables() if t.startswith("silver.k_")]) == len(keys)
    assert not millrace.lake.cuts()[-1]["held_back"]


def test_keys_that_only_postgresql_can_compare_are_refused_at_set_up(database, audit, millrace):
    database.execute(PREPARE)
    types = {e.name: e.type for e in EDGES}
    database.execute(";".join(f"CREATE TABLE t_{name} (k {types[name]} PRIMARY KEY)" for name in REFUSED))
    with pytest.raises(Failed, match="key column 'k' cannot be compared outside of PostgreSQL"):
        millrace.run("capture", "--once")
    with pytest.raises(Failed) as told:
        millrace.run("check-source")
    for name in REFUSED:
        assert re.search(rf"table public.t_{name}\W.*key column 'k' cannot be compared", told.value.output), name
