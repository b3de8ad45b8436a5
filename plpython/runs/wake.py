"""When launchers wake: the time that each foresees, and a notification when something changes before."""

from __future__ import annotations

from typing import Any

from ..ground.plan import run
from ..ground.vocabulary import IDLE
from .limits import places

# Seconds that an agent whose backend is gone has to come back before its jobs are closed, counted from when another
# agent first sees it missing: so a server that was down for long costs nobody a run.
GRACE = 5.0

# Seconds between two looks for the missing, and the shortest time between them.
LOOK_EVERY, LOOK_AGAIN = 3.0, 1.0

# Of the same kind, for who only wants to know when the next of them is due.
HELD_BACK = """
       AND j.jobjclid <> ALL ($1)
       AND NOT EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = j.jobid AND o.jobgroup = ANY ($2))"""

# When the next job is due that this agent could start: {held} leaves out those that a pause or limit holds back.
NEXT_DUE = """
    SELECT extract(epoch FROM j.jobnextrun - clock_timestamp())::float8 FROM pgagent.pga_job j
     WHERE {idle} AND j.jobnextrun IS NOT NULL AND j.jobhostagent IN ('', a.jagstation) {held}
     ORDER BY j.jobnextrun LIMIT 1"""

NEXT_WAKE = f"""
SELECT CASE WHEN l.held IS FALSE THEN ({NEXT_DUE.format(idle=IDLE, held="")}) END AS due, l.held,
       (SELECT extract(epoch FROM min(CASE WHEN w.waiting_since <= clock_timestamp() THEN w.not_before ELSE clock_timestamp() END)
                             - clock_timestamp())::float8
          FROM pgagent_py.waiting_run w WHERE w.jagpid = a.jagpid) AS waiting,
       (SELECT least($1, min(extract(epoch FROM o.missing_since - clock_timestamp())::float8 + $2))
          FROM pgagent.pga_jobagent p LEFT JOIN pgagent_py.agent o ON o.jagpid = p.jagpid
         WHERE p.jagpid <> a.jagpid HAVING count(*) > 0) AS look
  FROM pgagent_py.agent a
 CROSS JOIN (SELECT EXISTS (SELECT FROM pgagent_py.pause) OR EXISTS (SELECT FROM pgagent_py.job_limit) AS held) l
 WHERE a.jagpid = pg_backend_pid()"""

NEXT_DUE_HELD = f"""
SELECT ({NEXT_DUE.format(idle=IDLE, held=HELD_BACK)}) AS due FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid()"""


def next_wake(plpy: Any) -> float | None:
    """Return the seconds until the next turn of this backend's agent is due; None when nothing is foreseen.

    0 or less: there is something due that the last turn did not take, such as a job that another session has locked.
    """
    rows = run(plpy, NEXT_WAKE, ["float8", "float8"], [LOOK_EVERY, GRACE])
    if not rows:
        return None
    (row,) = rows
    look: float | None = row["look"]  # others are registered: they may go missing
    times = [row["due"], row["waiting"], None if look is None else max(look, LOOK_AGAIN)]
    if row["held"]:
        free = places(plpy)
        if not free.everything_paused:
            values = [free.full_classes(), free.full_groups()]
            times += [found["due"] for found in run(plpy, NEXT_DUE_HELD, ["int4[]", "text[]"], values)]
    return min((seconds for seconds in times if seconds is not None), default=None)


def wake(plpy: Any) -> None:
    """Let the launchers look again at what may start: a job was released outside their turns, a limit or pause changed."""
    run(plpy, "SELECT pg_notify('pgagent_py', '')")
