"""Compares the current rows of every Silver table with PostgreSQL, value by value, as PostgreSQL's own text. The lake is read by PyIceberg
through its catalog: no code of Millrace takes part."""
import io
import pathlib
import warnings

import duckdb
import pyarrow as pa
from pyarrow import csv
from pyiceberg.catalog.sql import SqlCatalog


def open_catalog(lake):
    return SqlCatalog("millrace", uri=f"sqlite:///{lake}/catalog.db", warehouse=f"file://{lake}/warehouse")


def source_rows(connection, table, columns):
    """The table as text. The whole of it crosses as CSV, NULL told from the empty string."""
    chosen = ", ".join(f'"{c}"::text' for c in columns)
    buffer = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(f"COPY (SELECT {chosen} FROM {table}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)") as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    if not buffer.getbuffer().nbytes:
        return pa.table({c: pa.array([], pa.string()) for c in columns})
    return csv.read_csv(buffer, read_options=csv.ReadOptions(column_names=columns),
                        convert_options=csv.ConvertOptions(column_types={c: pa.string() for c in columns}, strings_can_be_null=True,
                                                           quoted_strings_can_be_null=False, null_values=[""]))


def lake_rows(catalog, name, columns):
    """Current rows, with values printed as PostgreSQL prints them (time zone UTC). DuckDB prints these types the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = catalog.load_table(name).scan(row_filter="is_current = true").to_arrow()
    chosen = ", ".join(f'CAST("{c}" AS VARCHAR) AS "{c}"' for c in columns)
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    return rows.num_rows, database.execute(f"SELECT {chosen} FROM rows").to_arrow_table()


def differences(source, lake):
    """(rows only in the first, rows only in the second), duplicates counted."""
    database = duckdb.connect()
    database.register("source", source)
    database.register("lake", lake)

    def only_in(a, b):
        return database.execute(f"SELECT count(*) FROM (SELECT * FROM {a} EXCEPT ALL SELECT * FROM {b})").fetchone()[0]

    missing = only_in("source", "lake")
    # As many rows, and none of the first without its like in the second: the other way round there is none either.
    return missing, 0 if missing == 0 and source.num_rows == lake.num_rows else only_in("lake", "source")


def verdict(missing, extra):
    return "equal" if (missing, extra) == (0, 0) else f"DIFFERENT: {missing} rows only in PostgreSQL, {extra} only in the lake"


def verify_silver(connection, lake, say):
    """True when all tables are equal. Prints a line for each."""
    catalog = open_catalog(lake)
    connection.execute("SET TimeZone = 'UTC'")
    tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1")]
    equal = True
    for table in tables:
        columns = [row[0] for row in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (f"shop.{table}",))]
        source = source_rows(connection, f"shop.{table}", columns)
        count, silver = lake_rows(catalog, f"silver.shop_{table}", columns)
        history = catalog.load_table(f"silver.shop_{table}").scan(selected_fields=("version",)).count()
        missing, extra = differences(source, silver)
        equal = equal and (missing, extra, count) == (0, 0, source.num_rows)
        say(f"  {'shop.' + table:<32}{source.num_rows:>10,} rows  {len(columns):>2} columns  {history:>10,} versions   "
            f"{verdict(missing, extra)}")
    return equal


# Gold tables that say something of the present only: PostgreSQL can compute them too.
OF_THE_PRESENT = ("daily_sales", "daily_department_sales", "daily_household_activity")


def verify_gold(connection, lake, directory, say):
    """The same SQL on PostgreSQL's own tables gives the same rows."""
    catalog = open_catalog(lake)
    connection.execute("SET TimeZone = 'UTC'")
    equal = True
    for table in OF_THE_PRESENT:
        sql = (pathlib.Path(directory) / f"{table}.sql").read_text()
        for ours, theirs in (("silver.shop_", "shop."), ("p.is_current", "true"), ("i.is_current", "true"), ("is_current", "true"),
                             ("AS DOUBLE)", "AS double precision)")):
            sql = sql.replace(ours, theirs)
        with connection.cursor() as cursor:
            rows = cursor.execute(sql).fetchall()
            names = [column.name for column in cursor.description]
        gold = catalog.load_table(f"gold.{table}").scan().to_arrow().select(names)
        source = pa.Table.from_pylist([dict(zip(names, row)) for row in rows], schema=gold.schema)
        missing, extra = differences(source, gold)
        equal = equal and (missing, extra) == (0, 0)
        say(f"  {'gold.' + table:<32}{gold.num_rows:>10,} rows  {len(names):>2} columns  {'':>19}   {verdict(missing, extra)}")
    return equal
