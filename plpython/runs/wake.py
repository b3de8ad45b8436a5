"""When launchers wake: at the time that each foresees, or when a notification tells of a change before that."""

from __future__ import annotations

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import DUE, IDLE, THIS_BACKEND
from .alerts import next_alert
from .claimable import FOR_AGENT
from .limits import places
from .problems import NO_PROBLEM
from .windows import NOTHING_SHUT, SHUT_TYPES, held_by_window, shut_now

# An agent whose backend is gone has so many seconds to come back before its jobs are closed. They count from when another agent
# first sees it missing, so a server that was down for long costs no job a run.
GRACE_SECONDS = 5.0
# Seconds between two looks for missing agents, and the shortest time between them.
LOOK_EVERY_SECONDS, LOOK_AGAIN_SECONDS = 3.0, 1.0

# When the next job is due that this agent could start: {held} leaves out the jobs that a pause or limit holds back. It looks at a
# thousand jobs. If none of them is for this agent, it asks again after a second: there may be one behind them.
FIRST_DUE = f"""
        SELECT j.* FROM pgagent.pga_job j WHERE {IDLE} AND j.jobnextrun IS NOT NULL ORDER BY j.jobnextrun LIMIT 1000"""
NEXT_DUE = f"""
    SELECT coalesce(
       (SELECT CASE WHEN isfinite(j.jobnextrun) THEN extract(epoch FROM j.jobnextrun - clock_timestamp())::float8
                    WHEN j.jobnextrun < now() THEN 0 END
          FROM ({FIRST_DUE}) j
         WHERE {FOR_AGENT.format(station="a.jagstation", knows="a.jagknows")} {{held}} AND {NO_PROBLEM}
         ORDER BY j.jobnextrun LIMIT 1),
       CASE WHEN (SELECT count(*) FROM ({FIRST_DUE}) f) = 1000 THEN 1 END)"""

# due: the next job, looked for here unless something is held back. waiting: the next run that may go on. look: for missing
# agents, if others are registered. $1 and $2: LOOK_EVERY_SECONDS and GRACE_SECONDS.
NEXT_WAKE = Statement(
    f"""
SELECT a.jagpooled, CASE WHEN l.held IS FALSE AND NOT l.draining THEN ({NEXT_DUE.format(held="")}) END AS due,
       l.held AND NOT l.draining AS held, l.windowed,
       (SELECT extract(epoch FROM min(p.paused_until) - clock_timestamp())::float8 FROM pgagent_py.pause p
         WHERE p.paused_until > clock_timestamp() AND isfinite(p.paused_until)) AS resumes,
       (SELECT extract(epoch FROM min(CASE WHEN w.waiting_since <= clock_timestamp() THEN w.not_before ELSE clock_timestamp() END)
                             - clock_timestamp())::float8
          FROM (SELECT r.not_before, r.waiting_since FROM pgagent_py.run r
                 WHERE r.agent = a.agent AND r.jslid IS NULL AND NOT l.draining
                 UNION ALL
                SELECT k.not_before, k.waiting_since FROM pgagent_py.waiting_result k WHERE k.agent = a.agent) w) AS waiting,
       (SELECT least($1, min(extract(epoch FROM o.missing_since - clock_timestamp())::float8 + $2))
          FROM pgagent.pga_jobagent p LEFT JOIN pgagent_py.agent o ON o.jagpid = p.jagpid
         WHERE p.jagpid <> a.jagpid HAVING count(*) > 0) AS look,
       EXISTS (SELECT FROM pgagent_py.message m WHERE m.msgwhen IN ('late', 'overrun')) AS alerting,
       NOT l.draining AND EXISTS (
           SELECT FROM pgagent_py.backfill b JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[b.jobid])
            WHERE b.bflended IS NULL AND coalesce({IDLE}, false)) AS backfilling
  FROM pgagent_py.agent a
 CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT FROM pgagent_py.pause) OR EXISTS (SELECT FROM pgagent_py.job_limit)
              OR EXISTS (SELECT FROM pgagent_py.job_window) AS held,
              EXISTS (SELECT FROM pgagent_py.job_window) AS windowed,
              EXISTS (SELECT FROM pgagent_py.draining d WHERE d.agent = a.agent) AS draining) l
 WHERE {THIS_BACKEND}""",
    "float8",
    "float8",
)


SHOW_LIFE = Statement(
    f"""
UPDATE pgagent_py.agent SET last_seen = clock_timestamp()
 WHERE jagpid IN (SELECT a.jagpid FROM pgagent_py.agent a
                   WHERE {THIS_BACKEND} AND a.jagpooled
                     AND a.last_seen NOT BETWEEN clock_timestamp() - interval '10 s' AND clock_timestamp()
                     FOR NO KEY UPDATE SKIP LOCKED)"""
)


def show_life(plpy: Plpy) -> None:
    """Note that this backend's agent lives, if a pooler stands between, every ten seconds at most."""
    SHOW_LIFE(plpy)


# $1 full classes, $2 full groups, $3 full owners, $4 to $7 what windows hold back.
HELD_BACK = f"""
       AND j.jobjclid <> ALL ($1)
       AND NOT EXISTS (SELECT FROM pgagent_py.job_option o
                        WHERE o.jobid = ANY (ARRAY[j.jobid]) AND (o.jobgroup = ANY ($2) OR o.jobownerid = ANY ($3)))
       AND NOT (SELECT {held_by_window(4)}
                  FROM (SELECT) one LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid]))"""

NEXT_DUE_HELD = Statement(
    f"""
SELECT ({NEXT_DUE.format(held=HELD_BACK)}) AS due FROM pgagent_py.agent a WHERE {THIS_BACKEND}""",
    "int4[]",
    "text[]",
    "oid[]",
    *SHUT_TYPES,
)


def next_wake(plpy: Plpy) -> float | None:
    """Return the seconds until the next turn of this backend's agent is due; None when nothing is foreseen.

    0 or less: something is due that the last turn did not take, for example a job that another session has locked.
    """
    rows = NEXT_WAKE(plpy, LOOK_EVERY_SECONDS, GRACE_SECONDS)
    if not rows:
        return None
    (row,) = rows
    if row["jagpooled"]:
        show_life(plpy)
    look: float | None = row["look"]
    times = [
        row["due"],
        row["waiting"],
        row["resumes"],
        None if look is None else max(look, LOOK_AGAIN_SECONDS),
    ]
    if row["alerting"]:
        times.append(next_alert(plpy))
    if row["backfilling"]:
        times.append(LOOK_EVERY_SECONDS)
    shut, change = shut_now(plpy) if row["windowed"] else (NOTHING_SHUT, None)
    times.append(change)  # a draining launcher, too, ends runs with their windows
    if row["held"]:
        free = places(plpy)
        if not free.everything_paused:
            found = NEXT_DUE_HELD(plpy, *free.full(), *shut)
            times += [row["due"] for row in found]
    return min((seconds for seconds in times if seconds is not None), default=None)


WAKE = Statement("SELECT pg_notify('pgagent_py', $1)", "text")


def wake(plpy: Plpy, reason: str = "") -> None:
    """Let the launchers look again at what may start: a job was released outside their turns, a limit or pause changed.

    *reason* "cancel": let them look which of their runs were cancelled.
    """
    WAKE(plpy, reason)


# Jobs of which too many were running: another launcher may have a place for them, or the right host.
WAKE_FOR_DUE = Statement(f"""
SELECT pg_notify('pgagent_py', '')
 WHERE EXISTS (SELECT FROM pgagent.pga_job j WHERE {DUE})""")


def wake_for_due_jobs(plpy: Plpy) -> None:
    """Let the launchers look again if jobs are due that this turn has left."""
    WAKE_FOR_DUE(plpy)
