-- How many households bought on each day, and for how many it was the first time. A cancelled first basket makes a later day the first one, which
-- the changed row cannot tell: so there is no 'touched' line and the table is recomputed.
-- gold: daily_household_activity
-- grain: one row a day (UTC)
-- partition: day
-- inputs: silver.shop_baskets
-- check: new_households <= active_households AS new_are_active
SELECT
    day,
    count(*) AS active_households,
    CAST(sum(CASE WHEN day = first_day THEN 1 ELSE 0 END) AS BIGINT) AS new_households,
    CAST(sum(baskets) AS BIGINT) AS baskets,
    CAST(sum(baskets) AS DOUBLE) / count(*) AS baskets_per_household
FROM (
    SELECT
        day,
        household_id,
        baskets,
        min(day) OVER (PARTITION BY household_id) AS first_day
    FROM (
        SELECT CAST(created_at AS DATE) AS day, household_id, count(*) AS baskets
        FROM silver.shop_baskets
        WHERE is_current
        GROUP BY CAST(created_at AS DATE), household_id
    ) AS visits
) AS dated
GROUP BY day
