"""Alerts: jobs that have not started in time, and runs that take too long. Each turn of a launcher looks for them."""

from __future__ import annotations

import time

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import DUE, NAME_LENGTH, SECRET_LINE
from ..rules.read_windows import read_windows
from .windows import COULD_START

# Due jobs that have an alert before them, and running ones: since when they wait or run, and when that is to be told. From the
# few jobs with such options to the rest, whatever the planner thinks of the tables.
NOT_TOLD = """NOT EXISTS (SELECT FROM pgagent_py.alerted a WHERE a.jobid = j.jobid AND a.alert = '{}' AND a.since = j.{})"""
WATCHED = f"""
    SELECT j.jobid, 'late' AS alert, j.jobnextrun AS since, {COULD_START} + least(o.joblateafter, '1000 years') AS at,
           j.jobname, j.jobdesc
      FROM (SELECT o.jobid, o.joblateafter, o.jobwindow FROM pgagent_py.job_option o WHERE o.joblateafter > '0' OFFSET 0) o
     CROSS JOIN LATERAL (SELECT * FROM pgagent.pga_job j WHERE j.jobid = o.jobid AND {DUE} OFFSET 0) j
     WHERE {NOT_TOLD.format("late", "jobnextrun")}
     UNION ALL
    SELECT j.jobid, 'overrun', j.joblastrun, j.joblastrun + least(o.joboverrunafter, '1000 years'), j.jobname, j.jobdesc
      FROM (SELECT o.jobid, o.joboverrunafter FROM pgagent_py.job_option o WHERE o.joboverrunafter > '0' OFFSET 0) o
     CROSS JOIN LATERAL (
           SELECT * FROM pgagent.pga_job j WHERE j.jobid = o.jobid AND j.jobagentid IS NOT NULL OFFSET 0) j
     WHERE {NOT_TOLD.format("overrun", "joblastrun")}"""

# A job that never may start is late never.
NEXT = Statement(f"""
SELECT extract(epoch FROM min(w.at) - clock_timestamp())::float8 AS seconds FROM ({WATCHED}) w WHERE isfinite(w.at)""")

# What a look costs, times this, passes before a turn looks again.
PAUSE = 20
_look_again = 0.0  # by time.monotonic()


def next_alert(plpy: Plpy) -> float | None:
    """Return the seconds until the next alert of a job that is due or running; None when there is none before it."""
    global _look_again
    start = time.monotonic()
    read_windows(plpy)
    seconds: float | None = NEXT(plpy)[0]["seconds"]
    _look_again = time.monotonic() + PAUSE * (time.monotonic() - start)
    return seconds


# Held until this transaction commits: two launchers do not tell the same. A lock on the table, not an advisory lock, which any
# role can take.
LOCK = "LOCK TABLE pgagent_py.alerted IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"

# As the trigger _tell_runs does it for the ends of runs, with the same bounds. $1 name length, $2 messages of an owner.
TELL = Statement(
    f"""
WITH found AS MATERIALIZED (
    SELECT w.*, coalesce(k.jobownerid, 0) AS owner, extract(epoch FROM clock_timestamp() - w.since) AS seconds,
           CASE w.alert WHEN 'overrun' THEN (
               SELECT max(l.jlgid) FROM pgagent.pga_joblog l WHERE l.jlgjobid = w.jobid AND l.jlgstatus = 'r') END AS jlgid
      FROM ({WATCHED}) w
      LEFT JOIN LATERAL (SELECT k.jobownerid FROM pgagent_py.job_owner k WHERE k.jobid = w.jobid OFFSET 0) k ON true
     WHERE w.at <= clock_timestamp()),
noted AS (
    INSERT INTO pgagent_py.alerted (jobid, alert, since) SELECT f.jobid, f.alert, f.since FROM found f
        ON CONFLICT (jobid, alert) DO UPDATE SET since = excluded.since),
queued AS (
    INSERT INTO pgagent_py.queued_message (
           qmsjobid, qmsjlgid, qmskind, qmstarget, qmssubject, qmstext, qmshtml, qmsattach, qmscc, qmsbcc,
           qmsowner, qmsjobowner, qmsdata)
    SELECT f.jobid, coalesce(f.jlgid, 0), m.msgkind, m.msgtarget, m.msgsubject, m.msgtext,
           m.msghtml, m.msgattach, m.msgcc, m.msgbcc,
           CASE WHEN m.msgkind <> 'email' AND NOT m.msgeditor AND m.msgjobid IS NOT NULL THEN f.owner END, f.owner,
           jsonb_build_object(
               'event', f.alert, 'database', current_database(), 'steps', '[]'::jsonb,
               'job', jsonb_build_object('id', f.jobid, 'name', left(f.jobname, $1), 'description', left(
                   regexp_replace(f.jobdesc, '{SECRET_LINE}', '\\1***', 'gi'), 10000)),
               'run', jsonb_build_object('id', f.jlgid, 'status', CASE f.alert WHEN 'late' THEN 'late' ELSE 'running' END,
                                         'start', CASE f.alert WHEN 'overrun' THEN f.since END,
                                         'seconds', CASE f.alert WHEN 'overrun' THEN f.seconds END),
               'due', CASE f.alert WHEN 'late' THEN f.since END,
               'late_seconds', CASE f.alert WHEN 'late' THEN f.seconds END,
               'no_launcher_seconds', CASE f.alert WHEN 'late' THEN (
                   SELECT extract(epoch FROM clock_timestamp() - v.last_alive) FROM pgagent_py.alive v
                    WHERE v.last_alive < clock_timestamp() - interval '1 minute') END)
      FROM found f
     CROSS JOIN LATERAL (
           (SELECT * FROM pgagent_py.message o WHERE o.msgjobid = f.jobid AND o.msgwhen = f.alert
               AND (f.owner = 0 OR (SELECT count(*) FROM (
                    SELECT FROM pgagent_py.queued_message q WHERE q.qmsjobowner = f.owner LIMIT $2) q) < $2)
             ORDER BY o.msgid LIMIT 100)
            UNION ALL
           SELECT * FROM pgagent_py.message a WHERE a.msgjobid IS NULL AND a.msgwhen = f.alert) m
    RETURNING qmsid)
SELECT pg_notify('pgagent_py', 'message') WHERE EXISTS (SELECT FROM queued)""",
    "int4",
    "int4",
)

MOST_OF_AN_OWNER = 1000  # messages that wait


def tell_alerts(plpy: Plpy) -> None:
    """Queue the messages of jobs that are late and of runs that are overrun, each once."""
    global _look_again
    if time.monotonic() < _look_again:
        return
    seconds = next_alert(plpy)
    if seconds is None or seconds > 0:
        return
    _look_again = 0.0
    try:
        plpy.execute(LOCK)
    except plpy.spiexceptions.LockNotAvailable:
        return  # another launcher tells
    TELL(plpy, NAME_LENGTH, MOST_OF_AN_OWNER)


SHOW_ALIVE = Statement("""
UPDATE pgagent_py.alive SET last_alive = clock_timestamp()
 WHERE one IN (SELECT a.one FROM pgagent_py.alive a
                WHERE (a.last_alive BETWEEN clock_timestamp() - interval '10 s' AND clock_timestamp()) IS NOT TRUE
                  FOR UPDATE SKIP LOCKED)""")


def show_alive(plpy: Plpy) -> None:
    """Note that a launcher is at work, every ten seconds at most."""
    SHOW_ALIVE(plpy)


FORGET_ALERTED = Statement("""
DELETE FROM pgagent_py.alerted a WHERE a.jobid IN (
       SELECT f.jobid FROM pgagent_py.alerted f
        WHERE NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobid = f.jobid) LIMIT 1000)""")


def forget_alerted(plpy: Plpy) -> None:
    """Forget the alerts of jobs that are gone."""
    FORGET_ALERTED(plpy)
