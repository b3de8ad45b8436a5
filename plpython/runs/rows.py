"""The rows that travel between the rooms of this wing, by the names of their columns."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

# In a class, the name of this column would be a keyword.
Try = TypedDict("Try", {"try": int})


class StepRow(Try):
    """The SQL type step_run: a step that an agent is to execute, or that a session has executed."""

    jobid: int
    jlgid: int
    jstid: int
    jslid: int  # None in rows that stay where they are read: a job without a step, a step that is not started
    jobname: str
    jstname: str
    jstkind: str
    jstcode: str
    jstdbname: str
    jstconnstr: str
    jstatomic: bool
    jsttimeout: str | None
    jobtimeleft: str | None
    jobrunas: str | None
    jobparameters: str | None
    jslstatus: str
    jslresult: int | None
    jsloutput: str | None
    jstonerror: str
    handed: str
    jobroleid: int | None
    claimed: str
    due: str | None
    previous_due: str | None
    keep_rows: int | None
    engine: str | None
    engine_options: str | None
    engine_job: str | None
    separately: bool
    ahead: bool


class ResultRow(TypedDict):
    """The SQL type step_result: what an agent reports of a step, or a run that has waited, without a result then."""

    jlgid: int
    jslid: int | None
    jslstatus: str | None
    jslresult: int | None
    jslduration: str | None
    jsloutput: str | None


def result(
    jlgid: int,
    jslid: int | None = None,
    jslstatus: str | None = None,
    jslresult: int | None = None,
    jslduration: str | None = None,
    jsloutput: str | None = None,
) -> ResultRow:
    """Return the result row of a run."""
    return {
        "jlgid": jlgid,
        "jslid": jslid,
        "jslstatus": jslstatus,
        "jslresult": jslresult,
        "jslduration": jslduration,
        "jsloutput": jsloutput,
    }


class BookedRow(TypedDict):
    """A run whose result has been booked, or that has waited long enough: it goes on, or ends."""

    jlgid: int
    jobid: int
    jslid: int | None
    reported: str | None  # the status that the agent has reported
    jslstatus: str | None  # the status that it counts as
    delay: float | None  # seconds until the next try of the step, if there is one
    ended: int | None  # the step, if it is not to be executed again in this run
    jlgcancelledby: str | None
    stopped_by: str | None  # the windows whose end stops it
    expired: bool  # whether the job's time is over
    locked: bool  # whether this turn has locked what it takes to go on; else a session has
    erased: bool  # whether the run's row in the log is gone
    ours: bool  # whether this agent still holds the claim for this run
    last: bool | None  # whether the step was the last one: true only if the job has no other


class RunId(NamedTuple):
    """A run and its job."""

    jobid: int
    jlgid: int


class Ended(NamedTuple):
    """A run that ends, and how."""

    jobid: int
    jlgid: int
    status: str


class AgentRow(TypedDict):
    """The agent whose turn it is, and what there is to look at in this turn."""

    agent: str
    jagpid: int
    jagstation: str
    jagknows: list[str]
    jagall: bool
    jagreboot: list[int] | None
    jagpooled: bool
    jagleft: list[int] | None
    launches: bool  # whether its role is in pgagent_py_launcher now
    role: str
    returned: bool
    waiting: bool
    draining: bool  # whether it is to take nothing more
    adoptable: bool  # whether another one is: it may have runs that wait
    lasting: bool  # whether another agent has steps that do not end with it
    subscribed: bool  # whether the jobs come by a subscription
    limited: bool
    windowed: bool
    stopping: bool
    choosy: bool  # whether there is something to choose by, that is one of the next, too
    ordered: bool
    deleting: bool  # whether jobs that have succeeded are to be deleted
    belated: bool  # whether jobs have a lateness, or catch up
    owing: bool  # whether jobs may owe times
    dependent: bool
    unchecked: bool
    alerting: bool
    parametrised: bool
    owned: bool
    skipping: bool  # whether times of schedules are to be skipped
    backfilling: bool  # whether a backfill is in progress
    followed: bool  # whether somebody is notified of the start of runs
    foresees: bool  # whether runs may be claimed ahead of a free worker
    connecting: list[int]  # its steps (jslid) that wait for a connection, as it says
    apart: bool  # whether a job that makes the server fail is set aside in this turn
