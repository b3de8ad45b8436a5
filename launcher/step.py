"""What the launcher executes and what it hands back: plain records, no behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, TypeAlias

from .kept_rows import KeptRows

SQL, BATCH = "s", "b"  # jstkind
SUCCEEDED, FAILED, ABORTED, RUNNING = "s", "f", "d", "r"  # jslstatus
LARGEST_RESULT = 2**31 - 1  # jslresult is an integer
WORDS = {SUCCEEDED: "success", FAILED: "failure", ABORTED: "aborted"}  # as the views have them
Try: TypeAlias = tuple[int, int]  # jslid and handed: they name a try of a step for ever
RunName: TypeAlias = tuple[int, int]  # jlgid and claimed: they name a run for ever


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step to execute now: a row of the SQL type ``pgagent_py.step_run``, with pgAgent's column names.

    ``jstkind`` is SQL or BATCH. ``jsttimeout`` is in seconds. ``jobtimeleft`` is, too: it is what was left of the job's
    timeout at the start of the step. ``jobparameters`` is JSON text. ``jobroleid`` is the id of the role ``jobrunas``.
    ``handed`` and ``claimed`` are in microseconds since 1970. ``due`` and ``previous_due`` are in ISO 8601, UTC.
    """

    jobid: int
    jlgid: int
    jstid: int
    jslid: int
    jobname: str
    jstname: str
    jstkind: str
    jstcode: str
    jstdbname: str
    jstconnstr: str
    jstatomic: bool = False
    jsttimeout: float | None = None
    jobtimeleft: float | None = None
    jobrunas: str | None = None
    jobparameters: str | None = None
    jobroleid: int | None = None
    handed: int = 0
    claimed: int = 0
    number: int = 1  # of the try, in its run
    due: str | None = None
    previous_due: str | None = None
    keep_rows: int = 0
    engine: str | None = None
    engine_options: str | None = None
    engine_job: str | None = None
    separately: bool = False
    ahead: bool = False
    traceparent: str | None = None  # of W3C's trace context, if there are traces

    @property
    def variables(self) -> dict[str, str]:
        """Return what a script finds in its environment."""
        found = {
            "PGAGENT_JOB_ID": str(self.jobid),
            "PGAGENT_RUN_ID": str(self.jlgid),
            "PGAGENT_STEP_ID": str(self.jstid),
            "PGAGENT_JOB_NAME": self.jobname,
            "PGAGENT_STEP_NAME": self.jstname,
        }
        given = {
            "PGAGENT_PARAMETERS": self.jobparameters,
            "PGAGENT_DUE": self.due,
            "PGAGENT_PREVIOUS_DUE": self.previous_due,
            "TRACEPARENT": self.traceparent,
        }
        return found | {name: value for name, value in given.items() if value is not None}

    @property
    def names(self) -> dict[str, object]:
        """Return the fields of the log that name it."""
        return {
            "job": self.jobid,
            "name": self.jobname,
            "run": self.jlgid,
            "step": self.jstid,
            "step_name": self.jstname,
        }

    @property
    def id(self) -> Try:
        """Return what names this try."""
        return self.jslid, self.handed

    @property
    def run_name(self) -> RunName:
        """Return what names the run."""
        return self.jlgid, self.claimed

    def repeats(self, other: StepRun) -> bool:
        """Return whether this is the same try as the other one, and only handed out again."""
        return (self.run_name, self.jstid, self.number) == (other.run_name, other.jstid, other.number)


@dataclass(slots=True)
class StepResult:
    """How a step ended, to be booked by ``run_due``.

    ``jslstatus`` is SUCCEEDED, FAILED (``run_due`` applies on_error), ABORTED, or RUNNING when this is only the output
    so far of a step that still runs. ``jslresult`` is the exit code of a batch step, the rows affected (-1 on error) of
    an SQL step. ``jslduration`` is in seconds. ``error`` is for the launcher's log: in one line, why it failed.
    ``kept`` are rows that the log is to keep.
    """

    jlgid: int
    jslid: int
    jslstatus: str
    jslresult: int | None
    jsloutput: str
    jslduration: float
    handed: int = 0
    error: str = ""
    kept: KeptRows | None = None

    @property
    def id(self) -> Try:
        """Return the try that this is the result of."""
        return self.jslid, self.handed


def fitting(results: Sequence[StepResult], most: int) -> int:
    """Return how many of the results, the first at least, can be booked in one call."""
    sizes = accumulate(len(result.jsloutput) for result in results)
    return sum(size <= most for size in sizes) or min(len(results), 1)


class RunningStep(Protocol):
    """A step that can be executed once: an `SqlStep` or a `BatchStep`."""

    @property
    def begun(self) -> bool:
        """Whether anything of it may have been executed."""
        ...

    @property
    def has_no_room(self) -> bool:
        """Whether it waits for a connection that was refused for want of room."""
        ...

    async def execute(self) -> StepResult | None:
        """Run the step to its end and return how it ended. Never raises, unless its task is cancelled.

        None: it goes on without this launcher, which watches it no more.
        """
        ...

    def cancel(self, note: str, status: str = ABORTED, kill: bool = False) -> None:
        """Stop the step, but do not wait for its end; *kill* does so at once. The result has *status* and *note*.

        A later call can only make it more urgent. After the end of the step it does nothing.
        """
        ...

    def output_size(self) -> int:
        """Return how much the step has written until now: it changes when there is more."""
        ...

    def output_so_far(self) -> str:
        """Return what the step has written until now."""
        ...
