"""The server's clock may be set while jobs sleep: nothing is repeated, and nothing sleeps for ever.

A step forward makes the jobs that it passed over due; each runs once. After a step back of less than 3 hours jobs wait
until the time that they have run at has passed (the trigger _set_next_run sees to it). A longer one is a correction:
every sleeping job gets its next run anew.
"""

from __future__ import annotations

import time
from typing import Any

from ..ground.plan import run

CORRECTION = 3 * 3600.0  # seconds

# Wall clock minus a clock that nobody sets, at the last look of this session.
_offset: float | None = None


def now_or_last_run(last_run: float | None) -> float:
    """Return the time, epoch seconds, that a next run must be later than: now, or the last run if the clock was set back."""
    now = time.time()
    return last_run if last_run is not None and now < last_run < now + CORRECTION else now


def follow_clock(plpy: Any) -> None:
    """Give every sleeping job its next run anew if the clock was set back far since the last call."""
    global _offset
    before, _offset = _offset, time.time() - time.monotonic()
    if before is not None and _offset < before - CORRECTION:
        recompute_after_correction(plpy)


def clock_was_corrected(plpy: Any) -> bool:
    """Return whether a job has run in what is now the far future: the clock was set back while nobody looked."""
    find = """
        SELECT EXISTS (SELECT FROM pgagent.pga_job j
                        WHERE j.joblastrun > clock_timestamp() + make_interval(secs => $1)) AS found"""
    return bool(run(plpy, find, ["float8"], [CORRECTION])[0]["found"])


def recompute_after_correction(plpy: Any) -> None:
    """Compute the next runs of all jobs that sleep, as if they had not run since the time that it is now.

    Those that a session has locked keep theirs.
    """
    recompute = """
        UPDATE pgagent.pga_job SET jobnextrun = NULL, joblastrun = least(joblastrun, now())
         WHERE jobid IN (SELECT j.jobid FROM pgagent.pga_job j
                          WHERE j.jobagentid IS NULL AND (j.jobnextrun <= now()) IS NOT TRUE FOR NO KEY UPDATE SKIP LOCKED)"""
    run(plpy, recompute)
