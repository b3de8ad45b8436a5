"""Jobs: the due ones are claimed, their runs carried on and finished. run_due is one turn of a launcher's loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.plan import run
from ..ground.roles import set_run_as
from .agents import fail_orphans, run_reboot_jobs, take_former_jobs
from .dependencies import set_parameters, start_dependents
from .limits import choose_jobs
from .orders import BEGIN_AS_ORDERED, take_orders
from .runs import cancelled_by, finish_jobs, note_runs
from .steps import (
    STEP_RUN,
    StepRow,
    defer,
    defer_retries,
    finish_steps,
    runs_to_go_on,
    start_steps,
    take_waiting,
)

# Claiming as pgAgent does it, for many jobs in one statement; what another session holds a lock on is left for a later turn.
# {only} narrows the jobs down, {begin} the steps; {order} sorts the runs. Their ids are drawn first: to join what the INSERTs
# return costs more than they do.
CLAIM_DUE_JOBS = """
WITH due AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun FROM pgagent.pga_job j
     WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobnextrun <= now() AND j.jobhostagent IN ('', $2) {only}
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
LONGEST_DUE = {"begin": "", "order": "j.jobnextrun", "step_run": STEP_RUN}
CLAIM_ANY = CLAIM_DUE_JOBS.format(only=NO_ORDERS, **LONGEST_DUE)
CLAIM_LOCAL = CLAIM_DUE_JOBS.format(only=f"{NO_ORDERS} {LOCAL}", **LONGEST_DUE)
CLAIM_CHOSEN = CLAIM_DUE_JOBS.format(
    only="AND j.jobid = ANY ($4)",
    begin=BEGIN_AS_ORDERED,
    order="array_position($4, j.jobid)",
    step_run=STEP_RUN,
)

# Jobs of which too many were running: another launcher may have a place for them, or the right host.
TELL_OTHERS = """
SELECT pg_notify('pgagent_py', '')
 WHERE EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobnextrun <= now())"""

TIME_OVER = "The run was ended: its job's timeout was over before this."

AGENT = """
SELECT a.jagpid, a.jagstation, a.jagall, a.jagreboot,
       EXISTS (SELECT FROM pgagent_py.agent f WHERE f.agent = a.agent AND f.jagpid <> a.jagpid) AS returned,
       EXISTS (SELECT FROM pgagent_py.waiting_run w WHERE w.jagpid = a.jagpid) AS waiting,
       EXISTS (SELECT FROM pgagent_py.job_limit) AS limited,
       EXISTS (SELECT FROM pgagent_py.job_limit) OR EXISTS (SELECT FROM pgagent_py.pause)
       OR EXISTS (SELECT FROM pgagent_py.run_order)
       OR EXISTS (SELECT FROM pgagent_py.job_option o
                   WHERE o.jobpriority <> 0 OR o.jobmaxlateness IS NOT NULL OR o.jobdone) AS choosy,
       EXISTS (SELECT FROM pgagent_py.job_dependency) AS dependent,
       EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobparameters IS NOT NULL)
       OR EXISTS (SELECT FROM pgagent_py.run_order o WHERE o.jlgparameters IS NOT NULL)
       OR EXISTS (SELECT FROM pgagent_py.run_option o WHERE o.jlgparameters IS NOT NULL) AS parametrised
  FROM pgagent_py.agent a WHERE a.agent = $1 AND a.jagpid = pg_backend_pid()
"""


def run_due(
    plpy: Any, agent: str, capacity: int, finished: Sequence[StepRow], local: bool, claim: bool
) -> list[StepRow]:
    """Book *finished*, carry their runs on, claim due jobs; return at most *capacity* steps to execute now.

    The backend is registered as *agent*. *local*: claim only what can run in the session itself.
    """
    fail_orphans(plpy)
    agents = run(plpy, AGENT, ["uuid"], [agent])
    if not agents:
        plpy.error("this session is not registered as an agent", hint="Call run_due().", sqlstate="55000")
    me = agents[0]
    pid = me["jagpid"]
    if me["returned"]:
        take_former_jobs(plpy, pid)
    run_reboot_jobs(plpy, me["jagreboot"] or [])
    waited = take_waiting(plpy, pid) if me["waiting"] or me["returned"] else []
    started = carry_on(plpy, pid, [*finished, *waited], capacity)
    if me["dependent"] and start_dependents(plpy):
        me["choosy"] = me["parametrised"] = True
    if (claim or (local and me["limited"])) and len(started) < capacity:
        # In a session, jobs get the places that have become free under a limit, each job once: now() stands still there.
        only = (LOCAL if local or not me["jagall"] else "") + ("" if claim else NOT_YET)
        started += claim_due_jobs(plpy, me, capacity - len(started), only)
    if me["limited"] and (finished or waited):
        run(plpy, TELL_OTHERS)
    steps = _hand_out(plpy, pid, started, capacity)
    if me["parametrised"]:
        set_parameters(plpy, steps)
    return steps


def _hand_out(plpy: Any, pid: int, steps: list[StepRow], capacity: int) -> list[StepRow]:
    """Return *steps*, those of owned jobs with the role that they run as; what may not run is booked as failed."""
    while reasons := set_run_as(plpy, steps):
        refused = [
            {**EMPTY_RESULT, "jlgid": step["jlgid"], "jslid": step["jslid"], "jslstatus": "f", "jslresult": -1,
             "jsloutput": f"Not executed: {reasons[step['jslid']]}."}
            for step in steps if step["jslid"] in reasons
        ]  # fmt: skip
        steps = [step for step in steps if step["jslid"] not in reasons]
        steps += carry_on(plpy, pid, refused, capacity - len(steps))
    return steps


def carry_on(plpy: Any, pid: int, finished: Sequence[StepRow], capacity: int) -> list[StepRow]:
    """Book results, finish the jobs that are at their end, start the next step of the others, *capacity* at most."""
    if not finished:
        return []
    runs, delays = finish_steps(plpy, pid, finished)
    # A run that waited without a result (jslid NULL) has no status: it goes on.
    ended = {row["jlgid"]: end for row in runs if row["jlgid"] not in delays and (end := _end_of_job(row))}
    ended.update((row["jlgid"], "s") for row in runs if row["last"] and row["jlgid"] not in ended)
    ended.update(_stop_runs(plpy, [row for row in runs if row["jlgid"] not in ended]))
    later = {jlgid: delay for jlgid, delay in delays.items() if delay > 0 and jlgid not in ended}
    if later:
        defer_retries(plpy, pid, later)
    going = [row for row in runs if row["jlgid"] not in ended and row["jlgid"] not in later]
    started, blocked, done = start_steps(plpy, going[:capacity]) if going and capacity else ([], [], [])
    if rest := [row["jlgid"] for row in going[capacity:]]:
        # No place for their next step. One that has none is at its end, place or not: a stopping launcher must book that.
        more = runs_to_go_on(plpy, going[capacity:])
        blocked += [jlgid for jlgid in rest if jlgid in more]
        done += [jlgid for jlgid in rest if jlgid not in more]
    ended.update(dict.fromkeys(done, "s"))
    if blocked:
        defer(plpy, pid, [{**EMPTY_RESULT, "jlgid": jlgid} for jlgid in blocked], blocked)
    jobids = {row["jlgid"]: row["jobid"] for row in runs}
    finish_jobs(plpy, [pid], [(jobids[jlgid], jlgid, status) for jlgid, status in ended.items()])
    return started


EMPTY_RESULT = dict.fromkeys(("jlgid", "jslid", "jslstatus", "jslresult", "jslduration", "jsloutput"))


def _end_of_job(row: Mapping[str, Any]) -> str | None:
    """Return the job's status if this step was the last to run because of how it ended, else None."""
    status = row["jslstatus"] or row["reported"]  # no log row: the step was deleted while it ran
    if status in ("f", "d"):
        return str(status)
    return None if row["ours"] else "d"


def _stop_runs(plpy: Any, runs: Sequence[StepRow]) -> dict[int, str]:
    """Return how the runs end that are cancelled, or whose time is over: their next step, if there is one, does not start."""
    stopped = {row["jlgid"]: row for row in runs if row["jlgcancelledby"] or row["expired"]}
    if not stopped:
        return {}
    notes = {
        jlgid: cancelled_by(who) if (who := stopped[jlgid]["jlgcancelledby"]) else TIME_OVER
        for jlgid in runs_to_go_on(plpy, list(stopped.values()))
    }
    note_runs(plpy, notes)
    return {
        jlgid: "s" if jlgid not in notes else "d" if row["jlgcancelledby"] else "f"
        for jlgid, row in stopped.items()
    }


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
