CREATE OR REPLACE FUNCTION pgagent_py._name_caller() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.caller := current_user;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._name_caller() IS
'Write the role that inserts into the view request, as which this function runs, into the row.';

CREATE OR REPLACE FUNCTION pgagent_py._handle_request() RETURNS trigger
LANGUAGE plpython3u SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET check_function_bodies = on -- what a verb does is noted in job_change, whatever the session has set
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET intervalstyle = 'postgres'
AS {{ python_call("api.request.handle", "TD") }};

COMMENT ON FUNCTION pgagent_py._handle_request() IS
'Check whether the caller may do what it asks for, and do it. The answer is {"value": ...}, or {"error": ...} with '
'nothing changed.';

CREATE OR REPLACE FUNCTION pgagent_py._write_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET check_function_bodies = on
SET timezone = 'UTC'
SET intervalstyle = 'postgres'
AS $plpgsql$
DECLARE
    w record;
    names text;
BEGIN
    IF NEW.answer ? 'write' THEN
        FOR w IN SELECT r.name, r.parent, r.id, r.before::jsonb AS before, r.after::jsonb AS after,
                        (SELECT string_agg('to_jsonb(t.' || quote_ident(k) || ') = gone.e -> ' || quote_literal(k), ' AND ')
                           FROM jsonb_array_elements_text(r.keys) k) AS is_same
                   FROM jsonb_to_recordset(NEW.answer -> 'write')
                        AS r (name text, parent text, id integer, keys jsonb, before text, after text) LOOP
            IF w.is_same IS NOT NULL THEN
                EXECUTE format('DELETE FROM %s t USING (SELECT jsonb_array_elements($2) AS e EXCEPT ALL '
                               'SELECT jsonb_array_elements($3)) gone WHERE t.%I = $1 AND %s', w.name::regclass, w.parent, w.is_same)
                  USING w.id, w.before, w.after;
                EXECUTE format('INSERT INTO %s SELECT r.* FROM (SELECT jsonb_array_elements($2) AS e EXCEPT ALL '
                               'SELECT jsonb_array_elements($1)) n CROSS JOIN LATERAL jsonb_populate_record(NULL::%1$s, n.e) r',
                               w.name::regclass) USING w.before, w.after;
            ELSE
                -- What has not changed is left alone: other columns may be another session's by now.
                SELECT string_agg(format('%I', n.key), ', ' ORDER BY n.key) INTO names FROM jsonb_each(w.after -> 0) n
                 WHERE n.key <> w.parent AND n.value IS DISTINCT FROM w.before -> 0 -> n.key;
                EXECUTE format('INSERT INTO %1$s SELECT r.* FROM jsonb_populate_record(NULL::%1$s, $1) r '
                               'ON CONFLICT (%2$I) DO UPDATE SET (%3$s) = ROW(excluded.%4$s)', w.name::regclass, w.parent,
                               names, replace(names, ', ', ', excluded.')) USING w.after -> 0;
            END IF;
        END LOOP;
        PERFORM pg_notify('pgagent_py', '');
        NEW.answer := NEW.answer - 'write';
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._write_rows() IS
'Write what a comment sets. Without a subtransaction, in which every statement of PL/Python is: our triggers on the tables '
'of options update pga_job, and pgAdmin looks for its new job by the id of its own transaction.';

-- Fired in the order of their names. The first runs as the role that inserts, and writes its name into the row. The others run as
-- the extension's owner. So it knows for sure which role asks, also inside that role's SECURITY DEFINER functions.
-- A column default would not do: a view on this one can have a default of its own, and needs no right on the column for it.
DROP TRIGGER IF EXISTS request_caller ON pgagent_py.request;
CREATE TRIGGER request_caller INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._name_caller();

DROP TRIGGER IF EXISTS request_handle ON pgagent_py.request;
CREATE TRIGGER request_handle INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._handle_request();

DROP TRIGGER IF EXISTS request_write ON pgagent_py.request;
CREATE TRIGGER request_write INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._write_rows();
