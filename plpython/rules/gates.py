"""Gates: the windows of single jobs, for those who look ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import NamedTuple, TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import PRINTABLE
from .read_windows import read_windows
from .schedule import Instant
from .skipped import Skipped
from .windows import Names, Windows, split_names


class GateRow(TypedDict):
    """A job with windows, of its own or of its class: since when it is due, if it is, and what it skips."""

    jobid: int
    jobname: str
    jobwindow: str | None
    class_window: str | None
    due: float | None
    latest: float | None


# What the role that asks may see. latest: with catch_up skip, how late a run may start.
READ_GATES = Statement(
    f"""
SELECT v.jobid, {PRINTABLE.format("v.jobname")} AS jobname, o."window" AS jobwindow, l."window" AS class_window,
       CASE WHEN v.jobnextrun <= now() AND NOT v.jobrunning THEN extract(epoch FROM v.jobnextrun)::float8 END AS due,
       CASE WHEN o.catch_up = 'skip' THEN extract(epoch FROM coalesce(o.max_lateness, '1 min'))::float8 END AS latest
  FROM pgagent_py.visible_job v
  LEFT JOIN pgagent_py.job_options o ON o.jobid = v.jobid
  LEFT JOIN pgagent_py.limits l ON l.class = v.jobclass
 WHERE v.jobenabled AND (o."window" IS NOT NULL OR l."window" IS NOT NULL)""",
    row=GateRow,
)


class Gate(NamedTuple):
    """The windows of a job."""

    job: GateRow
    windows: Windows
    names: Names
    now: float

    def start(self, due: Instant) -> float:
        """Return when the run starts that is due at *due*; infinity if it never does."""
        start = self.windows.start(self.names, float(due))
        latest = self.job["latest"]
        return inf if latest is not None and start > float(due) + latest else start

    def first_due(self, after: Instant) -> float:
        """Return a time behind which all times are due that start later than *after*; see waiting() for those before now."""
        if after <= self.now:
            return float(after)
        return max(self.now, self.windows.closed_since(self.names, float(after)))

    def starts(self, times: Iterable[Instant], after: Instant) -> Iterator[Instant]:
        """Yield when runs start that are due at *times*, as far as that is later than *after*."""
        for due in times:
            start = self.start(due)
            if start == inf and self.windows.start(self.names, float(due)) == inf:
                return
            if after < start < inf:
                yield int(start) if start == int(start) else due if start == float(due) else start

    def waiting(self, after: Instant, skipped: Skipped) -> Iterator[tuple[Instant, str, int]]:
        """Yield the run that is due already, if it starts later than *after*."""
        if self.job["due"] is not None and not skipped.has(self.job["jobid"], self.job["due"]):
            start = self.start(self.job["due"])
            if after < start < inf:
                yield start, self.job["jobname"], self.job["jobid"]


def read_gates(plpy: Plpy) -> dict[int, Gate]:
    """Return the gates of the jobs that have windows, by job."""
    present = read_windows(plpy)
    windows, now = present["windows"], present["now"]
    if not windows:
        return {}
    return {
        row["jobid"]: Gate(row, windows, split_names(row["jobwindow"], row["class_window"]), now)
        for row in READ_GATES(plpy)
    }
