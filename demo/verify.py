"""Compares the current rows of every Silver table with PostgreSQL, value by value, as PostgreSQL's own text. The lake is read by PyIceberg
through its catalog: no code of Millrace takes part."""
import io
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


def verify(connection, lake, say):
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
        database = duckdb.connect()
        database.register("source", source)
        database.register("silver", silver)
        missing = database.execute("SELECT count(*) FROM (SELECT * FROM source EXCEPT ALL SELECT * FROM silver)").fetchone()[0]
        extra = database.execute("SELECT count(*) FROM (SELECT * FROM silver EXCEPT ALL SELECT * FROM source)").fetchone()[0]
        same = missing == 0 and extra == 0 and count == source.num_rows
        equal = equal and same
        verdict = "equal" if same else f"DIFFERENT: {missing} rows only in PostgreSQL, {extra} only in Silver"
        say(f"  {'shop.' + table:<22}{source.num_rows:>10,} rows  {len(columns):>2} columns  {history:>10,} versions   {verdict}")
    return equal
