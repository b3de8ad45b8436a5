-- Jobs, steps, schedules and exceptions by the functions of the API, as they then stand in pgAgent's tables.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- What the server was set to when the extension was created is not to matter here
SELECT pgagent_py.set_default_timezone('America/Los_Angeles');

-- A whole job in one call
SELECT pgagent_py.add_job('nightly', cron => '0 3 * * *', sql => 'VACUUM ANALYZE') AS nightly \gset
SELECT jobname, jobdesc, jobhostagent, jobenabled, jclname, jobagentid, joblastrun,
       jobnextrun > now() AND jobnextrun <= now() + interval '1 day 1 hour' AS next_run_set
  FROM pgagent.pga_job JOIN pgagent.pga_jobclass ON jclid = jobjclid WHERE jobid = :nightly;
SELECT jstname, jstdesc, jstenabled, jstkind, jstcode, jstconnstr, jstdbname = current_database() AS here, jstonerror
  FROM pgagent.pga_jobstep WHERE jstjobid = :nightly;
SELECT jscname, jscdesc, jscenabled, jscstart <= now() AS started, jscend,
       array_positions(jscminutes, true) AS minutes, array_positions(jschours, true) AS hours,
       array_positions(jscweekdays, true) AS weekdays, array_positions(jscmonthdays, true) AS monthdays,
       array_positions(jscmonths, true) AS months,
       cardinality(jscminutes) AS of_minutes, cardinality(jscmonthdays) AS of_monthdays
  FROM pgagent.pga_schedule WHERE jscjobid = :nightly;

-- All arguments
SELECT pgagent_py.add_job('everything', cron => '*/15 8-18 * * mon-fri', batch => E'#!/bin/sh\necho hello',
    timezone => 'Europe/Paris', description => 'All at once', class => 'Data Export', host => 'elsewhere',
    enabled => false) AS everything \gset
SELECT jobname, jobdesc, jobhostagent, jobenabled, jclname, jobnextrun
  FROM pgagent.pga_job JOIN pgagent.pga_jobclass ON jclid = jobjclid WHERE jobid = :everything;
SELECT jstname, jstkind, jstcode, jstconnstr, jstdbname FROM pgagent.pga_jobstep WHERE jstjobid = :everything;
SELECT jscname, jsctimezone FROM pgagent.pga_schedule JOIN pgagent_py.schedule_option USING (jscid) WHERE jscjobid = :everything;
SELECT * FROM pgagent_py.next_runs(:everything, 3, '2099-01-02 16:40+00');

-- Only a name: a job that never runs by itself
SELECT pgagent_py.add_job('empty') AS empty \gset
SELECT jobenabled, jobnextrun FROM pgagent.pga_job WHERE jobid = :empty;

-- Steps of every kind
SELECT pgagent_py.add_step(:empty, '1 local', sql => 'SELECT 1') > 0 AS added;
SELECT pgagent_py.add_step(:empty, '2 other database', sql => 'SELECT 2', database => 'postgres', on_error => 'ignore') > 0 AS added;
SELECT pgagent_py.add_step(:empty, '3 remote', sql => 'SELECT 3', connstr => 'host=replica dbname=sales', on_error => 'success') > 0 AS added;
SELECT pgagent_py.add_step(:empty, '4 batch', batch => 'exit 1', enabled => false, description => 'Off') > 0 AS added;
SELECT jstname, jstdesc, jstenabled, jstkind, jstcode, jstconnstr,
       CASE WHEN jstdbname = current_database() THEN 'here' ELSE jstdbname END AS jstdbname, jstonerror
  FROM pgagent.pga_jobstep WHERE jstjobid = :empty ORDER BY jstname;

-- A schedule by sets; cron's either-or of the two day fields becomes two schedules
SELECT pgagent_py.add_schedule(:empty, 'month end', minutes => '{0,30}', hours => '{18}', weekdays => '{0,6}', monthdays => '{1,32}',
    months => '{1,2}', start => '2098-12-01 00:00+00', "end" => '2099-12-31 23:59+00', timezone => 'America/New_York',
    description => 'Weekends only') AS month_end \gset
SELECT jscname, jscdesc, jscstart, jscend, array_positions(jscminutes, true) AS minutes, array_positions(jschours, true) AS hours,
       array_positions(jscweekdays, true) AS weekdays, array_positions(jscmonthdays, true) AS monthdays,
       array_positions(jscmonths, true) AS months
  FROM pgagent.pga_schedule WHERE jscid = :month_end;
SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = :empty;
SELECT count(*) AS schedules FROM pgagent_py.add_schedule(:empty, 'either', cron => '0 12 13 * fri', start => '2098-01-01');
SELECT array_positions(jscweekdays, true) AS weekdays, array_positions(jscmonthdays, true) AS monthdays
  FROM pgagent.pga_schedule WHERE jscjobid = :empty AND jscname = 'either' ORDER BY jscid;

-- The preview merges a job's schedules, and starts after the instant that is given
SELECT * FROM pgagent_py.next_runs(:empty, 6, '2099-01-29 12:00+00');
SELECT * FROM pgagent_py.next_runs(:empty, 0);
SELECT pgagent_py.next_run(:month_end, '2099-02-01 23:00+00') AS next_run;
SELECT pgagent_py.next_run(:month_end, '2100-01-01 00:00+00') AS next_run;

-- Exceptions: a minute of a date, a date, a time of every day
SELECT pgagent_py.add_exception(:month_end, '2099-01-31', '18:00') > 0 AS added;
SELECT pgagent_py.add_exception(:month_end, on_date => '2099-02-28') > 0 AS added;
SELECT pgagent_py.add_exception(:month_end, at_time => '18:30') > 0 AS added;
SELECT jexdate, jextime FROM pgagent.pga_exception WHERE jexscid = :month_end ORDER BY jexid;
SELECT * FROM pgagent_py.next_runs(:empty, 3, '2099-01-29 12:00+00');
SELECT pgagent_py.next_run(:month_end, '2098-12-10 12:00+00') AS first;

-- Time zones: of one schedule, and of all that have none
SELECT pgagent_py.default_timezone();
SELECT pgagent_py.add_schedule(:nightly, 'noon', cron => '0 12 * * *', start => '2098-01-01') AS noon \gset
SELECT pgagent_py.next_run(:noon, '2098-06-01 00:00+00') AS by_the_default;
SELECT pgagent_py.alter_schedule(:noon, timezone => 'Asia/Kathmandu');
SELECT pgagent_py.next_run(:noon, '2098-06-01 00:00+00') AS in_kathmandu;
SELECT pgagent_py.alter_schedule(:noon, timezone => '');
SELECT pgagent_py.set_default_timezone('Europe/Paris');
SELECT pgagent_py.default_timezone();
SELECT pgagent_py.next_run(:noon, '2098-06-01 00:00+00') AS in_paris;

-- Run now
SELECT pgagent_py.run_now(:nightly);
SELECT jobnextrun <= now() AS due FROM pgagent.pga_job WHERE jobid = :nightly;

-- Text is stored as it is given
SELECT pgagent_py.add_job($$O'Reilly "quoted" \ %s {{ x }} $1 %$$, sql => E'SELECT ''a\\b'', $q$ ü $q$;\n-- end') AS odd \gset
SELECT jobname, jstcode FROM pgagent.pga_job JOIN pgagent.pga_jobstep ON jstjobid = jobid WHERE jobid = :odd;

-- Dropping takes everything along
SELECT pgagent_py.drop_job(jobid) FROM pgagent.pga_job WHERE jobid IN (:nightly, :everything, :empty, :odd) ORDER BY jobid;
SELECT (SELECT count(*) FROM pgagent.pga_job) AS jobs, (SELECT count(*) FROM pgagent.pga_jobstep) AS steps,
       (SELECT count(*) FROM pgagent.pga_schedule) AS schedules, (SELECT count(*) FROM pgagent.pga_exception) AS exceptions,
       (SELECT count(*) FROM pgagent_py.schedule_option) AS options;
