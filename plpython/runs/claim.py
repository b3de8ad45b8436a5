"""Claiming: due jobs become runs of this agent, each with its first step in progress."""

from __future__ import annotations

import time

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import forget_problems, is_passing, note_problem
from ..ground.vocabulary import DUE, NO_STEPS
from .backfill import run_backfills
from .choose import choose_jobs
from .claimable import DUE_TOO, FOR_AGENT, SCOPES
from .finish import finish_jobs
from .hand_out import STEP_RUN
from .orders import BEGIN_AS_ORDERED, NO_ORDERS, take_orders
from .origins import note_origins
from .problems import NO_PROBLEM, each_apart
from .rows import AgentRow, Ended, StepRow
from .windows import NO_WINDOWS

# $1 pid, $2 station, $3 how many, $4 what the agent knows, $5 agent. {due} are the jobs, {only} narrows them down, {first} says
# which come first; {begin} narrows the steps down, {order} sorts the runs.
CLAIM_DUE_JOBS = f"""
-- due jobs that no other session has locked: those are left for a later turn; all are, while one has the agent's entry locked,
-- which the claim refers to
WITH due AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun, j.joblastrun FROM pgagent.pga_job j
     WHERE {{due}} AND {FOR_AGENT.format(station="$2", knows="$4")} {{only}}
       AND EXISTS (SELECT FROM pgagent.pga_jobagent l WHERE l.jagpid = $1 FOR KEY SHARE SKIP LOCKED)
     {{first}} LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED),
-- the first step of each, NULL if it has none
first AS MATERIALIZED (
    SELECT due.jobid, due.jobnextrun, due.joblastrun, n.jstid FROM due
      LEFT JOIN LATERAL (
        SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = due.jobid AND s.jstenabled {{begin}}
         ORDER BY s.jstname, s.jstid LIMIT 1) n ON true),
-- without those that a session has locked: the log refers to them, and would wait
free AS MATERIALIZED (
    SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstid = ANY (ARRAY(SELECT first.jstid FROM first))
       FOR KEY SHARE SKIP LOCKED),
-- the claim as pgAgent does it, for many jobs in one statement
claimed AS (
    UPDATE pgagent.pga_job j SET jobagentid = $1, joblastrun = now() FROM first
     WHERE j.jobid = ANY (ARRAY[first.jobid]) AND (first.jstid IS NULL OR first.jstid IN (SELECT free.jstid FROM free))
    RETURNING j.jobid, j.jobname, first.jstid, first.jobnextrun, first.joblastrun AS lastrun),
-- the ids of the log rows, drawn before these: to join what the INSERTs return would cost more than they do
run AS MATERIALIZED (
    SELECT j.*, nextval('pgagent.pga_joblog_jlgid_seq')::integer AS jlgid,
           CASE WHEN j.jstid IS NOT NULL THEN nextval('pgagent.pga_jobsteplog_jslid_seq')::integer END AS jslid,
           clock_timestamp() AS handed
      FROM (SELECT * FROM claimed j ORDER BY {{order}}) j),
logged AS (
    INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus, jlgstart)
    SELECT run.jlgid, run.jobid, 'r', run.handed FROM run),
step_logged AS (
    INSERT INTO pgagent.pga_jobsteplog (jslid, jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT run.jslid, run.jlgid, run.jstid, 'r', run.handed FROM run WHERE run.jstid IS NOT NULL),
noted AS (
    INSERT INTO pgagent_py.run (jlgid, jobid, agent, claimed, started, jstid, jslid, handed, atomic, engine, joblastrun)
    SELECT run.jlgid, run.jobid, $5, now(), run.handed, run.jstid, run.jslid, run.handed, coalesce(so.jstatomic, false),
           CASE WHEN 'lasting ' || so.jstengine = ANY ($4) THEN so.jstengine END, run.lastrun
      FROM run LEFT JOIN pgagent_py.step_option so ON so.jstid = ANY (ARRAY[run.jstid]) WHERE run.jstid IS NOT NULL)
SELECT {STEP_RUN}
  FROM run j
 CROSS JOIN LATERAL (SELECT j.jlgid, j.handed AS started, now() AS claimed, 1 AS try, NULL AS enginejob) r
 CROSS JOIN LATERAL (SELECT j.jslid, j.handed) l
  LEFT JOIN pgagent.pga_jobstep s ON s.jstid = ANY (ARRAY[j.jstid])
  LEFT JOIN pgagent_py.step_option so ON so.jstid = ANY (ARRAY[s.jstid])
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = ANY (ARRAY[j.jobid])
 ORDER BY {{order}}, j.jobid"""

TYPES = ("int4", "text", "int4", "text[]", "uuid")
CLAIM_LONGEST_DUE = {
    scope: Statement(
        CLAIM_DUE_JOBS.format(
            due=DUE,
            only=f"{NO_ORDERS} {NO_WINDOWS} {only}",
            first="ORDER BY j.jobnextrun",
            begin="",
            order="j.jobnextrun",
        ),
        *TYPES,
        row=StepRow,
    )
    for scope, only in SCOPES.items()
}
# $6 the jobs, in order.
CLAIM_CHOSEN = Statement(
    CLAIM_DUE_JOBS.format(
        due=DUE_TOO,
        only="AND j.jobid = ANY ($6)",
        first="",
        begin=BEGIN_AS_ORDERED,
        order="array_position($6, j.jobid)",
    ),
    *TYPES,
    "int4[]",
    row=StepRow,
)


LONG_LOOK_SECONDS, CHOOSE_SECONDS = 0.01, 60.0
_choose_until = 0.0
# Whether that was not only a slow machine.
MANY_DUE = Statement(
    f"SELECT FROM (SELECT FROM pgagent.pga_job j WHERE {DUE} LIMIT 500) d HAVING count(*) = 500"
)


def claim_due_jobs(plpy: Plpy, agent: AgentRow, capacity: int, own_places: int, scope: str) -> list[StepRow]:
    """Claim at most *capacity* due jobs, longest due first, and return the first step of each.

    Beyond these, one for each of *own_places* owners with nothing running at the agent. If that fails, the job at fault is set
    aside. Backfills get what places are left.
    """
    steps = _claim_due(plpy, agent, capacity, own_places, scope)

    def claim(job: int) -> list[StepRow]:
        left = capacity - len(steps)
        claimed = _claim(plpy, agent, min(max(left, 0), 1), scope, [job], own_places + min(left, 0))
        steps.extend(claimed)
        return claimed

    if agent["backfilling"]:
        run_backfills(plpy, agent, scope, capacity + own_places - len(steps), claim)
    return steps


def _claim_due(plpy: Plpy, agent: AgentRow, capacity: int, own_places: int, scope: str) -> list[StepRow]:
    if not agent["apart"]:
        return _claim(plpy, agent, capacity, scope, None, own_places)
    try:
        with plpy.subtransaction():
            return _claim(plpy, agent, capacity, scope, None, own_places)
    except Exception as error:
        if is_passing(plpy, error):
            raise
    return each_apart(
        plpy,
        [row["jobid"] for row in DUE_NOW(plpy, agent["jagstation"], capacity, agent["jagknows"])],
        lambda jobids: _claim(plpy, agent, len(jobids), scope, list(jobids)),
        lambda jobid, error: note_problem(plpy, jobid, 0, error),
    )


def _claim(
    plpy: Plpy, agent: AgentRow, capacity: int, scope: str, among: list[int] | None, own_places: int = 0
) -> list[StepRow]:
    global _choose_until
    start = time.monotonic()
    me = agent["jagpid"], agent["jagstation"], capacity, agent["jagknows"], agent["agent"]
    if agent["choosy"] or among or start < _choose_until:
        chosen = choose_jobs(plpy, agent, capacity, scope, among, own_places)
        me = *me[:2], len(chosen), *me[3:]
        rows = list(CLAIM_CHOSEN(plpy, *me, chosen)) if chosen else []
        take_orders(plpy, rows)
        forget_problems(plpy, [row["jobid"] for row in rows], 0)
    else:
        rows = list(CLAIM_LONGEST_DUE[scope](plpy, *me))
        # It has gone by many due jobs that are not for this agent. Choosing looks at no more than a part of them in each turn.
        if len(rows) < capacity and time.monotonic() > start + LONG_LOOK_SECONDS and MANY_DUE(plpy):
            _choose_until = time.monotonic() + CHOOSE_SECONDS
    note_origins(plpy, agent, rows)
    empty = [Ended(row["jobid"], row["jlgid"], NO_STEPS) for row in rows if row["jslid"] is None]
    finish_jobs(plpy, [agent["jagpid"]], empty, by_log=True)
    return [row for row in rows if row["jslid"] is not None]


# $1 station, $2 how many, $3 what the agent knows. It reads no more than it takes to name them.
DUE_NOW = Statement(
    f"""
SELECT j.jobid FROM pgagent.pga_job j
 WHERE {DUE} AND {FOR_AGENT.format(station="$1", knows="$3")} AND {NO_PROBLEM} ORDER BY j.jobnextrun LIMIT $2""",
    "text",
    "int4",
    "text[]",
)
