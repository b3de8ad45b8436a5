"""Claiming: due jobs become runs of this agent, each with the first step in progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ground.plan import run
from ..ground.vocabulary import DUE
from .choose import choose_jobs
from .finish import finish_jobs
from .hand_out import STEP_RUN, StepRow
from .orders import BEGIN_AS_ORDERED, take_orders

# Claiming as pgAgent does it, for many jobs in one statement; what another session holds a lock on is left for a later turn.
# {due} and {only} say which jobs, {begin} which steps; {order} sorts the runs. Their ids are drawn first: to join what the
# INSERTs return costs more than they do.
CLAIM_DUE_JOBS = """
WITH due AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun FROM pgagent.pga_job j
     WHERE {due} AND j.jobhostagent IN ('', $2) {only}
     ORDER BY j.jobnextrun LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED),
first AS MATERIALIZED (
    SELECT due.jobid, due.jobnextrun, n.jstid FROM due
      LEFT JOIN LATERAL (
        SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = due.jobid AND s.jstenabled {begin}
         ORDER BY s.jstname, s.jstid LIMIT 1) n ON true),
free AS MATERIALIZED (
    SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstid IN (SELECT first.jstid FROM first)
       FOR KEY SHARE SKIP LOCKED),
claimed AS (
    UPDATE pgagent.pga_job j SET jobagentid = $1, joblastrun = now() FROM first
     WHERE j.jobid = first.jobid AND (first.jstid IS NULL OR first.jstid IN (SELECT free.jstid FROM free))
    RETURNING j.jobid, j.jobname, first.jstid, first.jobnextrun),
run AS MATERIALIZED (
    SELECT j.*, nextval('pgagent.pga_joblog_jlgid_seq')::integer AS jlgid,
           CASE WHEN j.jstid IS NOT NULL THEN nextval('pgagent.pga_jobsteplog_jslid_seq')::integer END AS jslid
      FROM (SELECT * FROM claimed j ORDER BY {order}) j),
logged AS (
    INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus, jlgstart)
    SELECT run.jlgid, run.jobid, 'r', clock_timestamp() FROM run),
step_logged AS (
    INSERT INTO pgagent.pga_jobsteplog (jslid, jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT run.jslid, run.jlgid, run.jstid, 'r', clock_timestamp() FROM run WHERE run.jstid IS NOT NULL)
SELECT {step_run}
  FROM run j
 CROSS JOIN LATERAL (SELECT j.jlgid) r
 CROSS JOIN LATERAL (SELECT j.jslid) l
  LEFT JOIN pgagent.pga_jobstep s ON s.jstid = j.jstid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid
 ORDER BY {order}, j.jobid
"""

# Jobs that a session can run by itself: every enabled step is SQL in this database, and it would run as the role that has
# logged in: what an owner has written must not run with another's rights.
LOCAL = """AND NOT EXISTS (
    SELECT FROM pgagent.pga_jobstep o WHERE o.jstjobid = j.jobid AND o.jstenabled
       AND (o.jstkind <> 's' OR o.jstconnstr <> '' OR o.jstdbname <> current_database()))
  AND EXISTS (
    SELECT FROM pgagent_py.agent a LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
     WHERE a.jagpid = pg_backend_pid()
       AND CASE WHEN o.jobowner IS NULL THEN a.jagall
                ELSE a.jagown AND a.jagrole = CASE WHEN o.jobrunas IS NULL THEN o.jobownerid ELSE o.jobrunasid END END)"""

NOT_YET = " AND j.joblastrun IS DISTINCT FROM now()"

# An order is for the claim of chosen jobs to carry out; until the next turn sees it, here is nothing to claim.
NO_ORDERS = "AND NOT EXISTS (SELECT FROM pgagent_py.run_order)"

LONGEST_DUE = {"due": DUE, "begin": "", "order": "j.jobnextrun", "step_run": STEP_RUN}

CLAIM_ANY = CLAIM_DUE_JOBS.format(only=NO_ORDERS, **LONGEST_DUE)

CLAIM_LOCAL = CLAIM_DUE_JOBS.format(only=f"{NO_ORDERS} {LOCAL}", **LONGEST_DUE)

CLAIM_CHOSEN = CLAIM_DUE_JOBS.format(
    due=DUE,
    only="AND j.jobid = ANY ($4)",
    begin=BEGIN_AS_ORDERED,
    order="array_position($4, j.jobid)",
    step_run=STEP_RUN,
)


def claim_due_jobs(plpy: Any, agent: Mapping[str, Any], capacity: int, only: str) -> list[StepRow]:
    """Claim at most *capacity* due jobs, longest due first, and return the first step of each; *only* narrows them down."""
    types, values = ["int4", "text", "int4"], [agent["jagpid"], agent["jagstation"], capacity]
    if agent["choosy"]:
        chosen = choose_jobs(plpy, agent["jagstation"], capacity, only)
        rows = run(plpy, CLAIM_CHOSEN, [*types, "int4[]"], [*values, chosen]) if chosen else []
        take_orders(plpy, rows)
    else:
        rows = run(plpy, CLAIM_LOCAL if only else CLAIM_ANY, types, values)
    empty = [(row["jobid"], row["jlgid"], "i") for row in rows if row["jslid"] is None]
    finish_jobs(plpy, [agent["jagpid"]], empty)
    return [row for row in rows if row["jslid"] is not None]
