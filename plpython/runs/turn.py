"""One turn of a launcher's loop: results are booked, runs carried on, due jobs claimed, steps handed out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import ABORTED, FAILURE, SUCCESS
from .agents import take_former_jobs
from .book import finish_steps
from .cancel import cancelled_by
from .claim import claim_due_jobs
from .claimable import ANY, IN_SESSION, IN_SESSION_ONCE
from .dependencies import start_dependents
from .finish import finish_jobs, note_runs
from .hand_out import set_parameters, set_run_as
from .orphans import fail_orphans
from .reboot import run_reboot_jobs
from .rows import AgentRow, BookedRow, Ended, ResultRow, StepRow, result
from .steps import Started, runs_to_go_on, start_steps
from .waiting import defer, defer_retries, take_waiting
from .wake import wake_for_due_jobs

AGENT = Statement(
    """
SELECT a.jagpid, a.jagstation, a.jagknows, a.jagall, a.jagreboot,
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
  FROM pgagent_py.agent a WHERE a.agent = $1 AND a.jagpid = pg_backend_pid()""",
    "uuid",
    row=AgentRow,
)


def run_due(
    plpy: Plpy, agent: str, capacity: int, finished: Sequence[ResultRow], local: bool, claim: bool
) -> list[StepRow]:
    """Book *finished*, carry their runs on, claim due jobs; return at most *capacity* steps to execute now.

    The backend is registered as *agent*. *local*: claim only what can run in the session itself.
    """
    fail_orphans(plpy)
    agents = AGENT(plpy, agent)
    if not agents:
        plpy.error("this session is not registered as an agent", hint="Call run_due().", sqlstate="55000")
    me = agents[0]
    pid = me["jagpid"]
    if me["returned"]:
        take_former_jobs(plpy, pid)
    run_reboot_jobs(plpy, me["jagreboot"] or [])
    waited = take_waiting(plpy, pid) if me["waiting"] or me["returned"] else []
    started = carry_on(plpy, me, [*finished, *waited], capacity)
    if me["dependent"] and start_dependents(plpy):
        me["choosy"] = me["parametrised"] = True
    # In a session, jobs get the places that have become free under a limit, each job once.
    if (claim or (local and me["limited"])) and len(started) < capacity:
        scope = ANY if me["jagall"] and not local else IN_SESSION if claim else IN_SESSION_ONCE
        started += claim_due_jobs(plpy, me, capacity - len(started), scope)
    if me["limited"] and (finished or waited):
        wake_for_due_jobs(plpy)
    steps = _hand_out(plpy, me, started, capacity)
    if me["parametrised"]:
        set_parameters(plpy, steps)
    return steps


def _hand_out(plpy: Plpy, me: AgentRow, steps: list[StepRow], capacity: int) -> list[StepRow]:
    """Return *steps*, those of owned jobs with the role that they run as; a step that may not run is booked as failed."""
    while reasons := set_run_as(plpy, steps):
        refused = [
            result(step["jlgid"], jslid, FAILURE, -1, jsloutput=f"Not executed: {reasons[jslid]}.")
            for step in steps
            if (jslid := step["jslid"]) in reasons
        ]
        steps = [step for step in steps if step["jslid"] not in reasons]
        steps += carry_on(plpy, me, refused, capacity - len(steps))
    return steps


# The job was changed while it ran: no agent claims a job with a step that needs what it does not know.
UNKNOWN = "The run was ended: its next step needs {}, which its launcher does not know."


def carry_on(plpy: Plpy, me: AgentRow, finished: Sequence[ResultRow], capacity: int) -> list[StepRow]:
    """Book results, finish the jobs that are at their end, start the next step of the others, *capacity* at most."""
    if not finished:
        return []
    pid = me["jagpid"]
    runs, delays = finish_steps(plpy, pid, finished)
    ended = _find_ended(plpy, runs, delays)
    later = {jlgid: delay for jlgid, delay in delays.items() if delay > 0 and jlgid not in ended}
    if later:
        defer_retries(plpy, pid, later)
    going = [row for row in runs if row["jlgid"] not in ended and row["jlgid"] not in later]
    started = _start_next(plpy, going, capacity, me["jagknows"])
    note_runs(plpy, {jlgid: UNKNOWN.format(need) for jlgid, need in started.unknown.items()})
    ended.update(dict.fromkeys(started.unknown, FAILURE))
    ended.update(dict.fromkeys(started.done, SUCCESS))
    if started.blocked:
        defer(plpy, pid, [result(jlgid) for jlgid in started.blocked], started.blocked)
    jobids = {row["jlgid"]: row["jobid"] for row in runs}
    finish_jobs(plpy, [pid], [Ended(jobids[jlgid], jlgid, status) for jlgid, status in ended.items()])
    return started.steps


def _find_ended(plpy: Plpy, runs: Sequence[BookedRow], delays: Mapping[int, float]) -> dict[int, str]:
    """Return how runs end (jlgid -> status) of which no further step is to start; *delays*: those with a step to try again."""
    # A run that waited without a result (jslid NULL) has no status: it goes on.
    ended = {row["jlgid"]: end for row in runs if row["jlgid"] not in delays and (end := _end_of_job(row))}
    ended.update((row["jlgid"], SUCCESS) for row in runs if row["last"] and row["jlgid"] not in ended)
    ended.update(_stop_runs(plpy, [row for row in runs if row["jlgid"] not in ended]))
    return ended


def _end_of_job(row: BookedRow) -> str | None:
    """Return the job's status if this step was the last to run because of how it ended, else None."""
    status = row["jslstatus"] or row["reported"]  # no log row: the step was deleted while it ran
    if status in (FAILURE, ABORTED):
        return status
    return None if row["ours"] else ABORTED


TIME_OVER = "The run was ended: its job's timeout was over before this."


def _stop_runs(plpy: Plpy, runs: Sequence[BookedRow]) -> dict[int, str]:
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
        jlgid: SUCCESS if jlgid not in notes else ABORTED if row["jlgcancelledby"] else FAILURE
        for jlgid, row in stopped.items()
    }


def _start_next(plpy: Plpy, runs: Sequence[BookedRow], capacity: int, knows: Sequence[str]) -> Started:
    """Start the next step of the first *capacity* runs. The others are blocked, or done if they have no other step."""
    now, rest = runs[:capacity], runs[capacity:]
    started = start_steps(plpy, now, knows) if now else Started([], [], {}, [])
    if rest:
        # A run without another step is at its end, place or not: a stopping launcher must book that.
        more = runs_to_go_on(plpy, rest)
        started.blocked.extend(row["jlgid"] for row in rest if row["jlgid"] in more)
        started.done.extend(row["jlgid"] for row in rest if row["jlgid"] not in more)
    return started
