"""A database that holds something of everything, and what is asked of it afterwards."""

from typing import Any

import psycopg

JOBS = """
    SELECT pgagent_py.set_default_timezone('Europe/Paris');
    SELECT pgagent_py.add_job('nightly', cron => '0 3 * * *', sql => 'SELECT 1', class => 'Data Export');
    SELECT pgagent_py.add_job('elsewhere', cron => '30 9 * * mon', timezone => 'Asia/Kathmandu', batch => 'true');
    SELECT pgagent_py.add_job('either', cron => '0 12 13 * fri');
    SELECT pgagent_py.add_job('off', cron => '@daily', enabled => false);
    SELECT pgagent_py.add_job('never') AS never;
    SELECT pgagent_py.add_step(jobid, 'atomic', sql => 'SELECT 2', atomic => true) FROM pgagent.pga_job WHERE jobname = 'never';
    SELECT pgagent_py.add_exception(jscid, (jobnextrun AT TIME ZONE 'Europe/Paris')::date)
      FROM pgagent.pga_schedule JOIN pgagent.pga_job ON jobid = jscjobid WHERE jobname = 'nightly';
    SELECT pgagent_py.add_schedule(pgagent_py.add_job('polled'), 'polled', every => '7 h', start => '2026-01-01 00:00:00.25Z');
    SELECT pgagent_py.add_schedule(pgagent_py.add_job('once'), 's', at => '2040-02-03 04:05:06Z');
    SELECT pgagent_py.add_job('warm up', cron => '@reboot');
    SELECT pgagent_py.add_calendar('holidays', '{2027-01-04,2027-01-07}');
    SELECT pgagent_py.add_calendar('winter', '{2027-01-05}', 'cold');
    SELECT pgagent_py.attach_calendar(jscid, 'holidays') FROM pgagent.pga_schedule WHERE jscname IN ('polled', 'elsewhere');
    SELECT pgagent_py.attach_calendar(jscid, 'winter', only_days => true) FROM pgagent.pga_schedule WHERE jscname = 'off';
    SELECT pgagent_py.add_dependency(o.jobid, n.jobid, 'finish') FROM pgagent.pga_job o, pgagent.pga_job n
     WHERE (o.jobname, n.jobname) IN (('once', 'never'), ('polled', 'once'));
    SELECT pgagent_py.alter_job(jobid, parameters => '{"a": [1.50, "é"]}', timeout => '1 h', max_lateness => '2 d', priority => 3,
           "group" => 'g', max_failures => 2) FROM pgagent.pga_job WHERE jobname = 'polled';
    SELECT pgagent_py.alter_step(jstid, timeout => '1 min', retries => 2) FROM pgagent.pga_jobstep WHERE jstname = 'atomic';
    SELECT pgagent_py.set_limit("group" => 'g', running => 2), pgagent_py.set_limit('Data Export', running => 1);
    SELECT pgagent_py.pause('Data Import');
    INSERT INTO pgagent.pga_jobclass (jclname) VALUES ('Our own');
    SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job WHERE jobname = 'nightly';
    SELECT * FROM pgagent_py.run_due();
"""
# Fills what JOBS leaves empty. "ordered" is due, but not for a session: it has a batch step.
RUNS = """
    SELECT pgagent_py.add_dependency(w.jobid, after => j.jobid)
      FROM pgagent.pga_job w, pgagent.pga_job j WHERE w.jobname = 'warm up' AND j.jobname IN ('nightly', 'off');
    SELECT pgagent_py.run_now(jobid, parameters => '{"what": 1}') FROM pgagent.pga_job WHERE jobname = 'nightly';
    SELECT * FROM pgagent_py.run_due();
    SELECT pgagent_py.run_now(pgagent_py.add_job('ordered', batch => 'true'), parameters => '{"what": 2}');
    SELECT pgagent_py.add_message(NULL, 'email', 'dba@example.org');
"""
# What released versions do not have: tests of dumps fill it, tests of updates begin without it.
NEWER = """
    SELECT pgagent_py.set_engine('slurm', '{partition,mem}'), pgagent_py.set_engine('nomad', enabled => false);
    SELECT pgagent_py.alter_step(jstid, engine => 'slurm --mem=8G') FROM pgagent.pga_jobstep WHERE jstname = 'elsewhere';
    SELECT pgagent_py.alter_job(jobid, labels => '{gpu,"dc=paris, north"}') FROM pgagent.pga_job WHERE jobname = 'never';
    SELECT pgagent_py.add_step(jobid, 'vacuum', sql => 'VACUUM; VACUUM', separately => true)
      FROM pgagent.pga_job WHERE jobname = 'never';
    SELECT pgagent_py.add_exception(jscid, '2099-01-01', '12:00') FROM pgagent.pga_schedule
     WHERE jscname IN ('nightly', 'polled');
    SELECT pgagent_py.set_bound('jobs', 20000);
    SELECT * FROM pgagent_py.import_jobs('{"jobs": {"applied": {"name": "applied"}}}', source => 'a file');
    SELECT pgagent_py.alter_job(jobid, cron => '0 13 13 * fri') FROM pgagent.pga_job WHERE jobname = 'either';
    SELECT pgagent_py.grant_group('g', 'pg_monitor');
    INSERT INTO pgagent_py.step_rows SELECT jslid, '{a}', '[["1"]]', 7 FROM pgagent.pga_jobsteplog LIMIT 1;
    SELECT pgagent_py.alter_job(jobid, late_after => '5 min', overrun_after => '1 h')
      FROM pgagent.pga_job WHERE jobname = 'polled';
    SELECT pgagent_py.add_message(NULL, 'chat', 'slack://a/b/c', 'late');
    UPDATE pgagent.pga_job SET jobdesc = E'text\\n@priority 4\\n@after not there' WHERE jobname = 'never';
    UPDATE pgagent.pga_jobstep SET jstdesc = '@retries 4' WHERE jstname = 'nightly';
    UPDATE pgagent.pga_schedule SET jscdesc = '@calendar winter' WHERE jscname = 'nightly';
    SELECT pgagent_py.alter_calendar('winter', weekend => '{5,6}');
    SELECT pgagent_py.add_schedule(pgagent_py.add_job('days'), 'nth', weekdays => '{1}', monthdays => '{1,-2}', nth => '{1,-1}',
           roll => 'forward', recurs => '2 months', spread => '5 min', start => '2026-01-01Z', minutes => '{0}', hours => '{9}');
    SELECT pgagent_py.add_schedule(jobid, 'workdays', workdays => '{1,-1}', minutes => '{0}', hours => '{9}')
      FROM pgagent.pga_job WHERE jobname = 'days';
    SELECT pgagent_py.skip_next_run(jobid, 2) FROM pgagent.pga_job WHERE jobname IN ('elsewhere', 'days');
    SELECT pgagent_py.backfill(jobid, '2026-01-01', '2026-01-03', '{"a": 1}') FROM pgagent.pga_job WHERE jobname = 'off';
    SELECT pgagent_py.add_window('nights', '0 22 * * *', duration => '8 h', timezone => 'Europe/Paris', description => 'quiet');
    SELECT pgagent_py.add_window('month end', workdays => '{-1}', hours => '{0}', duration => '1 d', closed => true);
    SELECT pgagent_py.alter_job(jobid, "window" => 'nights, month end', at_window_end => 'stop')
      FROM pgagent.pga_job WHERE jobname = 'polled';
    SELECT pgagent_py.set_limit('Data Import', "window" => 'nights');
    SELECT pgagent_py.add_job('missed', sql => 'SELECT 1');
    UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 h' WHERE jobname = 'missed';
    SELECT * FROM pgagent_py.run_due();
"""
# All rows, in text form, of pgagent's tables and ours
TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('pgagent', 'pgagent_py') AND c.relkind = 'r'
       AND c.relname NOT IN ('installation', 'code_version') ORDER BY 1"""


def contents(db: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return the rows of all tables of both extensions."""
    names = [name for (name,) in db.execute(TABLES)]
    return {
        name: sorted(str(row[0]) for row in db.execute(f"SELECT t::text FROM {name} t".encode()))
        for name in names
    }


def empty_tables(db: psycopg.Connection[Any]) -> list[str]:
    """Return the names of those tables of ours that pg_dump takes along and that hold no row."""
    query = """
        SELECT format('%I.%I', c.relnamespace::regnamespace, c.relname)
          FROM pg_extension e JOIN pg_class c ON c.oid = ANY (e.extconfig) AND c.relkind = 'r'
         WHERE e.extname = 'pgagent_py'"""
    held = contents(db)
    return [name for (name,) in db.execute(query) if not held[name]]


def behaviour(db: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return the runs that all jobs have before them."""
    query = """
        SELECT j.jobname, r.* FROM pgagent.pga_job j, pgagent_py.next_runs(j.jobid, 20, '2027-01-01') WITH ORDINALITY r
         ORDER BY 1, 3"""
    return db.execute(query).fetchall()
