-- Random values, made by PostgreSQL. Every function is VOLATILE, so that each row has values of its own; setseed() makes them repeatable.
CREATE EXTENSION citext; CREATE EXTENSION ltree;
CREATE SCHEMA rnd;
CREATE TYPE rnd.mood AS ENUM ('sad', 'so so', 'it''s "odd", {really}', 'NULL');
CREATE TYPE rnd.pair AS (a int, b text);
CREATE DOMAIN rnd.cents AS numeric(14,2);
CREATE DOMAIN rnd.twice AS rnd.cents;

CREATE FUNCTION rnd.upto(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT floor(random() * (n + 1))::int $$;
CREATE FUNCTION rnd.digits(n int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE t text := '';
BEGIN
  WHILE length(t) < n LOOP t := t || translate(md5(random()::text), 'abcdef', '739015'); END LOOP;
  RETURN left(t, n);
END $$;
CREATE FUNCTION rnd.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT choices[1 + rnd.upto(array_length(choices, 1) - 1)] $$;
CREATE FUNCTION rnd.text(longest int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE t text := '';
BEGIN
  FOR i IN 1..rnd.upto(longest) LOOP
    t := t || chr(CASE rnd.upto(7) WHEN 0 THEN 1 + rnd.upto(31) WHEN 1 THEN 160 + rnd.upto(700) WHEN 2 THEN 8192 + rnd.upto(40000)
                  WHEN 3 THEN 65536 + rnd.upto(200000) WHEN 4 THEN ascii(rnd.pick('"', '\', '{', '}', ',', '''', ' ', '/', '(')) ELSE 32 + rnd.upto(95) END);
  END LOOP;
  RETURN t;
END $$;
-- Of precision p and scale s, which may be negative or above p.
CREATE FUNCTION rnd.numeric(p int, s int) RETURNS numeric LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(19) WHEN 0 THEN 'NaN'::numeric WHEN 1 THEN 0
         ELSE (rnd.pick('-', '') || rnd.digits(1 + rnd.upto(p - 1)) || 'e' || (-s))::numeric END $$;
CREATE FUNCTION rnd.anynumeric() RETURNS numeric LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(19) WHEN 0 THEN rnd.pick('NaN', 'Infinity', '-Infinity')::numeric
         WHEN 1 THEN (rnd.digits(1) || 'e' || (rnd.upto(300) - 150))::numeric
         ELSE (rnd.pick('-', '') || rnd.digits(1 + rnd.upto(25)) || '.' || rnd.digits(1 + rnd.upto(20)))::numeric END $$;
CREATE FUNCTION rnd.float(digits int, low int, high int) RETURNS float8 LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(11) WHEN 0 THEN rnd.pick('NaN', 'Infinity', '-Infinity', '-0', '0')::float8 WHEN 1 THEN rnd.upto(1000000)::float8 - 500000
         ELSE (rnd.pick('-', '') || rnd.digits(1) || '.' || rnd.digits(digits) || 'e' || (low + rnd.upto(high - low)))::float8 END $$;
CREATE FUNCTION rnd.bytes(longest int) RETURNS bytea LANGUAGE sql VOLATILE AS $$ SELECT decode(repeat(md5(random()::text), 1 + longest / 16), 'hex') $$;
CREATE FUNCTION rnd.date() RETURNS date LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(9) WHEN 0 THEN rnd.pick('infinity', '-infinity')::date WHEN 1 THEN date '2000-01-01' + (random() * 2145031948)::int
         WHEN 2 THEN date '2000-01-01' - (random() * 2451545)::int ELSE date '1970-01-01' + rnd.upto(40000) - 20000 END $$;
CREATE FUNCTION rnd.micros(hours float8) RETURNS interval LANGUAGE sql VOLATILE AS $$ SELECT (random() * hours * 3.6e9)::bigint * interval '1 microsecond' $$;
CREATE FUNCTION rnd.time() RETURNS time LANGUAGE sql VOLATILE AS $$ SELECT CASE rnd.upto(9) WHEN 0 THEN time '24:00' ELSE time '00:00' + rnd.micros(24) END $$;
CREATE FUNCTION rnd.timestamp() RETURNS timestamp LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(9) WHEN 0 THEN rnd.pick('infinity', '-infinity')::timestamp WHEN 1 THEN timestamp '0001-01-01' - rnd.micros(4e7)
         WHEN 2 THEN timestamp '2000-01-01' + rnd.micros(2.5e9) WHEN 3 THEN timestamp '294240-01-01' + rnd.micros(3e5)
         ELSE timestamp '1970-01-01' - rnd.micros(5e5) + rnd.micros(1e6) END $$;
CREATE FUNCTION rnd.interval() RETURNS interval LANGUAGE sql VOLATILE AS $$
  SELECT make_interval(years => rnd.upto(2000) - 1000, months => rnd.upto(11), days => rnd.upto(4000) - 2000) + rnd.micros(1000) - rnd.micros(1000) $$;
CREATE FUNCTION rnd.json() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(3) WHEN 0 THEN rnd.pick('null', 'true', '[]', '{}', '1.50', '1e3', '-0') WHEN 1 THEN to_json(rnd.text(10))::text
         ELSE json_build_object(rnd.text(5), rnd.anynumeric(), 'b', json_build_array(rnd.text(8), null, random()))::text END $$;
CREATE FUNCTION rnd.address() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(1) WHEN 0 THEN concat_ws('.', rnd.upto(255), rnd.upto(255), rnd.upto(255), rnd.upto(255))
         ELSE regexp_replace(md5(random()::text), '(....)(?=.)', '\1:', 'g') END $$;
-- Of a range's two bounds, in order; now and then one is open or the range is empty.
CREATE FUNCTION rnd.range(a text, b text) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT CASE rnd.upto(9) WHEN 0 THEN 'empty' WHEN 1 THEN '(,"' || b || '")' WHEN 2 THEN '["' || a || '",)'
         ELSE rnd.pick('[', '(') || '"' || a || '","' || b || '"' || rnd.pick(']', ')') END $$;
CREATE FUNCTION rnd.bounds(n int) RETURNS int[] LANGUAGE sql VOLATILE AS $$ SELECT array_agg(v ORDER BY v) FROM (SELECT rnd.upto(n) AS v FROM generate_series(1, 2)) s $$;
-- One of many shapes: some elements, none, NULLs among them, two dimensions, other lower bounds.
CREATE FUNCTION rnd.shape(elements anyarray) RETURNS anyarray LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  CASE rnd.upto(9)
    WHEN 0 THEN RETURN elements[1:0];
    WHEN 1 THEN RETURN ARRAY[elements[1:2], elements[2:3]];
    WHEN 2 THEN elements[0] := elements[1]; RETURN elements;
    WHEN 3 THEN elements[2] := NULL; RETURN elements;
    ELSE RETURN elements[1:1 + rnd.upto(2)];
  END CASE;
END $$;
