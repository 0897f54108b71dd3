-- Sales of each department on each day. A product counts for the department that it belongs to now, so a moved product moves its past too:
-- there is no 'touched' line for products, and a change of products recomputes the table.
-- gold: daily_department_sales
-- grain: one row a day (UTC) and department
-- partition: day
-- inputs: silver.shop_basket_items, silver.shop_products
-- touched: silver.shop_basket_items => CAST(sold_at AS DATE)
-- check: department IS NOT NULL AS every_row_has_a_department
SELECT
    CAST(i.sold_at AS DATE) AS day,
    p.department,
    count(DISTINCT i.product_id) AS products,
    count(*) AS items,
    CAST(sum(i.quantity) AS BIGINT) AS units,
    CAST(sum(i.sales_value) AS DECIMAL(18, 2)) AS net_sales,
    CAST(sum(i.retail_disc + i.coupon_match_disc) AS DECIMAL(18, 2)) AS discounts
FROM silver.shop_basket_items AS i
JOIN silver.shop_products AS p ON p.product_id = i.product_id AND p.is_current
WHERE i.is_current
GROUP BY CAST(i.sold_at AS DATE), p.department
