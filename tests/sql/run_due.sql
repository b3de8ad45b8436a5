-- run_due() without a launcher: the session runs the due jobs whose steps are all SQL in this database.
CREATE TABLE effects (id integer GENERATED ALWAYS AS IDENTITY, note text UNIQUE);
CREATE VIEW step_history AS
    SELECT j.jobname, r.jlgstatus AS job, s.jstname, l.jslstatus AS step, l.jslresult AS result, l.jsloutput AS output
      FROM pgagent.pga_jobsteplog l
      JOIN pgagent.pga_joblog r ON r.jlgid = l.jsljlgid
      JOIN pgagent.pga_job j ON j.jobid = r.jlgjobid
      JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
     ORDER BY l.jslid;

-- Nothing is due
SELECT jobname, jstname FROM pgagent_py.run_due();

-- Steps run by name, disabled ones not; a job in the morning has its next run set afterwards
SELECT pgagent_py.add_job('ordered', cron => '0 3 * * *') AS ordered \gset
SELECT pgagent_py.add_step(:ordered, 'b', sql => $$INSERT INTO effects (note) VALUES ('second'), ('third'), ('fourth')$$) > 0 AS added;
SELECT pgagent_py.add_step(:ordered, 'a', sql => $$CREATE TABLE made (x int); INSERT INTO effects (note) VALUES ('first')$$) > 0 AS added;
SELECT pgagent_py.add_step(:ordered, 'd', sql => $$UPDATE effects SET note = upper(note) WHERE note LIKE 'f%'$$) > 0 AS added;
SELECT pgagent_py.add_step(:ordered, 'c', sql => $$INSERT INTO effects (note) VALUES ('never')$$, enabled => false) > 0 AS added;
SELECT pgagent_py.add_step(:ordered, 'e', sql => $$SELECT * FROM effects$$) > 0 AS added;
SELECT pgagent_py.run_now(:ordered);
SELECT jobname, jstname, jstkind, jslstatus, jslresult, jsloutput FROM pgagent_py.run_due();
SELECT note FROM effects ORDER BY id;
SELECT * FROM step_history;
SELECT jlgstatus, jlgduration > interval '0' AS lasted FROM pgagent.pga_joblog;
SELECT jslduration > interval '0' AS lasted FROM pgagent.pga_jobsteplog;
SELECT jobagentid, joblastrun <= now() AND joblastrun > now() - interval '10 min' AS has_run, jobnextrun > now() AS goes_on
  FROM pgagent.pga_job;
SELECT count(*) AS agents FROM pgagent.pga_jobagent;
SELECT count(*) AS agents FROM pgagent_py.agent;
-- It was due once
SELECT jobname, jstname FROM pgagent_py.run_due();
SELECT pgagent_py.drop_job(:ordered);
DROP TABLE made;

-- on_error: a step that fails undoes what it did, and nothing else; the job goes on unless told to fail
TRUNCATE effects RESTART IDENTITY;
SELECT pgagent_py.add_job('stumbling') AS stumbling \gset
SELECT pgagent_py.add_step(:stumbling, '1', sql => $$INSERT INTO effects (note) VALUES ('kept')$$) > 0 AS added;
SELECT pgagent_py.add_step(:stumbling, '2', sql => $$INSERT INTO effects (note) VALUES ('undone'); SELECT 1/0$$, on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:stumbling, '3', sql => $$INSERT INTO effects (note) VALUES ('kept')$$, on_error => 'success') > 0 AS added;
SELECT pgagent_py.add_step(:stumbling, '4', sql => $$SELECT * FORM effects$$, on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:stumbling, '5', sql => $$DO $do$ BEGIN
    RAISE EXCEPTION 'too late' USING DETAIL = 'It is past noon.', HINT = 'Rise early.', ERRCODE = 'U0001'; END $do$ $$) > 0 AS added;
SELECT pgagent_py.add_step(:stumbling, '6', sql => $$INSERT INTO effects (note) VALUES ('not reached')$$) > 0 AS added;
SELECT pgagent_py.run_now(:stumbling);
SELECT jstname, jslstatus, jslresult FROM pgagent_py.run_due();
\x
SELECT * FROM step_history;
\x
SELECT note FROM effects ORDER BY id;
SELECT jobnextrun, jobagentid FROM pgagent.pga_job WHERE jobid = :stumbling;
SELECT pgagent_py.drop_job(:stumbling);

-- What SQL functions can't do in a session is that step's failure
SELECT pgagent_py.add_job('top level only') AS toplevel \gset
SELECT pgagent_py.add_step(:toplevel, '1', sql => 'VACUUM', on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:toplevel, '2', sql => 'COMMIT', on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:toplevel, '3', sql => 'COPY effects FROM STDIN', on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:toplevel, '4', sql => '-- only a comment') > 0 AS added;
SELECT pgagent_py.add_step(:toplevel, '5', sql => $$SELECT 'ü' AS "täglich", '{{ x }} %s $1'$$) > 0 AS added;
SELECT pgagent_py.run_now(:toplevel);
SELECT jstname, jslstatus, jslresult, jsloutput FROM pgagent_py.run_due();
SELECT pgagent_py.drop_job(:toplevel);

-- A deferred constraint is checked at the end of the step that it belongs to; it stays deferred
CREATE TABLE pair (id integer PRIMARY KEY, other integer REFERENCES pair DEFERRABLE INITIALLY DEFERRED);
SELECT pgagent_py.add_job('deferred') AS deferred \gset
SELECT pgagent_py.add_step(:deferred, '1', sql => 'INSERT INTO pair VALUES (1, 2); INSERT INTO pair VALUES (2, 1)') > 0 AS added;
SELECT pgagent_py.add_step(:deferred, '2', sql => 'INSERT INTO pair VALUES (3, 4)', on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:deferred, '3', sql => 'INSERT INTO pair VALUES (5, 6); INSERT INTO pair VALUES (6, 5)') > 0 AS added;
SELECT pgagent_py.run_now(:deferred);
SELECT jstname, jslstatus, jslresult, jsloutput FROM pgagent_py.run_due();
SELECT * FROM pair;
SELECT pgagent_py.drop_job(:deferred);
DROP TABLE pair;

-- Each step sees the session's own search_path, not what another step or the caller's transaction has made of it
CREATE SCHEMA elsewhere;
SELECT pgagent_py.add_job('paths') AS paths \gset
SELECT pgagent_py.add_step(:paths, '1', sql => $$INSERT INTO effects (note) VALUES ('1 ' || current_setting('search_path')); SET LOCAL search_path = elsewhere$$) > 0 AS added;
SELECT pgagent_py.add_step(:paths, '2', sql => $$INSERT INTO effects (note) VALUES ('2 ' || current_setting('search_path'))$$) > 0 AS added;
SELECT pgagent_py.run_now(:paths);
SET search_path = public, elsewhere;
SELECT jstname, jslstatus FROM pgagent_py.run_due();
SHOW search_path;
RESET search_path;
SELECT note FROM effects WHERE note LIKE '%public' ORDER BY id;
SELECT pgagent_py.drop_job(:paths);
DROP SCHEMA elsewhere;

-- Steps have the caller's rights and may not change who the caller is
CREATE ROLE regress_runner;
GRANT ALL ON SCHEMA pgagent TO regress_runner;
GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO regress_runner;
GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO regress_runner;
CREATE TABLE whoami (step text, who name);
GRANT ALL ON whoami TO regress_runner;
SELECT pgagent_py.add_job('roles') AS roles \gset
SELECT pgagent_py.add_step(:roles, '1', sql => $$INSERT INTO whoami VALUES ('1', current_user)$$) > 0 AS added;
SELECT pgagent_py.add_step(:roles, '2', sql => $$INSERT INTO effects (note) VALUES ('not mine')$$, on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:roles, '3', sql => $$SET ROLE regress_runner$$) > 0 AS added;
SELECT pgagent_py.add_step(:roles, '4', sql => $$INSERT INTO whoami VALUES ('4', current_user)$$) > 0 AS added;
SELECT pgagent_py.run_now(:roles);
SELECT jstname, jslstatus FROM pgagent_py.run_due();
SELECT step, who = session_user AS the_caller FROM whoami;
SELECT current_user = session_user AS the_caller;
TRUNCATE whoami;
SELECT pgagent_py.run_now(:roles);
SET ROLE regress_runner;
SELECT jstname, jslstatus, jsloutput FROM pgagent_py.run_due();
SELECT current_user;
RESET ROLE;
SELECT * FROM whoami;
SELECT pgagent_py.drop_job(:roles);
DROP TABLE whoami;
DROP OWNED BY regress_runner;
DROP ROLE regress_runner;

-- A job without an enabled step is logged and done
SELECT pgagent_py.add_job('idle') AS idle \gset
SELECT pgagent_py.run_now(:idle);
SELECT jobname, jstname FROM pgagent_py.run_due();
SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgjobid = :idle;
SELECT pgagent_py.drop_job(:idle);

-- Left for a launcher: jobs with a batch step, or a step in another database or on another server
SELECT pgagent_py.add_job('batch', batch => 'true') AS batch \gset
SELECT pgagent_py.add_job('other database', sql => 'SELECT 1', database => 'template1') AS other \gset
SELECT pgagent_py.add_job('remote') AS remote \gset
SELECT pgagent_py.add_step(:remote, '1', sql => 'SELECT 1') > 0 AS added;
SELECT pgagent_py.add_step(:remote, '2', sql => 'SELECT 1', connstr => 'host=replica') > 0 AS added;
SELECT pgagent_py.add_job('for another host', sql => 'SELECT 1', host => 'no-such-host.invalid') AS host \gset
SELECT pgagent_py.add_job('disabled', sql => 'SELECT 1', enabled => false) AS disabled \gset
UPDATE pgagent.pga_job SET jobnextrun = now();
SELECT jobname, jstname FROM pgagent_py.run_due();
SELECT jobname, jobnextrun IS NOT NULL AS due, jobagentid FROM pgagent.pga_job ORDER BY jobid;
SELECT count(*) AS runs FROM pgagent.pga_joblog;
-- A batch step that is disabled does not count
SELECT pgagent_py.add_step(:batch, 'sql', sql => 'SELECT 1') > 0 AS added;
UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstjobid = :batch AND jstkind = 'b';
SELECT jobname, jstname, jslstatus FROM pgagent_py.run_due();
SELECT pgagent_py.drop_job(job) FROM unnest(ARRAY[:batch, :other, :remote, :host, :disabled]) job;

-- Longest due first
SELECT pgagent_py.add_job(name, sql => 'SELECT 1') > 0 AS added FROM unnest('{late,later,latest}'::text[]) name;
UPDATE pgagent.pga_job SET jobnextrun = now() - make_interval(mins => jobid);
SELECT array_agg(jobname ORDER BY jobid DESC) AS expected FROM pgagent.pga_job;
SELECT array_agg(jobname ORDER BY jlgid) AS found FROM pgagent_py.run_due();
DELETE FROM pgagent.pga_job;

-- Rolled back, it never happened, and the job is still due
SELECT pgagent_py.add_job('undone', sql => $$INSERT INTO effects (note) VALUES ('rolled back')$$) AS undone \gset
SELECT pgagent_py.run_now(:undone);
BEGIN;
SELECT jslstatus FROM pgagent_py.run_due();
ROLLBACK;
SELECT count(*) AS runs FROM pgagent.pga_joblog;
SELECT count(*) AS agents FROM pgagent.pga_jobagent;
SELECT jslstatus FROM pgagent_py.run_due();
SELECT note FROM effects WHERE note = 'rolled back';
SELECT pgagent_py.drop_job(:undone);
DROP VIEW step_history;
DROP TABLE effects;
