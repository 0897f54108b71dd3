-- After loading: one pass over sorted data is cheaper than an index kept up row by row.
ALTER TABLE shop.households ADD PRIMARY KEY (household_id);
ALTER TABLE shop.products ADD PRIMARY KEY (product_id);
ALTER TABLE shop.baskets ADD PRIMARY KEY (basket_id);
ALTER TABLE shop.basket_items ADD PRIMARY KEY (basket_id, product_id);
ALTER TABLE shop.baskets ADD FOREIGN KEY (household_id) REFERENCES shop.households;
ALTER TABLE shop.basket_items ADD FOREIGN KEY (basket_id) REFERENCES shop.baskets;
ALTER TABLE shop.basket_items ADD FOREIGN KEY (product_id) REFERENCES shop.products;
CREATE INDEX ON shop.baskets (created_at);
ANALYZE;
CHECKPOINT;
