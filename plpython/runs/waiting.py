"""Waiting runs: they are in progress, and no step of theirs is being executed. The table is waiting_run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.plan import run
from .hand_out import StepRow

EMPTY_RESULT = dict.fromkeys(("jlgid", "jslid", "jslstatus", "jslresult", "jslduration", "jsloutput"))

# Results of what another session has locked, job or log row, wait in waiting_run; so do runs whose next step has no place yet.
DEFER = """
INSERT INTO pgagent_py.waiting_run (jlgid, jagpid, not_before, jslid, jslstatus, jslresult, jslduration, jsloutput)
SELECT r.jlgid, $3, clock_timestamp() + interval '0.2 s', r.jslid, r.jslstatus, r.jslresult, r.jslduration, r.jsloutput
  FROM unnest($1) r WHERE r.jlgid = ANY ($2)
    ON CONFLICT (jlgid) DO NOTHING
"""


def defer(plpy: Any, pid: int, finished: Sequence[StepRow], jlgids: Sequence[int]) -> None:
    """Keep the results of these runs until their jobs are no longer locked."""
    run(plpy, DEFER, ["pgagent_py.step_result[]", "int4[]", "int4"], [finished, jlgids, pid])


TAKE_WAITING = """
DELETE FROM pgagent_py.waiting_run w
 WHERE w.jagpid = $1 AND (w.not_before <= clock_timestamp() OR w.waiting_since > clock_timestamp())
RETURNING w.jlgid, w.jslid, w.jslstatus, w.jslresult, w.jslduration::text AS jslduration, w.jsloutput
"""


def take_waiting(plpy: Any, pid: int) -> list[StepRow]:
    """Return, and forget, the runs of this agent that have waited long enough, in the shape of step results."""
    return list(run(plpy, TAKE_WAITING, ["int4"], [pid]))


# At the end of its job's time, at the latest, a run is looked at again.
DEFER_RETRY = """
INSERT INTO pgagent_py.waiting_run (jlgid, jagpid, not_before)
SELECT w.jlgid, $3, least(clock_timestamp() + make_interval(secs => w.delay), l.jlgstart + jo.jobtimeout)
  FROM unnest($1, $2) w (jlgid, delay)
  JOIN pgagent.pga_joblog l ON l.jlgid = w.jlgid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = l.jlgjobid
    ON CONFLICT (jlgid) DO NOTHING
"""


def defer_retries(plpy: Any, pid: int, delays: Mapping[int, float]) -> None:
    """Let the runs (jlgid) wait for so many seconds before their next try."""
    run(plpy, DEFER_RETRY, ["int4[]", "float8[]", "int4"], [list(delays), list(delays.values()), pid])


# One that waits for a next step, not for its result to be booked: no launcher is needed to end it.
FORGET_WAITING = (
    "DELETE FROM pgagent_py.waiting_run w WHERE w.jlgid = $1 AND w.jslid IS NULL RETURNING w.jlgid"
)
