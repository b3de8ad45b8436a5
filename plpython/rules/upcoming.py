"""The next runs of all jobs, merged in the order of their times."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from ..ground.vocabulary import PRINTABLE
from .cancels import heeding_cancels
from .gates import Gate, read_gates
from .next_run import read_instant, timestamp
from .rule_row import RuleRow, rule_of
from .schedule import Instant, NextRun, firings
from .skipped import Skipped

Run = tuple[Instant, str, int]  # when, name and id of the job


class JobRuleRow(RuleRow):
    """A row of the view schedule_rule, and the name of its job."""

    job: str


# $1 the last time that matters, $2 after, $3 how many runs, $4 jobs with windows, whose runs may start later than they are
# due. No schedule fires between now and jobnextrun, and a job whose next run is later than after runs then. So of the jobs
# that run later, as many as runs are asked for hold them all. Mostly so many run within an hour: an index finds those.
NEXT_RUN = "v.jobid, v.jobname, v.jobnextrun FROM pgagent_py.visible_job v WHERE v.jobenabled AND $2 >= now()"
FIRST = "ORDER BY v.jobnextrun, v.jobname, v.jobid LIMIT $3"
READ_RULES = Statement(
    f"""
WITH soon AS MATERIALIZED (
    SELECT {NEXT_RUN} AND NOT v.jobrunning AND v.jobnextrun > $2
       AND v.jobnextrun <= least($1, now() + interval '1 hour') {FIRST}),
later AS MATERIALIZED (
    SELECT {NEXT_RUN} AND (SELECT count(*) FROM soon) < $3 AND v.jobnextrun > $2 AND v.jobnextrun <= $1 {FIRST}),
chosen AS MATERIALIZED (
    SELECT s.jobid, s.jobname FROM soon s
     UNION
    SELECT l.jobid, l.jobname FROM later l
     UNION
    SELECT d.jobid, d.jobname FROM (SELECT {NEXT_RUN} AND NOT v.jobrunning AND v.jobnextrun <= least($1, $2)) d
     UNION
    SELECT r.jobid, r.jobname FROM (SELECT {NEXT_RUN} AND (v.jobrunning OR v.jobid = ANY ($4)) AND v.jobnextrun <= $1) r
     UNION
    SELECT v.jobid, v.jobname FROM pgagent_py.visible_job v WHERE v.jobenabled AND $2 < now())
SELECT {PRINTABLE.format("c.jobname")} AS job, r.*
  FROM chosen c CROSS JOIN LATERAL (
       SELECT * FROM pgagent_py.visible_schedule_rule r
        WHERE r.jscjobid = c.jobid AND r.jscenabled AND NOT r.jscreboot OFFSET 0) r
 ORDER BY c.jobid""",
    "timestamptz",
    "timestamptz",
    "int4",
    "int4[]",
    row=JobRuleRow,
)


def upcoming_runs(plpy: Plpy, until: str, after: str, count: int) -> list[tuple[str, int, str]]:
    """Return the first *count* runs later than *after* up to *until*, and those at the time of the last: when, job, its name.

    Both times are microseconds since 1970, or infinity.
    """
    last, first = read_instant(until), read_instant(after)
    skipped, find, gates = Skipped(plpy), heeding_cancels(plpy), read_gates(plpy)
    # A job that skips its next run may not be among the first.
    rows = READ_RULES(plpy, timestamp(last), timestamp(first), count + skipped.jobs(), list(gates))
    runs: list[Run] = []
    waiting = [gate.waiting(first, skipped) for gate in gates.values()]
    schedules = [_runs(plpy, row, first, find, gates.get(row["jscjobid"]), skipped) for row in rows]
    for run in merge(*schedules, *waiting):
        if run[0] > last or (len(runs) >= count and run[0] > runs[-1][0]):
            break
        if not runs or run != runs[-1]:
            runs.append(run)
    return [(timestamp(at), job, name) for at, name, job in runs]


def _runs(
    plpy: Plpy, row: JobRuleRow, after: Instant, find: NextRun, gate: Gate | None, skipped: Skipped
) -> Iterator[Run]:
    """Yield when one schedule fires, and its job's windows let a run start.

    One that makes the server fail has no runs: that is a problem of its own.
    """
    try:
        schedule, zone = rule_of(plpy, row)
        fired = firings(schedule, zone, after if gate is None else gate.first_due(after), find)
        times = (at for at in fired if not skipped.has(row["jscjobid"], at))
        for at in times if gate is None else gate.starts(times, after):
            yield at, row["job"], row["jscjobid"]
    except Exception as error:
        if is_passing(plpy, error):
            raise
        plpy.warning(f"pgagent_py: schedule {row['jscid']} of job {row['jscjobid']} has no next run: {error}")
