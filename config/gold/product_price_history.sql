-- Every list price that a product has had, and when: Silver's history (SCD Type 2) as a business table. Versions in which something else
-- changed are folded into the price that they share. A new price ends an older row, which may lie in another department's partition when the
-- product moved in between: so there is no 'touched' line and the table is recomputed.
-- gold: product_price_history
-- grain: one row a product and price
-- partition: department
-- inputs: silver.shop_products
-- check: valid_to IS NULL OR valid_to >= valid_from AS time_runs_forward
-- check: list_price >= 0 AS no_negative_price
SELECT
    department,
    product_id,
    list_price,
    previous_price,
    CASE WHEN previous_price > 0 THEN CAST(list_price - previous_price AS DOUBLE) * 100 / CAST(previous_price AS DOUBLE) END AS change_percent,
    valid_from,
    -- Until the next price, or until the product is deleted.
    coalesce(lead(valid_from) OVER (PARTITION BY product_id ORDER BY version), ended_at) AS valid_to
FROM (
    SELECT
        department,
        product_id,
        version,
        list_price,
        lag(list_price) OVER (PARTITION BY product_id ORDER BY version) AS previous_price,
        valid_from,
        max(CASE WHEN is_deleted THEN valid_to END) OVER (PARTITION BY product_id) AS ended_at
    FROM silver.shop_products
) AS versions
WHERE previous_price IS NULL OR previous_price <> list_price
