-- The source database of the demo: a grocery chain's shop system.
CREATE SCHEMA shop;

CREATE TABLE shop.households (
    household_id    bigint NOT NULL,
    street          text NOT NULL,
    city            text NOT NULL,
    postal_code     text NOT NULL,
    age             text,
    income          text,
    home_ownership  text,
    marital_status  text,
    household_size  text,
    household_comp  text,
    kids_count      text,
    newsletter      boolean NOT NULL DEFAULT false,
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.products (
    product_id       bigint NOT NULL,
    manufacturer_id  bigint,
    department       text NOT NULL,
    brand            text,
    category         text,
    product_type     text,
    package_size     text,
    list_price       numeric(10,2) NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.baskets (
    basket_id     bigint NOT NULL,
    household_id  bigint NOT NULL,
    store_id      integer NOT NULL,
    created_at    timestamptz NOT NULL
);

-- One row for each product in a basket. Amounts are for all units of the row:
-- shelf price = sales_value + retail_disc + coupon_match_disc; coupon_disc is what a manufacturer pays back.
CREATE TABLE shop.basket_items (
    basket_id          bigint NOT NULL,
    product_id         bigint NOT NULL,
    quantity           bigint NOT NULL,
    sales_value        numeric(10,2) NOT NULL,
    retail_disc        numeric(10,2) NOT NULL DEFAULT 0,
    coupon_disc        numeric(10,2) NOT NULL DEFAULT 0,
    coupon_match_disc  numeric(10,2) NOT NULL DEFAULT 0,
    sold_at            timestamptz NOT NULL
);
