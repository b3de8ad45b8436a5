"""Times of schedules that skip_next_run() has left out, for those that ask when jobs run."""

from __future__ import annotations

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .schedule import Instant, in_seconds

# $1 job, NULL: all that the role that asks may see.
READ = Statement(
    """
SELECT s.jobid, pgagent_py._micros(s."from")::text AS first, pgagent_py._micros(s.until)::text AS last
  FROM pgagent_py.skipped s
 WHERE ($1 IS NULL OR s.jobid = $1) AND pgagent_py._micros(s."from") IS NOT NULL AND pgagent_py._micros(s.until) IS NOT NULL""",
    "int4",
)


class Skipped:
    """The skipped times of one job, or of all."""

    def __init__(self, plpy: Plpy, job: int | None = None) -> None:
        self._spans: dict[int, list[tuple[Instant, Instant]]] = {}
        for row in READ(plpy, job):
            span = in_seconds(int(row["first"])), in_seconds(int(row["last"]))
            self._spans.setdefault(row["jobid"], []).append(span)

    def jobs(self) -> int:
        """Return how many jobs have such times."""
        return len(self._spans)

    def has(self, job: int, at: Instant) -> bool:
        """Return whether *job* skips the time *at*."""
        return any(first <= at <= last for first, last in self._spans.get(job, ()))
