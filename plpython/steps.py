"""Steps of runs: their results are booked, their successors started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import PgAgentError
from .plan import run
from .roles import check_edit

StepRow = Mapping[str, Any]

# What a launcher needs to execute a step; s is the step, l its log row, r gives the run.
STEP_RUN = """
    j.jobid, r.jlgid, s.jstid, l.jslid, j.jobname, s.jstname, s.jstkind::text AS jstkind, s.jstcode,
    s.jstdbname::text AS jstdbname, s.jstconnstr, coalesce(so.jstatomic, false) AS jstatomic,
    NULL::interval AS jsttimeout, NULL::text AS jobrunas, NULL::jsonb AS jobparameters,
    'r' AS jslstatus, NULL::int4 AS jslresult, NULL::text AS jsloutput, s.jstonerror::text AS jstonerror"""

# Steps in the order of their names, without those that this run has logged already: renaming one while the job runs neither
# skips nor repeats it.
NEXT_STEP = """
    SELECT s.jstid FROM pgagent.pga_jobstep s
     WHERE s.jstjobid = {job} AND s.jstenabled
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog d WHERE d.jsljlgid = {run} AND d.jsljstid = s.jstid)
     ORDER BY s.jstname, s.jstid LIMIT 1"""

FINISH_STEPS = """
WITH live AS MATERIALIZED (
    SELECT r.*, l.jlgjobid AS jobid
      FROM unnest($1) r
      JOIN pgagent.pga_joblog l ON l.jlgid = r.jlgid AND l.jlgstatus = 'r'
      JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid AND j.jobagentid = $2),
mine AS MATERIALIZED (
    SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobid IN (SELECT live.jobid FROM live)
       FOR NO KEY UPDATE SKIP LOCKED),
booked AS (
    UPDATE pgagent.pga_jobsteplog l
       SET jslstatus = CASE WHEN live.jslstatus = 'f' THEN s.jstonerror ELSE live.jslstatus::bpchar END,
           jslresult = live.jslresult, jsloutput = live.jsloutput,
           jslduration = CASE WHEN live.jslstatus <> 'r'
                              THEN coalesce(live.jslduration, clock_timestamp() - l.jslstart) END
      FROM live, pgagent.pga_jobstep s
     WHERE l.jslid = live.jslid AND l.jslstatus = 'r' AND s.jstid = l.jsljstid
       AND live.jobid IN (SELECT mine.jobid FROM mine)
    RETURNING l.jslid, l.jslstatus)
SELECT live.jlgid, live.jobid, live.jslid, live.jslstatus AS reported,
       coalesce(booked.jslstatus, was.jslstatus)::text AS jslstatus,
       live.jobid IN (SELECT mine.jobid FROM mine) AS locked
  FROM live
  LEFT JOIN booked ON booked.jslid = live.jslid
  LEFT JOIN pgagent.pga_jobsteplog was ON was.jslid = live.jslid
"""

# Results of jobs that another session has locked wait in waiting_run; so do runs whose next step has no place yet.
DEFER = """
INSERT INTO pgagent_py.waiting_run (jlgid, jagpid, not_before, jslid, jslstatus, jslresult, jslduration, jsloutput)
SELECT r.jlgid, $3, clock_timestamp() + interval '0.2 s', r.jslid, r.jslstatus, r.jslresult, r.jslduration, r.jsloutput
  FROM unnest($1) r WHERE r.jlgid = ANY ($2)
    ON CONFLICT (jlgid) DO NOTHING
"""

TAKE_WAITING = """
DELETE FROM pgagent_py.waiting_run w WHERE w.jagpid = $1 AND w.not_before <= clock_timestamp()
RETURNING w.jlgid, w.jslid, w.jslstatus, w.jslresult, w.jslduration::text AS jslduration, w.jsloutput
"""

START_STEPS = f"""
WITH next AS (
    SELECT r.jlgid, r.jobid, n.jstid
      FROM unnest($1, $2) r (jlgid, jobid)
     CROSS JOIN LATERAL ({NEXT_STEP.format(job="r.jobid", run="r.jlgid")}) n),
free AS (
    SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstid IN (SELECT next.jstid FROM next)
       FOR KEY SHARE SKIP LOCKED),
logged AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT next.jlgid, next.jstid, 'r', clock_timestamp() FROM next WHERE next.jstid IN (SELECT free.jstid FROM free)
    RETURNING jslid, jsljlgid, jsljstid)
SELECT {STEP_RUN}
  FROM next r
  JOIN pgagent.pga_job j ON j.jobid = r.jobid
  JOIN pgagent.pga_jobstep s ON s.jstid = r.jstid
  LEFT JOIN logged l ON l.jsljlgid = r.jlgid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
"""


def finish_steps(plpy: Any, pid: int, finished: Sequence[StepRow]) -> list[StepRow]:
    """Book step results; return a row for each run that can go on: jlgid, jobid and jslstatus as booked.

    Results of runs that are closed or gone are dropped. A result that is booked already (the answer to an earlier call got
    lost, or an atomic step booked itself) counts as what was booked then.
    """
    types = ["pgagent_py.step_result[]", "int4"]
    rows = run(plpy, FINISH_STEPS, types, [finished, pid])
    blocked = [row["jlgid"] for row in rows if not row["locked"] and row["reported"] != "r"]
    if blocked:
        defer(plpy, pid, finished, blocked)
    return [row for row in rows if row["locked"] and row["reported"] != "r"]


def defer(plpy: Any, pid: int, finished: Sequence[StepRow], jlgids: Sequence[int]) -> None:
    """Keep the results of these runs until their jobs are no longer locked."""
    run(plpy, DEFER, ["pgagent_py.step_result[]", "int4[]", "int4"], [finished, jlgids, pid])


def take_waiting(plpy: Any, pid: int) -> list[StepRow]:
    """Return, and forget, the runs of this agent that have waited long enough, in the shape of step results."""
    return list(run(plpy, TAKE_WAITING, ["int4"], [pid]))


def start_steps(plpy: Any, runs: Sequence[StepRow]) -> tuple[list[StepRow], list[int], list[int]]:
    """Log and return the next step of each run; also the runs whose step is locked by a session, and those without one."""
    columns = [[row["jlgid"] for row in runs], [row["jobid"] for row in runs]]
    rows = run(plpy, START_STEPS, ["int4[]", "int4[]"], columns)
    started = [row for row in rows if row["jslid"] is not None]
    blocked = [row["jlgid"] for row in rows if row["jslid"] is None]
    found = {row["jlgid"] for row in rows}
    return started, blocked, [jlgid for jlgid in columns[0] if jlgid not in found]


def finish_step(plpy: Any, caller: str, jslid: int, jslresult: int, jsloutput: str, seconds: float) -> None:
    """Book the success of an atomic step inside its own transaction; error if it is not in progress any more."""
    check_edit(plpy, caller)
    book = """
        UPDATE pgagent.pga_jobsteplog l
           SET jslstatus = 's', jslresult = $2, jsloutput = $3, jslduration = make_interval(secs => $4)
          FROM pgagent_py.step_option o
         WHERE l.jslid = $1 AND l.jslstatus = 'r' AND o.jstid = l.jsljstid AND o.jstatomic RETURNING l.jslid"""
    if not run(plpy, book, ["int4", "int4", "text", "float8"], [jslid, jslresult, jsloutput, seconds]):
        raise PgAgentError(
            f"step log entry {jslid} is not that of an atomic step in progress",
            hint="Its run was closed meanwhile; the step's effects are rolled back.",
            sqlstate="55000",
        )
