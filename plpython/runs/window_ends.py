"""The ends of windows: runs that end with them, of jobs that want it (at_window_end)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..rules.read_windows import read_windows
from ..rules.windows import split_names
from .wake import wake
from .windows import CLASS_WINDOW


class RunRow(TypedDict):
    """A run of a job with at_window_end stop: the windows of the job and of its class, and when it was claimed."""

    jlgid: int
    jobwindow: str | None
    class_window: str | None
    claimed: float
    stopped_by: str | None
    executing: bool


# $1 agent. A run that was cancelled ends anyway.
RUNS_TO_STOP = Statement(
    f"""
SELECT r.jlgid, o.jobwindow, {CLASS_WINDOW} AS class_window, extract(epoch FROM r.claimed)::float8 AS claimed,
       r.stopped_by, r.jslid IS NOT NULL AS executing
  FROM pgagent_py.run r
  JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[r.jobid])
 -- OFFSET 0: to begin with all options that have stop would take longer where many have
 CROSS JOIN LATERAL (
       SELECT o.jobwindow, o.jobatwindowend FROM pgagent_py.job_option o WHERE o.jobid = r.jobid OFFSET 0) o
 WHERE r.agent = $1 AND o.jobatwindowend = 'stop'
   AND (r.stopped_by IS NULL OR r.jslid IS NULL AND r.not_before > clock_timestamp())""",
    "uuid",
    row=RunRow,
)
# $1 runs, $2 windows. A run that waits ends in this turn.
STOP_RUNS = Statement(
    """
UPDATE pgagent_py.run r
   SET stopped_by = s.windows, not_before = CASE WHEN r.jslid IS NULL THEN clock_timestamp() END
  FROM unnest($1, $2) s (jlgid, windows)
 CROSS JOIN LATERAL (SELECT k.jlgid FROM pgagent_py.run k WHERE k.jlgid = s.jlgid FOR NO KEY UPDATE SKIP LOCKED) k
 WHERE r.jlgid = ANY (ARRAY[k.jlgid])""",
    "int4[]",
    "text[]",
)


def stop_runs(plpy: Plpy, agent: str) -> bool:
    """Let the runs of *agent* end whose windows have closed, of jobs that want it; return whether one waits for its next step.

    A run that began while its windows were shut was asked for by run_now(): that is left alone.
    """
    rows = list(RUNS_TO_STOP(plpy, agent))
    if not rows:
        return False
    present = read_windows(plpy)
    windows, now = present["windows"], present["now"]
    found: dict[int, str] = {}
    for row in rows:
        names = split_names(row["jobwindow"], row["class_window"])
        began_inside = not windows.shut(names, row["claimed"])
        shut = windows.shut(names, now) if began_inside else []
        if row["stopped_by"] or shut:
            found[row["jlgid"]] = row["stopped_by"] or ", ".join(shut)
    return _stop(plpy, rows, found)


def _stop(plpy: Plpy, rows: Sequence[RunRow], found: dict[int, str]) -> bool:
    if not found:
        return False
    STOP_RUNS(plpy, list(found), list(found.values()))
    if any(row["executing"] for row in rows if row["jlgid"] in found):
        wake(plpy, "cancel")
    return any(not row["executing"] for row in rows if row["jlgid"] in found)


def stopped_at(windows: str, job: int, step: int) -> str:
    """Return what the log says of a run that has ended with its *windows*, and of the *step* that would be next."""
    return (
        f"The run was stopped at the end of its window: {windows}. The rest of it: "
        f"SELECT pgagent_py.run_now({job}, from_step => {step});"
    )
