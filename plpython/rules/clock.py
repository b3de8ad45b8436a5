"""The server's clock may be set while jobs sleep: no run is repeated, and no job sleeps for ever.

A step forward makes the jobs that it passed over due; each runs once. After a step back of less than 3 hours jobs wait until
the time of their last run has passed: the trigger _set_next_run sees to it. A longer step back is a correction: every sleeping
job gets its next run again.
"""

from __future__ import annotations

import time

from ..ground.plan import Statement
from ..ground.plpy import Plpy

CORRECTION_SECONDS = 3 * 3600.0

# Wall clock minus a clock that cannot be set, at the last look of this session.
_offset: float | None = None


def now_or_last_run(last_run: float | None) -> float:
    """Return the time, epoch seconds, that a next run must be later than: now, or the last run if the clock was set back."""
    now = time.time()
    return last_run if last_run is not None and now < last_run < now + CORRECTION_SECONDS else now


def follow_clock(plpy: Plpy) -> None:
    """Give every sleeping job its next run again if the clock was set back far since the last call."""
    global _offset
    before, _offset = _offset, time.time() - time.monotonic()
    if before is not None and _offset < before - CORRECTION_SECONDS:
        recompute_after_correction(plpy)


RAN_IN_FUTURE = Statement(
    """
SELECT EXISTS (SELECT FROM pgagent.pga_job j
                WHERE j.joblastrun > clock_timestamp() + make_interval(secs => $1)) AS found""",
    "float8",
)


def clock_was_corrected(plpy: Plpy) -> bool:
    """Return whether a job has run in what is now the far future: the clock was set back while no agent was looking."""
    return bool(RAN_IN_FUTURE(plpy, CORRECTION_SECONDS)[0]["found"])


# Setting jobnextrun to NULL makes the trigger compute it.
RECOMPUTE = Statement("""
UPDATE pgagent.pga_job SET jobnextrun = NULL, joblastrun = least(joblastrun, now())
 WHERE jobid IN (SELECT j.jobid FROM pgagent.pga_job j
                  WHERE j.jobagentid IS NULL AND (j.jobnextrun <= now()) IS NOT TRUE FOR NO KEY UPDATE SKIP LOCKED)""")


def recompute_after_correction(plpy: Plpy) -> None:
    """Compute the next runs of all sleeping jobs, as if none had run later than now.

    Jobs that a session has locked keep theirs.
    """
    RECOMPUTE(plpy)
