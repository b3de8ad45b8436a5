"""Waiting runs: they are in progress with no step executing. Each is a row of waiting_run.

They wait for a free place, for the time of the next try, or until a session unlocks the job or the log row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .rows import ResultRow

DEFER = Statement(
    """
INSERT INTO pgagent_py.waiting_run (jlgid, jagpid, not_before, jslid, jslstatus, jslresult, jslduration, jsloutput)
SELECT r.jlgid, $3, clock_timestamp() + interval '0.2 s', r.jslid, r.jslstatus, r.jslresult, r.jslduration, r.jsloutput
  FROM unnest($1) r WHERE r.jlgid = ANY ($2)
    ON CONFLICT (jlgid) DO NOTHING""",
    "pgagent_py.step_result[]",
    "int4[]",
    "int4",
)


def defer(plpy: Plpy, pid: int, finished: Sequence[ResultRow], jlgids: Sequence[int]) -> None:
    """Keep the results of these runs until their jobs are no longer locked."""
    DEFER(plpy, finished, jlgids, pid)


# At the end of its job's time, at the latest, a run is looked at again.
DEFER_RETRIES = Statement(
    """
INSERT INTO pgagent_py.waiting_run (jlgid, jagpid, not_before)
SELECT w.jlgid, $3, least(clock_timestamp() + make_interval(secs => w.delay), l.jlgstart + jo.jobtimeout)
  FROM unnest($1, $2) w (jlgid, delay)
  JOIN pgagent.pga_joblog l ON l.jlgid = w.jlgid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = l.jlgjobid
    ON CONFLICT (jlgid) DO NOTHING""",
    "int4[]",
    "float8[]",
    "int4",
)


def defer_retries(plpy: Plpy, pid: int, delays: Mapping[int, float]) -> None:
    """Let the runs (jlgid) wait for so many seconds before their next try."""
    DEFER_RETRIES(plpy, list(delays), list(delays.values()), pid)


# waiting_since is in the future if the clock was set back meanwhile.
TAKE_WAITING = Statement(
    """
DELETE FROM pgagent_py.waiting_run w
 WHERE w.jagpid = $1 AND (w.not_before <= clock_timestamp() OR w.waiting_since > clock_timestamp())
RETURNING w.jlgid, w.jslid, w.jslstatus, w.jslresult, w.jslduration::text AS jslduration, w.jsloutput""",
    "int4",
    row=ResultRow,
)


def take_waiting(plpy: Plpy, pid: int) -> list[ResultRow]:
    """Return, and forget, the runs of this agent that have waited long enough."""
    return list(TAKE_WAITING(plpy, pid))


# A row with a result is left: it waits for its booking, not for a next step.
FORGET_WAITING = Statement(
    "DELETE FROM pgagent_py.waiting_run w WHERE w.jlgid = $1 AND w.jslid IS NULL RETURNING w.jlgid", "int4"
)


def forget_waiting(plpy: Plpy, jlgid: int) -> bool:
    """Let a run wait no more for its next step; return whether it did."""
    return bool(FORGET_WAITING(plpy, jlgid))


MOVE_WAITING = Statement("UPDATE pgagent_py.waiting_run SET jagpid = $2 WHERE jagpid = $1", "int4", "int4")


def move_waiting(plpy: Plpy, old: int, new: int) -> None:
    """Give the waiting runs of the agent with pid *old* to that with pid *new*."""
    MOVE_WAITING(plpy, old, new)
