{% from "macros/on_pgagent.j2" import comment_lines, index, not_in_turn, trigger %}
{% set idle = python_constant("ground.vocabulary.IDLE") %}
{% set claimed = "OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL" %}
{% set due_soon = idle | replace("j.", "NEW.") ~ " AND NEW.jobnextrun <= now() + interval '40 s'" %}
-- Claims and next_wake() look for these jobs.
{% call index("pgagent_py_due", "pga_job (jobnextrun) WHERE " ~ idle | replace("j.", "") ~ " AND jobnextrun IS NOT NULL") %}
due jobs, longest due first, without reading the sleeping ones.
{% endcall %}

-- Limits count these jobs. An agent that comes back takes them over; those of an agent that is gone are closed.
{% call index("pgagent_py_running", "pga_job (jobagentid) WHERE jobagentid IS NOT NULL") %}
the jobs in progress, without reading the sleeping ones.
{% endcall %}

-- add_job() and job_id() look for a name. A hash, since names have no limit and a tree's entries do.
{% call index("pgagent_py_name", "pga_job USING hash (jobname)") %}
the job of a name.
{% endcall %}

-- PostgreSQL fires triggers in the order of their names: claim and next_run come before pgAgent's own pga_job_trigger, unset comes
-- after it. The WHEN conditions keep every other update of the table as cheap as it was.

CREATE OR REPLACE FUNCTION pgagent_py._note_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF NOT ({{ not_in_turn }})
       AND EXISTS (SELECT FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid() AND a.backend_start = pgagent_py._backend_start()) THEN
        RETURN NEW;
    END IF;
    -- A time that has passed long since is no order to run now, but one of a schedule that was missed.
    IF NEW.jobnextrun < now() - interval '1 min' THEN
        UPDATE pgagent_py.job_owed w SET jobowedfrom = NEW.jobnextrun - interval '1 us'
         WHERE w.jobid = NEW.jobid AND w.jobowedfrom > NEW.jobnextrun;
        RETURN NEW;
    END IF;
    INSERT INTO pgagent_py.job_origin AS o (jobid, jobnextrun, jlgtrigger, jlgtriggeredby)
    VALUES (NEW.jobid, NEW.jobnextrun, 'n', pgagent_py._asking_role())
        ON CONFLICT (jobid) DO UPDATE SET jobnextrun = excluded.jobnextrun, jlgdue = NULL, jlgtrigger = excluded.jlgtrigger,
           jlgtriggeredby = excluded.jlgtriggeredby
     WHERE o.jobnextrun <> excluded.jobnextrun;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_order() IS
'Note which role has made a job due, as Run now of pgAdmin does. Functions of ours that make a job due have noted it '
'before, with the same time: that stays.';

-- It comes first: what the others set are times of schedules. An agent that releases its own jobs need not even be asked.
{% call trigger("pga_job_asked", "BEFORE UPDATE", "pga_job", "_note_order",
    when="NEW.jobnextrun IS NOT NULL AND NEW.jobnextrun IS DISTINCT FROM OLD.jobnextrun AND NEW.jobnextrun < 'infinity'"
         " AND (OLD.jobagentid IS DISTINCT FROM pg_backend_pid() OR " ~ not_in_turn ~ ")") %}
which role has made the job due.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._refuse_stale_claim() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_stale_claim() IS
'Leave a job alone that an agent claims and that is not due any more. The C++ daemon claims from a list that it read '
'earlier: it would run again what another agent has finished meanwhile. It finds that it has updated no row.';

-- pgAgent's claim sets joblastrun = now().
{% call trigger("pga_job_claim_stale", "BEFORE UPDATE", "pga_job", "_refuse_stale_claim",
    when=claimed ~ " AND NEW.joblastrun = now() AND (NEW.jobnextrun <= now()) IS NOT TRUE") %}
an agent may claim a job only while it is due.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._refuse_claim() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    IF EXISTS (SELECT FROM pgagent_py.not_for_daemon n WHERE n.jobid = NEW.jobid) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_claim() IS
'Leave a job that has an owner or a window, needs something or is to catch up alone when the C++ daemon claims it: the '
'daemon knows nothing of that, and would run the job with its own rights, anywhere and at any time. It finds that it has '
'updated no row.';

{% call trigger("pga_job_claim_owned", "BEFORE UPDATE", "pga_job", "_refuse_claim", when=claimed ~ " AND " ~ not_in_turn) %}
only an agent that knows owners and needs may claim a job that has them.
{% endcall %}

{% set version = "v.jscid, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone, v.exceptions" %}
{% set of_the_job = "pgagent_py.schedule_version v WHERE v.jscjobid = NEW.jobid AND v.jscenabled" %}
CREATE OR REPLACE FUNCTION pgagent_py._set_next_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    version uuid;
    times int8[];
    micros int8;
    owing boolean;
    after timestamptz;
BEGIN
    -- In a statement for many jobs, the look itself would cost more than finding the time.
    SELECT v.version INTO version FROM pgagent_py.code_version v;
    IF NOT pgagent_py._knows_code(version, current_setting('transaction_isolation')) THEN
        PERFORM pgagent_py._refuse_foreign_code();
    END IF;
    -- Whether any job owes times is asked in the same statement: a statement costs as much as finding the time, and to look for the
    -- job's row costs more than to see that there is none. An array costs less than min().
    SELECT ARRAY(SELECT pgagent_py._firing({{ version }}) FROM {{ of_the_job }}),
           EXISTS (SELECT FROM pgagent_py.job_owed)
      INTO times, owing;
    micros := times[1];
    IF cardinality(times) > 1 THEN
        SELECT min(t) INTO micros FROM unnest(times) t;
    END IF;
    IF owing OR NEW.joblastrun > clock_timestamp() THEN
        -- Where times that were missed are owed, a release goes on behind the last one that was claimed. Anything else drops them,
        -- and so does a change of the schedules meanwhile.
        SELECT CASE WHEN OLD.jobagentid IS NOT NULL AND NEW.jobagentid IS NULL
                     AND o.jobschedules IS NOT DISTINCT FROM pgagent_py._schedules_version(o.jobid) THEN o.jobowedfrom END
          INTO after FROM pgagent_py.job_owed o WHERE o.jobid = NEW.jobid;
        IF FOUND AND after IS NULL THEN
            UPDATE pgagent_py.job_owed w SET jobowedfrom = clock_timestamp(), jobschedules = pgagent_py._schedules_version(w.jobid)
             WHERE w.jobid = NEW.jobid;
        END IF;
        SELECT min(pgagent_py._firing_after({{ version }},
                                            CASE WHEN NEW.joblastrun > clock_timestamp() THEN extract(epoch FROM NEW.joblastrun)::float8 END,
                                            extract(epoch FROM after)::float8))
          INTO micros FROM {{ of_the_job }};
    END IF;
    -- to_timestamp() has room for microseconds until 2106. Spans of 24 hours and the rest are exact, and take three times as long.
    IF micros < 4000000000000000 THEN
        NEW.jobnextrun := to_timestamp(micros::float8 / 1000000);
    ELSIF micros IS NULL THEN
        NEW.jobnextrun := 'infinity';
    ELSE
        NEW.jobnextrun := timestamptz 'epoch' + interval '24:00:00' * (micros / 86400000000)
                          + make_interval(secs => micros % 86400000000 / 1e6);
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._set_next_run() IS
'Set jobnextrun by the rules of pgagent_py. infinity stands for no next run: pgAgent''s own trigger, which fires next, '
'would replace NULL.';

{% call trigger("pga_job_next_run", "BEFORE UPDATE", "pga_job", "_set_next_run",
    when="NEW.jobenabled AND NEW.jobnextrun IS NULL") %}
the next run by the rules of pgagent_py.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._unset_next_run() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.jobnextrun := NULL;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._unset_next_run() IS
'Set jobnextrun from infinity, which stood for no next run, back to NULL.';

{% call trigger("pga_job_unset_next_run", "BEFORE UPDATE", "pga_job", "_unset_next_run",
    when="NEW.jobnextrun = 'infinity'") %}
a job that never runs has no next run.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._notify_due() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pg_notify('pgagent_py', '');
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._notify_due() IS
'Wake the launchers: a job is due before they would look again.';

-- A launcher sleeps for 30 seconds at most, so a job that is due later need not wake it. A job that an agent has just released
-- need not wake it either.
{% call trigger("pgagent_py_notify_due", "AFTER UPDATE", "pga_job", "_notify_due",
    when=due_soon ~ " AND OLD.jobagentid IS NULL"
                    " AND (NEW.jobnextrun < OLD.jobnextrun OR OLD.jobnextrun IS NULL OR NOT OLD.jobenabled)") %}
wake the launchers for a job that is due soon.
{% endcall %}
{% call trigger("pgagent_py_notify_due_new", "AFTER INSERT", "pga_job", "_notify_due", when=due_soon) %}
wake the launchers for a job that is due soon.
{% endcall %}

{{ comment_lines("pga_job", "jobdesc") }}

{% call trigger("pgagent_py_end_waiting", "AFTER INSERT", "pga_job", "_end_waiting") %}
the job that @after lines wait for.
{% endcall %}
{% call trigger("pgagent_py_end_waiting_renamed", "AFTER UPDATE OF jobname", "pga_job", "_end_waiting", when="NEW.jobname <> OLD.jobname") %}
the job that @after lines wait for.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._note_name() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    UPDATE pgagent_py.schedule_option o SET jscid = o.jscid
     WHERE o.jscspread IS NOT NULL AND o.jscid IN (SELECT s.jscid FROM pgagent.pga_schedule s WHERE s.jscjobid = NEW.jobid);
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_name() IS
'A job has got another name, which decides by how much its spread schedules fire later: make new row versions of their '
'options, as _note_calendar().';

{% call trigger("pgagent_py_renamed", "AFTER UPDATE OF jobname", "pga_job", "_note_name", when="NEW.jobname <> OLD.jobname") %}
the next run of a job whose schedules are spread by its name.
{% endcall %}
