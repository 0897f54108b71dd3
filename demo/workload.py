"""The shop at work: what several sessions do to the source database while Millrace carries it. The same seed gives the same statements; how
they interleave is the sessions' affair."""
import collections
import random
import threading
import time

import psycopg

BASKETS_PER_SESSION = 300
CASHIERS = 4
FIRST_BASKET = 50_000_000_000


class Workload:
    def __init__(self, connect, say):
        self.connect = connect
        self.say = say
        self.counts = collections.Counter()
        self._lock = threading.Lock()
        self._failures = []
        with connect() as c:
            self.products = [row[0] for row in c.execute("SELECT DISTINCT product_id FROM shop.basket_items ORDER BY 1")]
            self.households = [row[0] for row in c.execute("SELECT household_id FROM shop.households ORDER BY 1")]
            self.december = [row[0] for row in c.execute(
                "SELECT basket_id FROM shop.baskets WHERE created_at >= '2017-12-01' ORDER BY 1")]

    def count(self, what, n=1):
        with self._lock:
            self.counts[what] += n

    def cashier(self, number):
        """New baskets, some cancelled later, some given up before the commit; corrections of old ones."""
        rng = random.Random(f"cashier {number}")
        mine = []
        with self.connect() as c:
            for n in range(BASKETS_PER_SESSION):
                basket = FIRST_BASKET + number * 1_000_000 + n
                with c.transaction() as tx:
                    c.execute("INSERT INTO shop.baskets VALUES (%s, %s, %s, now())",
                              (basket, rng.choice(self.households), rng.randint(300, 450)))
                    products = rng.sample(self.products, rng.randint(1, 14))
                    c.cursor().executemany(
                        "INSERT INTO shop.basket_items SELECT %s, product_id, q, list_price * q - d, d, 0, 0, now() FROM "
                        "(SELECT product_id, list_price, %s::bigint AS q, round(list_price * %s::numeric, 2) AS d FROM shop.products "
                        "WHERE product_id = %s) AS priced",
                        [(basket, rng.randint(1, 4), rng.choice(("0", "0", "0.10", "0.25")), product) for product in products])
                    if rng.random() < 0.05:  # the card was refused
                        self.count("baskets rolled back")
                        raise psycopg.Rollback(tx)
                    mine.append(basket)
                    self.count("baskets")
                    self.count("items", len(products))
                if rng.random() < 0.08 and mine:  # cancelled
                    gone = mine.pop(rng.randrange(len(mine)))
                    with c.transaction():
                        c.execute("DELETE FROM shop.basket_items WHERE basket_id = %s", (gone,))
                        c.execute("DELETE FROM shop.baskets WHERE basket_id = %s", (gone,))
                    self.count("baskets cancelled")
                if rng.random() < 0.05:  # a mistake of last December is put right
                    c.execute("UPDATE shop.basket_items SET quantity = quantity + 1, sales_value = sales_value + 1.00 WHERE basket_id = %s",
                              (rng.choice(self.december),))
                    self.count("corrections")

    def office(self):
        """Households move, change their minds, and move twice within one transaction."""
        rng = random.Random("office")
        with self.connect() as c:
            for n in range(400):
                household = rng.choice(self.households)
                with c.transaction():
                    c.execute("UPDATE shop.households SET street = %s, postal_code = %s, updated_at = now() WHERE household_id = %s",
                              (f"{rng.randint(1, 999)} Harbor Avenue", f"{rng.randint(10000, 99999)}", household))
                    if n % 10 == 0:
                        c.execute("UPDATE shop.households SET city = 'Toledo', newsletter = NOT newsletter WHERE household_id = %s",
                                  (household,))
                self.count("moves")
                time.sleep(0.005)

    def pricing(self):
        """Small price changes, with a savepoint that is rolled back now and then."""
        rng = random.Random("pricing")
        with self.connect() as c:
            for n in range(60):
                few = rng.sample(self.products, 40)
                with c.transaction():
                    c.execute("UPDATE shop.products SET list_price = round(list_price * %s::numeric, 2), updated_at = now() "
                              "WHERE product_id = ANY(%s)", (f"{rng.uniform(0.8, 1.2):.3f}", few))
                    if n % 6 == 0:
                        with c.transaction() as savepoint:
                            c.execute("UPDATE shop.products SET list_price = 0 WHERE product_id = ANY(%s)", (few,))
                            raise psycopg.Rollback(savepoint)
                self.count("price changes", len(few))
                time.sleep(0.03)

    def schema_change(self):
        with self.connect() as c:
            c.execute("ALTER TABLE shop.households ADD COLUMN loyalty_tier text")
            c.execute("UPDATE shop.households SET loyalty_tier = (ARRAY['gold','silver','bronze'])[household_id % 3 + 1] "
                      "WHERE household_id % 4 = 0")
            c.execute("ALTER TABLE shop.households RENAME COLUMN home_ownership TO housing")
            c.execute("UPDATE shop.households SET housing = 'Renter' WHERE household_id % 50 = 0")
        self.count("schema changes", 2)
        self.say("schema changed in mid-stream: households.loyalty_tier added, home_ownership renamed to housing")

    def repricing(self):
        """One transaction over every product."""
        with self.connect() as c, c.transaction():
            # Otherwise it and pricing() could wait for each other's rows.
            c.execute("LOCK TABLE shop.products IN SHARE ROW EXCLUSIVE MODE")
            rows = c.execute("UPDATE shop.products SET list_price = round(list_price * 1.03, 2), updated_at = now()").rowcount
        self.count("repriced in one transaction", rows)
        self.say(f"one transaction raised {rows:,} list prices")

    def renumber(self):
        """A primary key changes: a product that nobody bought gets another number."""
        with self.connect() as c:
            c.execute("UPDATE shop.products SET product_id = product_id + 1000000000 WHERE product_id = (SELECT max(p.product_id) "
                      "FROM shop.products AS p WHERE NOT EXISTS (SELECT FROM shop.basket_items AS i WHERE i.product_id = p.product_id))")
        self.count("primary keys changed")

    def _guard(self, work, *args):
        try:
            work(*args)
        except Exception as failure:  # told by run(), in the main thread
            self._failures.append(failure)

    def run(self):
        begin = time.monotonic()
        sessions = [threading.Thread(target=self._guard, args=(self.cashier, n)) for n in range(CASHIERS)]
        sessions += [threading.Thread(target=self._guard, args=(work,)) for work in (self.office, self.pricing)]
        for session in sessions:
            session.start()
        time.sleep(1.5)
        self._guard(self.schema_change)
        self._guard(self.repricing)
        self._guard(self.renumber)
        for session in sessions:
            session.join()
        if self._failures:
            raise self._failures[0]
        return time.monotonic() - begin
