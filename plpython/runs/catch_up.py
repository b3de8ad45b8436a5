"""Catching up: what becomes of the times of schedules that were missed, where a job has no wish for once (catch_up)."""

from __future__ import annotations

from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..rules.next_run import read_time, runs_between
from .orders import NOTE_ORIGIN

# So many times are counted at most, or a part of that if the job has several schedules, since each may have all of them: of
# more, the log says so. Nor does a job run for more.
COUNTED = 10_000
FIRST_WINDOW_MICROS = 60_000_000


class MissedRow(TypedDict):
    """A due job that has missed times: when it was due, until when they were missed, in microseconds since 1970.

    most: for how many of the times it runs, counted: how many are counted.
    """

    jobid: int
    jobcatchup: str
    most: int
    counted: int
    due: str
    until: str


# $1 job, $2 and $3 the first and the last time, $4 how many, $5 why. Not in a step that a session has locked.
LOG_SKIPPED = Statement(
    """
WITH run AS MATERIALIZED (SELECT nextval('pgagent.pga_joblog_jlgid_seq')::integer AS jlgid),
logged AS (
    INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT run.jlgid, $1, 'i', clock_timestamp(), '0' FROM run),
noted AS (
    INSERT INTO pgagent_py.run_origin (jlgdue, jlgid, jlgtrigger, agent)
    SELECT $2, run.jlgid, CASE WHEN $2 < a.jagserves THEN 'b'::"char" ELSE 's' END, a.agent
      FROM run CROSS JOIN pgagent_py.agent a WHERE a.jagpid = pg_backend_pid())
INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart, jslduration, jsloutput)
SELECT run.jlgid, s.jstid, 'i', clock_timestamp(), '0',
       CASE WHEN $4 = '1' THEN format('The run was skipped: it was due at %s, and %s.', $2, $5)
            ELSE format('The runs were skipped: they were %s, due from %s to %s, and %s.', $4, $2, $3, $5) END
  FROM run
 CROSS JOIN LATERAL (
       SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = $1 AND s.jstenabled
        ORDER BY s.jstname, s.jstid LIMIT 1 FOR KEY SHARE SKIP LOCKED) s""",
    "int4",
    "timestamptz",
    "timestamptz",
    "text",
    "text",
)

# $1 job, $2 when it is due. It is no order: see the trigger pga_job_asked.
NOTE_NEXT = Statement(
    NOTE_ORIGIN.format("""$1, $2, NULL, CASE WHEN $2 < a.jagserves THEN 'b'::"char" ELSE 's' END, NULL
      FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid() AND $2 IS NOT NULL"""),
    "int4",
    "timestamptz",
)
SET_NEXT = Statement("UPDATE pgagent.pga_job j SET jobnextrun = $2 WHERE j.jobid = $1", "int4", "timestamptz")
CHECKED = Statement(
    """
INSERT INTO pgagent_py.job_owed AS w (jobid, jobowedfrom, jobchecked, jobschedules)
SELECT j.jobid, j.jobnextrun, j.jobnextrun, pgagent_py._schedules_version(j.jobid) FROM pgagent.pga_job j WHERE j.jobid = $1
    ON CONFLICT (jobid) DO UPDATE SET jobchecked = excluded.jobchecked""",
    "int4",
)


def catch_up(plpy: Plpy, row: MissedRow) -> None:
    """Drop the missed times that the job is not to run for, with one row in the log; it is due at the next one."""
    if row["jobcatchup"] == "all":
        _keep_newest(plpy, row)
        CHECKED(plpy, row["jobid"])
    else:
        _skip_all(plpy, row)


def _skip_all(plpy: Plpy, row: MissedRow) -> None:
    job, until = row["jobid"], row["until"]
    runs = runs_between(plpy, job, row["due"], until, row["counted"])
    last = runs[-1] if runs else read_time(row["due"])
    _log(plpy, row, last, len(runs) + 1, len(runs) == row["counted"], "catch_up of the job is skip")
    following = runs_between(plpy, job, until, "infinity", 1)
    set_next(plpy, job, following[0] if following else None)


def _keep_newest(plpy: Plpy, row: MissedRow) -> None:
    job, counted = row["jobid"], row["counted"]
    most = min(row["most"], counted)
    runs = [read_time(row["due"]), *runs_between(plpy, job, row["due"], row["until"], counted)]
    if len(runs) <= most:
        return
    more = len(runs) > counted
    newest = _newest(plpy, row, most) if more else runs[-most:]
    count = counted - most if more else len(runs) - most
    last = runs[-1] if more else runs[-most - 1]
    _log(plpy, row, last, count, more, f"catch_up_limit of the job is {most}")
    set_next(plpy, job, newest[0])


def _newest(plpy: Plpy, row: MissedRow, most: int) -> list[str]:
    """Return the newest times of very many, *most* of them."""
    window, until, runs = FIRST_WINDOW_MICROS, int(row["until"]), list[str]()
    while len(runs) < most and window < 2 * (until - int(row["due"])):
        runs = runs_between(
            plpy, row["jobid"], str(until - window), row["until"], 3 * most + row["counted"] // 10
        )
        window *= 2
    return runs[-most:]


def _log(plpy: Plpy, row: MissedRow, last: str, count: int, more: bool, why: str) -> None:
    number = f"more than {count}" if more else str(count)
    LOG_SKIPPED(plpy, row["jobid"], read_time(row["due"]), last, number, why)


def set_next(plpy: Plpy, job: int, at: str | None) -> None:
    """Let *job* be due next at a time of its schedules, NULL if there is none."""
    NOTE_NEXT(plpy, job, at)
    SET_NEXT(plpy, job, at)
