-- What the chain sold on each day, from what stands in the books now: cancelled baskets are gone, corrections are in.
-- gold: daily_sales
-- grain: one row a day (UTC)
-- partition: day
-- inputs: silver.shop_basket_items
-- touched: silver.shop_basket_items => CAST(sold_at AS DATE)
-- check: net_sales = gross_sales - discounts AS net_is_gross_less_discounts
-- check: baskets > 0 AND items >= baskets AS every_basket_has_items
-- check: count(*) = count(DISTINCT day) AS one_row_a_day
SELECT
    day,
    count(*) AS baskets,
    CAST(sum(items) AS BIGINT) AS items,
    CAST(sum(units) AS BIGINT) AS units,
    CAST(sum(net + discount) AS DECIMAL(18, 2)) AS gross_sales,
    CAST(sum(discount) AS DECIMAL(18, 2)) AS discounts,
    CAST(sum(net) AS DECIMAL(18, 2)) AS net_sales,
    CAST(sum(net) AS DOUBLE) / count(*) AS avg_basket
FROM (
    SELECT
        CAST(sold_at AS DATE) AS day,
        basket_id,
        count(*) AS items,
        sum(quantity) AS units,
        sum(sales_value) AS net,
        sum(retail_disc + coupon_match_disc) AS discount
    FROM silver.shop_basket_items
    WHERE is_current
    GROUP BY CAST(sold_at AS DATE), basket_id
) AS baskets
GROUP BY day
