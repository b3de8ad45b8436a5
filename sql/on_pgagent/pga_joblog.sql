{% from "macros/on_pgagent.j2" import index, trigger %}
{% from "macros/words.j2" import is_end, run_status, run_trigger, shown_comment, step_status, utc %}
{# Whether a message tells of a run that has ended. #}
{% macro is_told(when, run) -%}
({{ is_end(when, run ~ ".jlgstatus") }} OR {{ when }} = 'recovered' AND {{ run }}.recovered)
{%- endmacro %}
{% set name_length = python_constant("ground.vocabulary.NAME_LENGTH") %}
-- Finds the newest run of a job, its failures in a row and its oldest runs, however long the history is.
{% call index("pgagent_py_runs", "pga_joblog (jlgjobid, jlgid)") %}
the runs of a job in order.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._meet_dependencies() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF EXISTS (SELECT FROM pgagent_py.job_dependency) THEN
        -- The note takes the place of an earlier one, unless that is locked: then the sweep deletes it.
        WITH met AS MATERIALIZED (
            SELECT d.jobid, d.jobafter, ended.jlgid, ended.jlgstatus
              FROM after_it ended
              JOIN before_it started ON started.jlgid = ended.jlgid
              JOIN pgagent_py.job_dependency d ON d.jobafter = ended.jlgjobid
             WHERE started.jlgstatus = 'r' AND ended.jlgstatus <> 'r'
               AND {{ is_end("d.depwhen", "ended.jlgstatus") }}),
        earlier AS (
            DELETE FROM pgagent_py.dependency_met m WHERE m.ctid = ANY (ARRAY(
                   SELECT e.ctid FROM met CROSS JOIN LATERAL (
                          SELECT n.ctid FROM pgagent_py.dependency_met n
                           WHERE n.jobid = met.jobid AND n.jobafter = met.jobafter AND n.jlgid < met.jlgid
                             FOR UPDATE SKIP LOCKED) e)))
        INSERT INTO pgagent_py.dependency_met (jobid, jobafter, jlgid, jlgstatus)
        SELECT met.jobid, met.jobafter, met.jlgid, met.jlgstatus FROM met;
        IF FOUND THEN
            PERFORM pg_notify('pgagent_py', '');
        END IF;
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._meet_dependencies() IS
'Runs have ended: note which conditions of waiting jobs they meet, and wake the launchers.';

-- Once per statement: run_due() ends many runs in one, and the trigger asks once whether any job waits for another.
{% call trigger("pgagent_py_follow", "AFTER UPDATE", "pga_joblog", "_meet_dependencies", for_each="STATEMENT",
    referencing="OLD TABLE AS before_it NEW TABLE AS after_it") %}
conditions of waiting jobs that the end of a run meets.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._tell_runs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    runs integer[];
BEGIN
    -- Where nobody has asked for notifications or messages, this is the whole cost.
    IF NOT EXISTS (SELECT FROM pgagent_py.setting s WHERE s.name = 'notify_runs')
       AND NOT EXISTS (SELECT FROM pgagent_py.message) THEN
        RETURN NULL;
    END IF;
    PERFORM pgagent_py._refuse_foreign_code();
    -- A run that has started long ago is inserted by a restore: that is no news.
    IF TG_OP = 'INSERT' THEN
        runs := ARRAY(SELECT c.jlgid FROM changed c WHERE c.jlgstart > now() - interval '1 minute');
    ELSE
        runs := ARRAY(SELECT c.jlgid FROM changed c JOIN before b ON b.jlgid = c.jlgid
                       WHERE b.jlgstatus = 'r' AND c.jlgstatus <> 'r');
    END IF;
    IF EXISTS (SELECT FROM pgagent_py.setting s WHERE s.name = 'notify_runs') THEN
        PERFORM pg_notify('pgagent_py_run', json_build_object(
                    'event', CASE c.jlgstatus WHEN 'r' THEN 'start' ELSE 'end' END,
                    'job', c.jlgjobid, 'name', {{ python_constant("ground.vocabulary.PRINTABLE").format("left(j.jobname, %s)" % name_length) }},
                    'run', c.jlgid,
                    'status', {{ run_status("c.jlgstatus") }},
                    'start', c.jlgstart, 'seconds', extract(epoch FROM c.jlgduration))::text)
           FROM changed c LEFT JOIN pgagent.pga_job j ON j.jobid = c.jlgjobid
          WHERE c.jlgid = ANY (runs) ORDER BY c.jlgid;
    END IF;
    -- All texts are cut: jsonb has a limit, and an error here would keep this run, and all others of the turn, from ending. So are
    -- the numbers: of the messages of a run, and of those that wait for an owner's jobs. What the steps have written is read once.
    WITH run AS MATERIALIZED (
        SELECT c.jlgid, c.jlgjobid, c.jlgstatus, n.recovered, coalesce(w.jobownerid, 0) AS owner, jsonb_build_object(
                   'database', current_database(),
                   'job', jsonb_build_object('id', j.jobid, 'name', left(j.jobname, {{ name_length }}),
                                             'description', left({{ shown_comment("j.jobdesc") }}, 10000)),
                   'run', jsonb_build_object('id', c.jlgid, 'status', {{ run_status("c.jlgstatus") }}, 'start', c.jlgstart,
                                             'seconds', extract(epoch FROM c.jlgduration), 'due', {{ utc("o.jlgdue") }},
                                             'previous_due', {{ utc("p.due") }},
                                             'trigger', {{ run_trigger("o.jlgtrigger") }}, 'triggered_by', o.jlgtriggeredby),
                   'steps', coalesce(s.steps, '[]')) AS data
          FROM changed c
          JOIN pgagent.pga_job j ON j.jobid = c.jlgjobid
          LEFT JOIN pgagent_py.job_owner w ON w.jobid = j.jobid
          LEFT JOIN pgagent_py.run_origin o ON o.jlgid = c.jlgid
         CROSS JOIN LATERAL (SELECT pgagent_py._previous_due(c.jlgjobid, o.jlgdue) AS due OFFSET 0) p
         -- The first success after failures. Runs without steps make no difference.
         CROSS JOIN LATERAL (
               SELECT c.jlgstatus = 's' AND (
                      SELECT f.jlgstatus <> 's' FROM pgagent.pga_joblog f
                       WHERE f.jlgjobid = c.jlgjobid AND f.jlgid < c.jlgid AND f.jlgstatus NOT IN ('r', 'i')
                       ORDER BY f.jlgid DESC LIMIT 1) IS TRUE AS recovered, c.jlgstatus) n
         CROSS JOIN LATERAL (
               SELECT jsonb_agg(jsonb_build_object(
                          'name', left(t.jstname, {{ name_length }}), 'status', {{ step_status("l.jslstatus") }}, 'result', l.jslresult,
                          'seconds', extract(epoch FROM l.jslduration), 'output', right(l.jsloutput, 10000),
                          'columns', coalesce(to_jsonb(l.slrcolumns), '[]'),
                          'rows', CASE WHEN l.slrrows IS NOT NULL AND l.bytes <= 2000000 THEN l.slrrows ELSE '[]' END)
                          ORDER BY l.jslid) AS steps
                 FROM (SELECT a.*, k.slrcolumns, k.slrrows, sum(k.slrbytes) OVER (ORDER BY a.jslid DESC) AS bytes
                         FROM (SELECT * FROM pgagent.pga_jobsteplog b WHERE b.jsljlgid = c.jlgid ORDER BY b.jslid + 0 DESC LIMIT 100) a
                         LEFT JOIN pgagent_py.step_rows k ON k.jslid = a.jslid) l
                 JOIN pgagent.pga_jobstep t ON t.jstid = l.jsljstid) s
         WHERE c.jlgid = ANY (runs) AND c.jlgstatus <> 'r'
           AND EXISTS (SELECT FROM pgagent_py.message e
                        WHERE (e.msgjobid = c.jlgjobid OR e.msgjobid IS NULL) AND {{ is_told("e.msgwhen", "n") }}))
    INSERT INTO pgagent_py.queued_message (qmsjobid, qmsjlgid, qmskind, qmstarget, qmssubject, qmstext, qmsowner, qmsdata, qmsjobowner,
           qmshtml, qmsattach, qmscc, qmsbcc)
    SELECT r.jlgjobid, r.jlgid, m.msgkind, m.msgtarget, m.msgsubject, m.msgtext,
           CASE WHEN m.msgkind <> 'email' AND NOT m.msgeditor AND m.msgjobid IS NOT NULL THEN r.owner END,
           r.data || jsonb_build_object('event', m.msgwhen), r.owner, m.msghtml, m.msgattach, m.msgcc, m.msgbcc
      FROM run r
     CROSS JOIN LATERAL (
           (SELECT * FROM pgagent_py.message o WHERE o.msgjobid = r.jlgjobid AND {{ is_told("o.msgwhen", "r") }}
               AND (r.owner = 0 OR (SELECT count(*) FROM (
                    SELECT FROM pgagent_py.queued_message q WHERE q.qmsjobowner = r.owner LIMIT 1000) q) < 1000)
             ORDER BY o.msgid LIMIT 100)
           UNION ALL SELECT * FROM pgagent_py.message a WHERE a.msgjobid IS NULL AND {{ is_told("a.msgwhen", "r") }}) m;
    IF FOUND THEN
        PERFORM pg_notify('pgagent_py', 'message');
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._tell_runs() IS
'Runs have started or ended: notify channel pgagent_py_run if set_notify_runs() has switched that on, and queue the '
'messages that add_message() has set up.';

-- Once per statement, not per run. These are triggers, since the runs of the C++ daemon count, too.
{% call trigger("pgagent_py_run_started", "AFTER INSERT", "pga_joblog", "_tell_runs", for_each="STATEMENT",
    referencing="NEW TABLE AS changed") %}
notify those who follow the runs.
{% endcall %}

{% call trigger("pgagent_py_run_ended", "AFTER UPDATE", "pga_joblog", "_tell_runs", for_each="STATEMENT",
    referencing="NEW TABLE AS changed OLD TABLE AS before") %}
notify those who follow the runs, queue messages.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._keep_ids() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._raise_sequences();
    IF TG_TABLE_NAME = 'pga_joblog' THEN
        TRUNCATE pgagent_py.run_origin;
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._keep_ids() IS
'The log was truncated, perhaps with RESTART IDENTITY: the ids of runs and steps in progress are not given again.';

CREATE OR REPLACE FUNCTION pgagent_py._refuse_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    IF EXISTS (SELECT FROM pgagent_py.not_for_daemon n WHERE n.jobid = NEW.jlgjobid)
       OR EXISTS (SELECT FROM pgagent_py.run r WHERE r.jobid = NEW.jlgjobid)
       -- a short run has ended by now
       OR EXISTS (SELECT FROM pgagent_py.run_origin o
                   WHERE o.agent IS NOT NULL
                     AND o.jlgid = (SELECT l.jlgid FROM pgagent.pga_joblog l WHERE l.jlgjobid = NEW.jlgjobid
                                     ORDER BY l.jlgid DESC LIMIT 1)) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_note() IS
'The C++ daemon logs a run of status i when it could not claim a job. That is no news of a job that it does not get, or '
'that another agent has claimed, or had claimed last.';

-- Its row has nothing but the defaults. A restored one began earlier.
{% call trigger("pgagent_py_no_note", "BEFORE INSERT", "pga_joblog", "_refuse_note",
    when="NEW.jlgstatus = 'i' AND NEW.jlgduration IS NULL AND NEW.jlgstart = now()") %}
no run of a job that the daemon does not get.
{% endcall %}

{% for table in ["pga_joblog", "pga_jobsteplog"] %}
{% call trigger("pgagent_py_keep_ids", "AFTER TRUNCATE", table, "_keep_ids", for_each="STATEMENT") %}
the ids of runs in progress are not given again.
{% endcall %}
{% endfor %}
