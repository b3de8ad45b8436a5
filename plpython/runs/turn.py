"""One turn of a launcher's loop: results are booked, runs carried on, due jobs claimed, steps handed out."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.errors import PgAgentError
from ..ground.foreign import refuse_here
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import check_launch
from ..ground.vocabulary import ABORTED, FAILURE, OWN_PLACES, SUCCESS
from .adopt import adopt_runs, adopt_steps
from .agents import CHECK_SERVED, take_former_jobs
from .alerts import tell_alerts
from .book import finish_steps
from .cancel import cancelled_by
from .choose import MOST_OWN_PLACES
from .claim import claim_due_jobs
from .claimable import ANY, IN_SESSION, IN_SESSION_ONCE
from .dependencies import check_dependencies, start_dependents
from .finish import finish_jobs, note_runs
from .hand_out import refuse_engines, set_parameters, set_run_as
from .in_use import agent_of_turn
from .news import tell_news
from .origins import set_due
from .orphans import close_left, fail_orphans
from .problems import each_apart
from .reboot import run_reboot_jobs
from .rows import AgentRow, BookedRow, Ended, ResultRow, StepRow, result
from .steps import Started, commit_with_booking, runs_to_go_on, start_steps
from .waiting import LOOK_AGAIN_SECONDS, defer_runs, leave_some, set_aside, take_waiting
from .wake import show_life, wake, wake_for_due_jobs
from .window_ends import stop_runs, stopped_at


def run_due(
    plpy: Plpy,
    agent: str,
    capacity: int,
    finished: Sequence[ResultRow],
    local: bool,
    claim: bool,
    connecting: Sequence[int],
    own_places: int,
    ahead: int,
    apart: bool,
) -> list[StepRow]:
    """Book *finished*, carry their runs on, claim due jobs; return at most *capacity* steps to execute now.

    *local*: claim only what can run in the session itself. *connecting*: steps (jslid) that wait for a connection. *own_places*:
    steps beyond *capacity*, of owners with nothing running there, if it knows own places. *ahead*: anybody's.
    """
    me = _agent(plpy, agent, connecting, apart)
    own_places = min(own_places, MOST_OWN_PLACES) if OWN_PLACES in me["jagknows"] and me["owned"] else 0
    capacity, own_places, claim = (0, 0, False) if me["draining"] else (capacity, own_places, claim)
    ahead = ahead if me["foresees"] else 0
    finished = _still_ours(plpy, me, finished)
    me["waiting"] |= me["adoptable"] and not local and adopt_runs(plpy, me, capacity - len(finished))
    waited = take_waiting(plpy, agent, runs=not me["draining"]) if me["waiting"] else []
    finished = leave_some(plpy, agent, _first_of_each([*waited, *finished]))
    started = _carry_on_apart(plpy, me, finished, capacity + ahead, own_places)
    if me["dependent"] and start_dependents(plpy):
        me["choosy"] = me["parametrised"] = True
    free = capacity + (0 if me["choosy"] else ahead) - len(started)
    # In a session, jobs get the places that have become free under a limit, each job once.
    if (claim or (local and me["limited"])) and (free > 0 or own_places > -free):
        scope = ANY if me["jagall"] and not local else IN_SESSION if claim else IN_SESSION_ONCE
        started += claim_due_jobs(plpy, me, max(free, 0), own_places + min(free, 0), scope)
    if me["limited"] and finished:
        wake_for_due_jobs(plpy)
    steps = _hand_out(plpy, me, started, capacity, ahead) + ([] if local else adopt_steps(plpy, me))
    tell_news(plpy, me["jagknows"])
    if local and any(step["jstatomic"] for step in steps):
        commit_with_booking(plpy, agent)
    return steps


def _agent(plpy: Plpy, agent: str, connecting: Sequence[int], apart: bool) -> AgentRow:
    """Return the agent of this backend, after what is to be done before its turn."""
    refuse_here(plpy)
    me = agent_of_turn(plpy, agent, connecting, apart)
    if me is None:
        plpy.error("this session is not registered as an agent", hint="Call run_due().", sqlstate="55000")
    _check_right(plpy, me)
    if me["subscribed"]:
        CHECK_SERVED(plpy)
    # A session may stay in its transaction for long, and nothing of other roles' must wait for that.
    if me["jagall"]:
        fail_orphans(plpy)
        if me["alerting"]:
            tell_alerts(plpy)
        if me["unchecked"]:
            check_dependencies(plpy)
    if me["returned"]:
        take_former_jobs(plpy, me["jagpid"])
    if me["jagpooled"]:
        show_life(plpy)
    if me["stopping"]:
        me["waiting"] |= stop_runs(plpy, agent)
    run_reboot_jobs(plpy, me["jagreboot"] or [])
    return me


def _check_right(plpy: Plpy, me: AgentRow) -> None:
    """Raise an error if the role of the agent that may run every job has lost the right to."""
    if me["jagall"] and not me["launches"]:
        try:
            check_launch(plpy, me["role"])
        except PgAgentError as error:
            plpy.error(error.message, hint=error.hint or "", sqlstate=error.sqlstate)


def _still_ours(plpy: Plpy, me: AgentRow, results: Sequence[ResultRow]) -> Sequence[ResultRow]:
    """Return the results without those of runs that others were closing while the agent was away."""
    if not me["jagleft"]:
        return results
    left = close_left(plpy, me["agent"], me["jagpid"], me["jagleft"])
    return [row for row in results if row["jlgid"] not in left]


def _first_of_each(results: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the results, of each step only the first: one that was kept counts, not one that comes again."""
    first: dict[tuple[int, int | None], ResultRow] = {}
    for row in results:
        first.setdefault((row["jlgid"], row["jslid"]), row)
    return list(first.values())


def _hand_out(plpy: Plpy, me: AgentRow, steps: list[StepRow], capacity: int, ahead: int) -> list[StepRow]:
    """Return *steps* with their parameters and roles; a step that may not, or can't, run is booked as failed.

    Those beyond *capacity*, *ahead* at most, are to wait for a worker.
    """
    ready: list[StepRow] = []
    while steps:
        reasons = _complete(plpy, me, steps)
        ready += [step for step in steps if step["jslid"] not in reasons]
        refused = [
            result(step["jlgid"], jslid, FAILURE, -1, jsloutput=f"Not executed: {reasons[jslid]}.")
            for step in steps
            if (jslid := step["jslid"]) in reasons
        ]
        steps = _carry_on_apart(plpy, me, refused, max(capacity + ahead - len(ready), 0), 0)
    if ahead:
        for step in ready[capacity:]:
            step["ahead"] = True
    return ready


def _complete(plpy: Plpy, me: AgentRow, steps: Sequence[StepRow]) -> dict[int, str]:
    """Put parameters and roles into *steps*; return why some may not, or can't, be executed, by jslid."""
    reasons = {**refuse_engines(plpy, steps), **set_run_as(plpy, steps)}

    def refuse(step: StepRow, error: str) -> None:
        reasons[step["jslid"]] = f"its parameters can't be read: {error}"

    if me["parametrised"]:
        allowed = [step for step in steps if step["jslid"] not in reasons]
        each_apart(plpy, allowed, lambda some: set_parameters(plpy, some), refuse, me["apart"])
    return reasons


def _carry_on_apart(
    plpy: Plpy, me: AgentRow, finished: Sequence[ResultRow], capacity: int, own_places: int
) -> list[StepRow]:
    """Carry on; a result or run that makes the server fail is kept for later, and the others go on."""
    places, own = capacity, own_places

    def act(results: Sequence[ResultRow]) -> list[StepRow]:
        nonlocal places, own
        steps = carry_on(plpy, me, results, places, own)
        own -= max(len(steps) - places, 0)
        places = max(places - len(steps), 0)
        return steps

    return each_apart(
        plpy, finished, act, lambda row, error: set_aside(plpy, me["agent"], row, error), me["apart"]
    )


# The job was changed while it ran: no agent claims a job with a step that needs what it does not know.
UNKNOWN = "The run was ended: its next step needs {}, which its launcher does not know."


def carry_on(
    plpy: Plpy, me: AgentRow, finished: Sequence[ResultRow], capacity: int, own_places: int
) -> list[StepRow]:
    """Book results, finish the jobs that are at their end, start the next step of the others.

    *capacity* at most, and one for each of *own_places* owners with nothing running.
    """
    if not finished:
        return []
    runs = finish_steps(plpy, me["agent"], finished)
    ended = _find_ended(plpy, runs)
    pauses = {row["jlgid"]: row["delay"] for row in runs if row["delay"] and row["jlgid"] not in ended}
    going = [row for row in runs if row["jlgid"] not in ended and row["jlgid"] not in pauses]
    if len(going) > capacity and own_places > 0:
        going, capacity = _own_first(plpy, me, going, capacity, own_places)
    started = _start_next(plpy, going, capacity, me["jagknows"])
    note_runs(plpy, {jlgid: UNKNOWN.format(need) for jlgid, need in started.unknown.items()})
    set_due(plpy, started.steps)
    ended.update(dict.fromkeys(started.unknown, FAILURE))
    ended.update(dict.fromkeys(started.done, SUCCESS))
    pauses.update(dict.fromkeys(started.blocked, LOOK_AGAIN_SECONDS))
    defer_runs(plpy, {row["jlgid"]: row["ended"] for row in runs}, pauses)
    if me["draining"] and pauses:
        wake(plpy)  # another agent may take them over
    jobids = {row["jlgid"]: row["jobid"] for row in runs}
    finish_jobs(plpy, [me["jagpid"]], [Ended(jobids[jlgid], jlgid, end) for jlgid, end in ended.items()])
    return started.steps


def _find_ended(plpy: Plpy, runs: Sequence[BookedRow]) -> dict[int, str]:
    """Return how runs end (jlgid -> status) of which no further step is to start."""
    _warn_of_erased(plpy, runs)
    ended = {row["jlgid"]: end for row in runs if (end := _end_of_job(row))}
    ended.update((row["jlgid"], SUCCESS) for row in runs if row["last"] and row["jlgid"] not in ended)
    going = [row for row in runs if row["jlgid"] not in ended and (row["delay"] is None or row["stopped_by"])]
    ended.update(_stop_runs(plpy, going))
    return ended


def _end_of_job(row: BookedRow) -> str | None:
    """Return the job's status if this step was the last to run because of how it ended, else None."""
    if row["erased"]:
        return ABORTED
    if row["delay"] is not None:
        return None
    # A run that waited without a result (jslid NULL) has no status: it goes on.
    if row["jslstatus"] in (FAILURE, ABORTED):
        return row["jslstatus"]
    return None if row["ours"] else ABORTED


ERASED = "pgagent_py: the log of a run that was in progress has been deleted (pga_joblog), so the run has ended: job %s, run %s"


def _warn_of_erased(plpy: Plpy, runs: Sequence[BookedRow]) -> None:
    for row in runs:
        if row["erased"]:
            plpy.warning(ERASED % (row["jobid"], row["jlgid"]))


TIME_OVER = "The run was ended: its job's timeout was over before this."


def _stop_runs(plpy: Plpy, runs: Sequence[BookedRow]) -> dict[int, str]:
    """Return how the runs end that are stopped, or whose time is over: their next step, if there is one, does not start."""
    stopped = {
        row["jlgid"]: row for row in runs if row["jlgcancelledby"] or row["stopped_by"] or row["expired"]
    }
    if not stopped:
        return {}
    notes = {
        jlgid: _why_stopped(stopped[jlgid], step)
        for jlgid, step in runs_to_go_on(plpy, list(stopped.values())).items()
    }
    note_runs(plpy, notes)
    return {
        jlgid: SUCCESS
        if jlgid not in notes
        else ABORTED
        if row["jlgcancelledby"] or row["stopped_by"]
        else FAILURE
        for jlgid, row in stopped.items()
    }


def _why_stopped(row: BookedRow, step: int) -> str:
    if row["jlgcancelledby"]:
        return cancelled_by(row["jlgcancelledby"])
    return stopped_at(row["stopped_by"], row["jobid"], step) if row["stopped_by"] else TIME_OVER


# $1 agent, $2 runs (jlgid): of each its owner, and whether that has another step at the agent.
OWNERS = Statement(
    """
SELECT g.jlgid, coalesce(o.jobownerid, 0::oid)::int8 AS owner,
       EXISTS (SELECT FROM pgagent_py.run p LEFT JOIN pgagent_py.job_option q ON q.jobid = ANY (ARRAY[p.jobid])
                WHERE p.agent = $1 AND p.jslid IS NOT NULL AND p.jlgid <> ALL ($2)
                  AND q.jobownerid IS NOT DISTINCT FROM o.jobownerid) AS running
  FROM unnest($2) g (jlgid)
  JOIN pgagent_py.run r ON r.jlgid = ANY (ARRAY[g.jlgid])
  LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[r.jobid])""",
    "uuid",
    "int4[]",
)


def _own_first(
    plpy: Plpy, me: AgentRow, runs: list[BookedRow], capacity: int, own_places: int
) -> tuple[list[BookedRow], int]:
    """Return the runs with those in front that get a step beyond *capacity*, and how many steps may start."""
    found = {row["jlgid"]: row for row in OWNERS(plpy, me["agent"], [run["jlgid"] for run in runs])}
    now, rest = runs[:capacity], runs[capacity:]
    busy = {found[run["jlgid"]]["owner"] for run in now if run["jlgid"] in found}
    own: list[BookedRow] = []
    for run in rest:
        row = found.get(run["jlgid"])
        if row and not row["running"] and row["owner"] not in busy and len(own) < own_places:
            busy.add(row["owner"])
            own.append(run)
    return [*now, *own, *(run for run in rest if run not in own)], capacity + len(own)


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
