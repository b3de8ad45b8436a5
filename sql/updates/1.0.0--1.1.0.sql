{% from "macros/days.j2" import day_numbers %}
{{ new("tables/code_version") }}

{{ new("tables/kept_right") }}

{{ new("tables/problem") }}

{{ new("tables/exception") }}

{{ new("tables/installation") }}

ALTER TABLE pgagent_py.job_option ADD COLUMN jobinstallation uuid;
UPDATE pgagent_py.job_option SET jobinstallation = (SELECT i.id FROM pgagent_py.installation i) WHERE jobowner IS NOT NULL;

CREATE INDEX job_option_done ON pgagent_py.job_option (jobid) WHERE jobdone;

ALTER TABLE pgagent_py.message ADD COLUMN msgeditor boolean NOT NULL DEFAULT false;
ALTER TABLE pgagent_py.queued_message ADD COLUMN qmsowner oid;

-- No launcher's turn may come between: what is in progress is taken over below.
LOCK TABLE pgagent_py.agent IN ACCESS EXCLUSIVE MODE;

ALTER TABLE pgagent_py.agent
    ADD COLUMN jagknows text[] NOT NULL DEFAULT '{}',
    ADD COLUMN jagpooled boolean NOT NULL DEFAULT false,
    ADD COLUMN last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN jagleft integer[],
    ADD COLUMN jagversion text,
    ADD COLUMN jagplaces integer,
    ADD COLUMN jagserves timestamptz NOT NULL DEFAULT clock_timestamp();

ALTER TYPE pgagent_py.step_run
    ADD ATTRIBUTE handed timestamptz,
    ADD ATTRIBUTE jobroleid oid,
    ADD ATTRIBUTE claimed timestamptz,
    ADD ATTRIBUTE try integer,
    ADD ATTRIBUTE due text,
    ADD ATTRIBUTE previous_due text;

{{ new("tables/run") }}

{{ new("tables/waiting_result") }}

-- Until now the log alone told what a run in progress has executed.
INSERT INTO pgagent_py.run (
       jlgid, jobid, agent, claimed, started, jstid, jslid, handed, try, atomic, done, not_before, waiting_since)
SELECT l.jlgid, j.jobid, a.agent, j.joblastrun, l.jlgstart, last.jsljstid,
       CASE WHEN last.jslstatus = 'r' THEN last.jslid END, last.jslstart, last.try, coalesce(so.jstatomic, false), coalesce(last.done, '{}'),
       CASE WHEN last.jslstatus <> 'r' THEN coalesce(w.not_before, clock_timestamp()) END,
       CASE WHEN last.jslstatus <> 'r' THEN coalesce(w.waiting_since, clock_timestamp()) END
  FROM pgagent.pga_job j
  JOIN pgagent_py.agent a ON a.jagpid = j.jobagentid
  JOIN pgagent.pga_joblog l ON l.jlgjobid = j.jobid AND l.jlgstatus = 'r' AND l.jlgstart >= j.joblastrun
 CROSS JOIN LATERAL (
       SELECT s.jsljstid, s.jslid, s.jslstatus, s.jslstart,
              (SELECT count(*) FROM pgagent.pga_jobsteplog t WHERE t.jsljlgid = l.jlgid AND t.jsljstid = s.jsljstid) AS try,
              (SELECT array_agg(d.jsljstid) FROM pgagent.pga_jobsteplog d
                WHERE d.jsljlgid = l.jlgid AND d.jslstatus NOT IN ('r', 'f')) AS done
         FROM pgagent.pga_jobsteplog s WHERE s.jsljlgid = l.jlgid ORDER BY s.jslid DESC LIMIT 1) last
  LEFT JOIN pgagent_py.step_option so ON so.jstid = last.jsljstid
  LEFT JOIN pgagent_py.waiting_run w ON w.jlgid = l.jlgid;

{{ new("tables/job_origin") }}

{{ new("tables/run_origin") }}

{{ new("tables/job_due") }}

-- What set off earlier runs is not known.
INSERT INTO pgagent_py.run_origin (jlgdue, jlgid, jlgtrigger, agent)
SELECT coalesce(j.jobnextrun, r.started), r.jlgid, 's', r.agent FROM pgagent_py.run r JOIN pgagent.pga_job j ON j.jobid = r.jobid;

INSERT INTO pgagent_py.waiting_result (jslid, jlgid, agent, jslstatus, jslresult, jslduration, jsloutput)
SELECT w.jslid, w.jlgid, r.agent, w.jslstatus, w.jslresult, w.jslduration, w.jsloutput
  FROM pgagent_py.waiting_run w JOIN pgagent_py.run r ON r.jlgid = w.jlgid AND r.jslid = w.jslid;

-- The view reads the new tables from now on, so that the old one can go.
{{ new("functions/_backend_start") }}

{{ new("tables/draining") }}

{{ new("views/this_agent") }}

{{ new("tables/launcher_report") }}

{{ new("tables/refusal") }}

DROP TABLE pgagent_py.waiting_run;

ALTER TABLE pgagent_py.dependency_met REPLICA IDENTITY FULL;
ALTER TABLE pgagent_py.job_limit REPLICA IDENTITY FULL;
ALTER TABLE pgagent_py.pause REPLICA IDENTITY FULL;

{{ new("tables/bound") }}

CREATE INDEX job_option_owner ON pgagent_py.job_option (jobownerid) WHERE jobownerid IS NOT NULL;

ALTER TABLE pgagent_py.job_dependency ADD COLUMN depchecked boolean NOT NULL DEFAULT false;

CREATE INDEX job_dependency_unchecked ON pgagent_py.job_dependency (jobid) WHERE NOT depchecked;

ALTER TABLE pgagent_py.job_limit
    ALTER COLUMN running DROP NOT NULL,
    ADD COLUMN jobowner name UNIQUE,
    ADD COLUMN jobownerid oid,
    ADD COLUMN priority integer,
    DROP CONSTRAINT job_limit_check,
    ADD CONSTRAINT job_limit_check CHECK (num_nonnulls(jclid, jobgroup, jobowner) = 1);

{{ new("tables/group_grant") }}

-- Groups belong to the owners that have jobs in them.
INSERT INTO pgagent_py.group_grant (jobgroup, jobowner)
SELECT DISTINCT o.jobgroup, o.jobowner FROM pgagent_py.job_option o WHERE o.jobgroup IS NOT NULL AND o.jobowner IS NOT NULL;
UPDATE pgagent_py.group_grant g SET jobownerid = r.oid FROM pg_roles r WHERE r.rolname = g.jobowner;

ALTER TABLE pgagent_py.queued_message ADD COLUMN qmsjobowner oid NOT NULL DEFAULT 0, ADD COLUMN qmstaken timestamptz;
CREATE INDEX queued_message_owner ON pgagent_py.queued_message (qmsjobowner);
CREATE INDEX queued_message_taken ON pgagent_py.queued_message (qmsjobowner) WHERE qmstaken IS NOT NULL;

{{ new("tables/comment_line") }}

{{ new("tables/job_change") }}

ALTER TABLE pgagent_py.schedule_option
    ADD COLUMN jscdays integer[] CHECK ({{ day_numbers("jscdays", "monthdays") }}),
    ADD COLUMN jscnth integer[] CHECK ({{ day_numbers("jscnth", "nth") }}),
    ADD COLUMN jscworkdays integer[] CHECK ({{ day_numbers("jscworkdays", "workdays") }}),
    ADD COLUMN jscroll text CHECK (jscroll IN ('{{ python_constant("ground.vocabulary.ROLLS") | join("', '") }}')),
    ADD COLUMN jscrecurs text CHECK (jscrecurs ~ '^[1-9][0-9]{0,3} (days?|weeks?|months?)$'),
    ADD COLUMN jscspread interval;
ALTER TABLE pgagent_py.calendar ADD COLUMN calweekend integer[] CHECK (calweekend <@ '{0,1,2,3,4,5,6}');

ALTER TABLE pgagent_py.job_option ADD COLUMN joblabels text[] CHECK (joblabels <> '{}');
CREATE INDEX job_option_labels ON pgagent_py.job_option (jobid) WHERE joblabels IS NOT NULL;

{{ new("tables/step_rows") }}

ALTER TABLE pgagent_py.step_option ADD COLUMN jstkeeprows integer CHECK (jstkeeprows BETWEEN 1 AND 10000);

ALTER TYPE pgagent_py.step_run ADD ATTRIBUTE keep_rows integer;

ALTER TABLE pgagent_py.message
    ADD COLUMN msghtml text,
    ADD COLUMN msgattach text CHECK (msgattach IN ('csv', 'html')),
    ADD COLUMN msgcc text,
    ADD COLUMN msgbcc text;
ALTER TABLE pgagent_py.queued_message
    ADD COLUMN qmshtml text,
    ADD COLUMN qmsattach text,
    ADD COLUMN qmscc text,
    ADD COLUMN qmsbcc text;

{{ new("tables/sent_email") }}

{{ new("tables/adding") }}

ALTER TABLE pgagent_py.pause ADD COLUMN paused_from timestamptz, ADD COLUMN paused_until timestamptz;

{{ new("tables/cron_schedule") }}

{{ new("tables/applied_job") }}

ALTER TABLE pgagent_py.run_order ADD COLUMN jstonly boolean NOT NULL DEFAULT false;
ALTER TABLE pgagent_py.run_option ADD COLUMN jstonly boolean NOT NULL DEFAULT false;

{{ new("tables/alerted") }}

{{ new("tables/alive") }}

ALTER TABLE pgagent_py.job_option
    ADD COLUMN joblateafter interval CHECK (joblateafter > '0'),
    ADD COLUMN joboverrunafter interval CHECK (joboverrunafter > '0');
CREATE INDEX job_option_late ON pgagent_py.job_option (joblateafter) WHERE joblateafter IS NOT NULL;
CREATE INDEX job_option_overrun ON pgagent_py.job_option (joboverrunafter) WHERE joboverrunafter IS NOT NULL;

ALTER TABLE pgagent_py.message
    DROP CONSTRAINT message_msgkind_check,
    ADD CONSTRAINT message_msgkind_check CHECK (msgkind IN ('email', 'webhook', 'chat')),
    DROP CONSTRAINT message_msgwhen_check,
    ADD CONSTRAINT message_msgwhen_check
        CHECK (msgwhen IN ('failure', 'success', 'finish', 'recovered', 'late', 'overrun'));
CREATE INDEX message_alert ON pgagent_py.message (msgid) WHERE msgwhen IN ('late', 'overrun');

{{ new("tables/engine") }}

ALTER TABLE pgagent_py.step_option
    ADD COLUMN jstengine text CHECK (jstengine <> ''),
    ADD COLUMN jstengineoptions jsonb CHECK (jsonb_typeof(jstengineoptions) = 'object');
ALTER TABLE pgagent_py.step_option
    ADD COLUMN jstseparately boolean NOT NULL DEFAULT false CHECK (NOT (jstseparately AND jstatomic));
CREATE INDEX step_option_need ON pgagent_py.step_option (jstid) WHERE jstengine IS NOT NULL OR jstseparately;

ALTER TYPE pgagent_py.step_run ADD ATTRIBUTE engine text, ADD ATTRIBUTE engine_options jsonb, ADD ATTRIBUTE engine_job text, ADD ATTRIBUTE separately boolean,
    ADD ATTRIBUTE ahead boolean;

ALTER TABLE pgagent_py.job_option
    ADD COLUMN jobcatchup text CHECK (jobcatchup IN ('skip', 'all')),
    ADD COLUMN jobcatchuplimit integer CHECK (jobcatchuplimit > 0);
DROP INDEX pgagent_py.job_option_choosy;
CREATE INDEX job_option_choosy ON pgagent_py.job_option (jobid) WHERE jobpriority <> 0;
CREATE INDEX job_option_lateness ON pgagent_py.job_option (jobid) WHERE jobmaxlateness IS NOT NULL OR jobcatchup IS NOT NULL;

{{ new("tables/job_owed") }}

{{ new("tables/skip") }}

{{ new("tables/backfill") }}

{{ new("tables/job_window") }}

ALTER TABLE pgagent_py.job_option
    ADD COLUMN jobwindow text CHECK (jobwindow <> ''),
    ADD COLUMN jobatwindowend text CHECK (jobatwindowend = 'stop');
CREATE INDEX job_option_stop ON pgagent_py.job_option (jobid) WHERE jobatwindowend IS NOT NULL;
CREATE INDEX job_option_window ON pgagent_py.job_option (jobid) WHERE jobwindow IS NOT NULL;
ALTER TABLE pgagent_py.job_limit ADD COLUMN jobwindow text CHECK (jobwindow <> '');
