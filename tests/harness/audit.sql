-- The oracle's notebook: every row change of an audited table, written by a trigger in the transaction that made it, so that what is
-- rolled back leaves no trace. Values are PostgreSQL's own text, by hstore(), which calls each column's output function.
--
-- The triggers are enabled as ALWAYS: they fire under session_replication_role = replica too. The tables are outside of `public`, so
-- Millrace is never asked to capture them.
CREATE SCHEMA audit;
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA audit;

CREATE TABLE audit.log (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint % 4294967296),
  relation oid NOT NULL,   -- a table's identity through renames
  op "char" NOT NULL,      -- I U D T, and S: the shape of the table from here on
  old_row jsonb,           -- {column: text or null}; for S: {attnum: {name, type, ...}}
  new_row jsonb
);

CREATE FUNCTION audit.write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET timezone = 'UTC' SET datestyle = 'ISO,MDY' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
  SET lc_monetary = 'C' SET search_path = '' SET quote_all_identifiers = off AS $$
BEGIN
  INSERT INTO audit.log (relation, op, old_row, new_row)
  VALUES (coalesce(pg_partition_root(TG_RELID), TG_RELID), left(TG_OP, 1)::"char",
          CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN audit.hstore_to_jsonb(audit.hstore(OLD)) END,
          CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN audit.hstore_to_jsonb(audit.hstore(NEW)) END);
  RETURN NULL;
END $$;

-- What a column holds: format_type() of its type, of a domain (or an array of one) that of the base type.
CREATE FUNCTION audit.base_type(type oid, typmod int) RETURNS text LANGUAGE sql STABLE SET search_path = '' SET quote_all_identifiers = off AS $$
  SELECT CASE WHEN t.typtype = 'd' THEN audit.base_type(t.typbasetype, t.typtypmod)
              WHEN e.typtype = 'd' AND t.typoutput = 'array_out'::regproc THEN audit.base_type(e.oid, -1) || '[]'
              ELSE format_type(t.oid, typmod) END
  FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid = type
$$;

-- The columns by attnum, with type, place in the replica identity (or else the primary key), and what rows written before the
-- column was added show in it: a constant default of ADD COLUMN, which in a partitioned table lies with the partitions.
CREATE FUNCTION audit.shape(relation oid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_object_agg(a.attnum::text, jsonb_build_object(
           'name', a.attname, 'type', audit.base_type(a.atttypid, a.atttypmod), 
           'generated', a.attgenerated <> '' AND NOT (a.attgenerated = 's' AND current_setting('server_version_num')::int >= 180000),
           'key', coalesce(array_position(i.columns, a.attnum), 0), 'missing', m.text))
  FROM pg_attribute a
  LEFT JOIN LATERAL (
    SELECT min((l.attmissingval::text::text[])[1]) AS text FROM pg_attribute l
    WHERE l.attname = a.attname AND l.atthasmissing
      AND (l.attrelid = relation OR l.attrelid IN (SELECT relid FROM pg_partition_tree(relation)))) m ON true
  LEFT JOIN LATERAL (
    SELECT string_to_array(x.indkey::text, ' ')::smallint[] AS columns
    FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
    WHERE x.indrelid = a.attrelid
      AND (CASE WHEN c.relreplident = 'i' THEN x.indisreplident ELSE x.indisprimary AND c.relreplident <> 'n' END)) i ON true
  WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;

CREATE FUNCTION audit.watch(name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- A constraint-free AFTER trigger: it sees the row as stored, generated columns and defaults included.
  EXECUTE format('CREATE TRIGGER audit_rows AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit.write()', name);
  EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.write()', name);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_rows, ENABLE ALWAYS TRIGGER audit_truncate', name);
  INSERT INTO audit.log (relation, op, new_row) VALUES (name, 'S', audit.shape(name));
END $$;

CREATE FUNCTION audit.on_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET timezone = 'UTC' SET datestyle = 'ISO,MDY' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1 AS $$
BEGIN
  INSERT INTO audit.log (relation, op, new_row)
  SELECT DISTINCT t.tgrelid, 'S'::"char", audit.shape(t.tgrelid)
  FROM pg_event_trigger_ddl_commands() d JOIN pg_trigger t ON t.tgrelid = d.objid AND t.tgname = 'audit_rows'
  WHERE d.object_type IN ('table', 'table column');
END $$;
CREATE EVENT TRIGGER audit_ddl ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION audit.on_ddl();

-- Tables are watched from their creation on.
CREATE FUNCTION audit.on_create() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM audit.watch(c.oid::regclass)
  FROM (SELECT DISTINCT objid, object_type FROM pg_event_trigger_ddl_commands()) d JOIN pg_class c ON c.oid = d.objid
  WHERE d.object_type = 'table' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'audit_rows');
END $$;
CREATE EVENT TRIGGER audit_create ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION audit.on_create();

-- Every transaction that wrote to the notebook, and no other, is in this publication: its BEGIN message has the commit's LSN and time.
CREATE PUBLICATION audit_commits FOR TABLE audit.log WITH (publish = 'insert');
