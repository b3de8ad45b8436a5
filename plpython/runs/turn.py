"""One turn of a launcher's loop: results are booked, runs carried on, due jobs claimed, steps handed out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.plan import run
from ..ground.vocabulary import DUE
from .agents import take_former_jobs
from .book import finish_steps
from .cancel import cancelled_by
from .claim import LOCAL, NOT_YET, claim_due_jobs
from .dependencies import start_dependents
from .finish import finish_jobs, note_runs
from .hand_out import StepRow, set_parameters, set_run_as
from .orphans import fail_orphans
from .reboot import run_reboot_jobs
from .steps import runs_to_go_on, start_steps
from .waiting import EMPTY_RESULT, defer, defer_retries, take_waiting

# Jobs of which too many were running: another launcher may have a place for them, or the right host.
TELL_OTHERS = f"""
SELECT pg_notify('pgagent_py', '')
 WHERE EXISTS (SELECT FROM pgagent.pga_job j WHERE {DUE})"""

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
