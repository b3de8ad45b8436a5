-- Only due or sleeping jobs that nobody runs: what a claim and the next wake-up look for.
CREATE INDEX IF NOT EXISTS pgagent_py_due ON pgagent.pga_job (jobnextrun)
    WHERE jobenabled AND jobagentid IS NULL AND jobnextrun IS NOT NULL;

ALTER INDEX pgagent.pgagent_py_due DEPENDS ON EXTENSION pgagent_py;

COMMENT ON INDEX pgagent.pgagent_py_due IS 'pgagent_py: due jobs, longest due first, without reading the sleeping ones.';

-- Jobs that somebody runs: counted under a limit, taken up or closed with their agent.
CREATE INDEX IF NOT EXISTS pgagent_py_running ON pgagent.pga_job (jobagentid) WHERE jobagentid IS NOT NULL;

ALTER INDEX pgagent.pgagent_py_running DEPENDS ON EXTENSION pgagent_py;

COMMENT ON INDEX pgagent.pgagent_py_running IS 'pgagent_py: the jobs in progress, without reading the sleeping ones.';

-- Named so that they sort before pgAgent's own pga_job_trigger (claim, next_run) and after it (unset): PostgreSQL fires triggers
-- in the order of their names. The WHEN clauses keep every other update of the table as cheap as it was.
{% macro on_job(name, when, function, condition, comment) %}
DROP TRIGGER IF EXISTS {{ name }} ON pgagent.pga_job;
CREATE TRIGGER {{ name }} {{ when }} ON pgagent.pga_job
    FOR EACH ROW WHEN ({{ condition }})
    EXECUTE FUNCTION pgagent_py.{{ function }}();
ALTER TRIGGER {{ name }} ON pgagent.pga_job DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER {{ name }} ON pgagent.pga_job IS 'pgagent_py: {{ comment }}';
{% endmacro %}

CREATE OR REPLACE FUNCTION pgagent_py._refuse_stale_claim() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_stale_claim() IS
'Leave a job alone that an agent claims although it is not due any more: the C++ daemon claims from a list that it read before, '
'and would run again what another agent has finished in between. It finds that it updated no row.';

-- joblastrun = now() is how pgAgent's claim statement looks.
{{ on_job("pga_job_claim_stale", "BEFORE UPDATE", "_refuse_stale_claim",
    "OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL AND NEW.joblastrun = now() AND (NEW.jobnextrun <= now()) IS NOT TRUE",
    "an agent may claim only what is due.") }}

CREATE OR REPLACE FUNCTION pgagent_py._refuse_claim() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = NEW.jobid AND o.jobowner IS NOT NULL)
       AND NOT EXISTS (SELECT FROM pgagent_py.agent a WHERE a.jagpid = NEW.jobagentid) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_claim() IS
'Leave a job that has an owner alone when an agent claims it that knows nothing of owners: the C++ daemon would run it with its own '
'rights. It finds that it updated no row.';

{{ on_job("pga_job_claim_owned", "BEFORE UPDATE", "_refuse_claim",
    "OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL",
    "only an agent that knows owners may claim a job that has one.") }}

CREATE OR REPLACE FUNCTION pgagent_py._set_next_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    SELECT to_timestamp(pgagent_py._firing(
               v.jscid, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone, v.exceptions,
               CASE WHEN NEW.joblastrun > clock_timestamp() THEN extract(epoch FROM NEW.joblastrun)::float8 END))
      INTO NEW.jobnextrun
      FROM pgagent_py.schedule_version v
     WHERE v.jscjobid = NEW.jobid AND v.jscenabled
     ORDER BY 1 LIMIT 1;
    IF NEW.jobnextrun IS NULL THEN
        NEW.jobnextrun := 'infinity';
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._set_next_run() IS
'jobnextrun by the rules of pgagent_py, infinity when there is none: so that pgAgent''s trigger, which fires next, keeps it.';

{{ on_job("pga_job_next_run", "BEFORE UPDATE", "_set_next_run",
    "NEW.jobenabled AND NEW.jobnextrun IS NULL",
    "next run by the rules of pgagent_py.") }}

CREATE OR REPLACE FUNCTION pgagent_py._unset_next_run() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.jobnextrun := NULL;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._unset_next_run() IS 'infinity, which stood for no next run, back to NULL.';

{{ on_job("pga_job_unset_next_run", "BEFORE UPDATE", "_unset_next_run",
    "NEW.jobnextrun = 'infinity'",
    "a job that never runs has no next run.") }}

CREATE OR REPLACE FUNCTION pgagent_py._notify_due() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pg_notify('pgagent_py', '');
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._notify_due() IS 'Wake the launchers: a job is due sooner than they may be sleeping.';

-- A launcher sleeps 30 seconds at most, so later ones need not wake it; nor need jobs that an agent has just released.
{{ on_job("pgagent_py_notify_due", "AFTER UPDATE", "_notify_due",
    "NEW.jobenabled AND NEW.jobagentid IS NULL AND OLD.jobagentid IS NULL AND NEW.jobnextrun <= now() + interval '40 s'"
    " AND (NEW.jobnextrun < OLD.jobnextrun OR OLD.jobnextrun IS NULL OR NOT OLD.jobenabled)",
    "wake the launchers for a job that is due soon.") }}
{{ on_job("pgagent_py_notify_due_new", "AFTER INSERT", "_notify_due",
    "NEW.jobenabled AND NEW.jobagentid IS NULL AND NEW.jobnextrun <= now() + interval '40 s'",
    "wake the launchers for a job that is due soon.") }}
