-- What is refused: each message names the argument, has a hint and its SQLSTATE, and nothing is changed.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION attempt(code text) RETURNS TABLE (state text, message text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE code;
    state := '00000'; message := 'accepted';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
SELECT pgagent_py.add_job('there') AS job \gset
SELECT pgagent_py.add_schedule(:job, 'there', cron => '@daily', start => '2098-01-01') AS schedule \gset
CREATE TABLE attempts (id integer GENERATED ALWAYS AS IDENTITY, code text);
\pset format unaligned
\pset fieldsep ' | '
\pset footer off

INSERT INTO attempts (code) VALUES
    ($$SELECT pgagent_py.add_job(NULL)$$),
    ($$SELECT pgagent_py.add_job('  ')$$),
    ($$SELECT pgagent_py.add_job('x', class => 'No such class')$$),
    ($$SELECT pgagent_py.add_job('x', sql => 'SELECT 1', batch => 'true')$$),
    ($$SELECT pgagent_py.add_job('x', sql => ' ')$$),
    ($$SELECT pgagent_py.add_job('x', database => 'postgres')$$),
    ($$SELECT pgagent_py.add_job('x', timezone => 'Europe/Paris')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '@daily', timezone => 'Mars/Olympus')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '@daily', timezone => 'UTC; DROP TABLE attempts')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '* * * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '60 * * * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '* 24 * * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '* * 0 * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '* * * foo *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '5-1/0 * * * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '0 0 * * L')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '0 r * * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '0 0 32W * *')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '@sometimes')$$),
    ($$SELECT pgagent_py.add_job('x', cron => '30 * * * * *')$$),
    ($$SELECT pgagent_py.add_step(NULL, 'x', sql => 'SELECT 1')$$),
    ($$SELECT pgagent_py.add_step(-1, 'x', sql => 'SELECT 1')$$),
    ($$SELECT pgagent_py.add_step(:job, NULL, sql => 'SELECT 1')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', sql => 'SELECT 1', batch => 'true')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', batch => '')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', sql => 'SELECT 1', on_error => 'retry')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', sql => 'SELECT 1', on_error => 'Fail')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', batch => 'true', database => 'postgres')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', batch => 'true', connstr => 'dbname=postgres')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', sql => 'SELECT 1', database => 'postgres', connstr => 'dbname=postgres')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', sql => 'SELECT 1', database => '')$$),
    ($$SELECT pgagent_py.add_step(:job, 'x', sql => 'SELECT 1', connstr => ' ')$$),
    ($$SELECT pgagent_py.add_job('x', sql => 'SELECT 1', database => '')$$),
    ($$SELECT pgagent_py.add_schedule(-1, 'x', cron => '@daily')$$),
    ($$SELECT pgagent_py.add_schedule(:job, '', cron => '@daily')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', cron => '@daily', hours => '{3}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', minutes => '{60}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', hours => '{-1}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', weekdays => '{7}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', monthdays => '{0}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', months => '{13}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', minutes => '{NULL}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', minutes => '{{1,2},{3,4}}')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', minutes => '{0}', start => '2099-01-02', "end" => '2099-01-01')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', minutes => '{0}', "end" => '2001-01-01')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', minutes => '{0}', timezone => 'Nowhere')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', every => '0')$$),
    ($$SELECT pgagent_py.add_schedule(:job, 'x', at => 'infinity')$$),
    ($$SELECT pgagent_py.add_exception(-1, on_date => '2099-01-01')$$),
    ($$SELECT pgagent_py.add_exception(:schedule)$$),
    ($$SELECT pgagent_py.add_exception(:schedule, on_date => '-infinity')$$),
    ($$SELECT pgagent_py.add_exception(:schedule, at_time => '24:00')$$),
    ($$SELECT pgagent_py.add_exception(NULL, on_date => '2099-01-01')$$),
    ($$SELECT pgagent_py.add_schedule(NULL, 'x', cron => '@daily')$$),
    ($$SELECT pgagent_py.alter_schedule(-1, timezone => 'UTC')$$),
    ($$SELECT pgagent_py.alter_schedule(:schedule, timezone => 'Nowhere')$$),
    ($$SELECT pgagent_py.set_default_timezone('Nowhere')$$),
    ($$SELECT pgagent_py.set_default_timezone(NULL)$$),
    ($$SELECT pgagent_py.drop_job(-1)$$),
    ($$SELECT pgagent_py.drop_job(NULL)$$),
    ($$SELECT pgagent_py.run_now(-1)$$),
    ($$SELECT pgagent_py.next_run(-1)$$),
    ($$SELECT * FROM pgagent_py.next_runs(-1)$$),
    ($$SELECT * FROM pgagent_py.next_runs(:job, -1)$$),
    ($$SELECT * FROM pgagent_py.run_due(-1)$$),
    ($$SELECT * FROM pgagent_py.run_due(NULL)$$);
SELECT a.code, b.state, b.message, b.hint
  FROM attempts a, attempt(replace(replace(a.code, ':job', :'job'), ':schedule', :'schedule')) b ORDER BY a.id;

-- A disabled job has no next run to be set
UPDATE pgagent.pga_job SET jobenabled = false WHERE jobid = :job;
SELECT state, regexp_replace(message, '\d+', '(its id)') AS message, hint FROM attempt(format('SELECT pgagent_py.run_now(%s)', :job));
-- pgAgent's tables have room for one exception of a date and time
SELECT pgagent_py.add_exception(:schedule, '2099-01-01', '00:00') > 0 AS added;
SELECT (attempt(format($$SELECT pgagent_py.add_exception(%s, '2099-01-01', '00:00')$$, :schedule))).*;

-- A role with no right on pgagent's tables
CREATE ROLE regress_stranger;
GRANT ALL ON SCHEMA public TO regress_stranger;
SET ROLE regress_stranger;
SELECT (attempt($$SELECT pgagent_py.add_job('x', sql => 'SELECT 1')$$)).*;
SELECT (attempt(format('SELECT pgagent_py.drop_job(%s)', :job))).*;
SELECT (attempt($$SELECT * FROM pgagent_py.run_due()$$)).*;
SELECT (attempt($$SELECT * FROM pgagent_py.run_due(1)$$)).*;
SELECT (attempt($$SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')$$)).*;
SELECT (attempt($$SELECT pgagent_py.finish_step(1, 0, '', '1 s')$$)).*;
SELECT (attempt($$INSERT INTO pgagent_py.request (caller, verb, arguments) VALUES ('owner', 'run_now', '{"job": 1}')$$)).*;
RESET ROLE;
REVOKE ALL ON SCHEMA public FROM regress_stranger;
DROP ROLE regress_stranger;

-- Nothing of all this was left behind
SELECT jobname, (SELECT count(*) FROM pgagent.pga_jobstep) AS steps, (SELECT count(*) FROM pgagent.pga_schedule) AS schedules,
       (SELECT count(*) FROM pgagent.pga_exception) AS exceptions, (SELECT count(*) FROM pgagent.pga_jobagent) AS agents,
       (SELECT count(*) FROM pgagent_py.agent) AS ours
  FROM pgagent.pga_job ORDER BY jobid;
SELECT pgagent_py.drop_job(:job);
DROP TABLE attempts;
DROP FUNCTION attempt;
