"""The engine slurm: batch steps as jobs of a Slurm cluster. They go on without the launcher.

Slurm forgets jobs: those that have ended after a while, and those of its last seconds when slurmctld is killed. So what counts
is the record of a try in the engine directory. A second job of a try finds there that it is late, and ends without the script.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..handover import inherited
from ..threads import in_thread
from .interface import ENDED, RUNNING, WAITING, EngineError, State, Task, UnreachableError, killed_by
from .records import Record

OUTLIVES_LAUNCHER = True
LOOK_SECONDS = 1.0

COMMAND_SECONDS = 30.0  # that Slurm's commands may take
REFUSALS = 3
AGAIN_SECONDS = (
    5.0  # after which a job that Slurm does not know, and that has not begun, is submitted again, once
)
LOST_SECONDS = 60.0  # after which a job that Slurm does not know, and that left no exit code, has ended
# The same for one that Slurm says has ended: a network file system shows the exit code late. Of a cancelled one it is no matter.
ENDED_SECONDS, CANCELLED_SECONDS = 10.0, 1.0

# What Slurm's commands say when they had no answer, or half of one, from slurmctld
UNREACHABLE = (
    "unable to contact slurm controller",
    "unable to establish",
    "socket timed out",
    "connection refused",
    "connection timed out",
    "communication connection failure",
    "zero bytes were transmitted",
    "zero length message",
    "message length",
    "message send failure",
    "message receive failure",
    "send entire message",
    "header lengths are longer",
    "unexpected message",
    "temporarily unable",
    "temporarily unavailable",
    "standby mode",
    "authentication error",
    "munge",
)
LIVE = {"RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT", "SIGNALING", "STOPPED", "RESIZING"}
QUEUED = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
}
# sbatch --export=NIL leaves it, and srun in the script would start tasks without the script's environment.
NOT_FOR_SCRIPTS = ("SLURM_EXPORT_ENV",)
OWN_SETTINGS = ("SBATCH_", "SQUEUE_", "SCANCEL_")  # variables that would change what the commands do


@dataclass(slots=True)
class Missed:
    """A job that Slurm does not have in progress and that left no exit code. *again*: it was submitted again."""

    since: float
    ended: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Queued:
    """A job as squeue shows it."""

    job: str
    state: str
    reason: str
    nodes: str


class MissingCommandError(EngineError):
    """Slurm's commands are not installed."""


_missed: dict[str, Missed] = {}  # by the names of tasks
_refused: dict[str, int] = {}  # how often sbatch has refused them
_answers = True  # whether slurmctld did when it was asked last


async def submit(task: Task) -> str:
    """Hand the step to sbatch, unless it was before."""
    return await in_thread(_submit, task)


async def look(tasks: Sequence[Task]) -> Mapping[str, State]:
    """Ask squeue once for all, and look for exit codes."""
    return await in_thread(_look, tasks)


async def cancel(task: Task, kill: bool) -> None:
    """Keep the job from beginning, and end it if it has begun."""
    await in_thread(_cancel, task, kill)


async def output(task: Task) -> str:
    """Return what the script has written until now."""
    return await in_thread(Record(task).output)


def _submit(task: Task) -> str:
    record = Record(task)
    is_new = record.make()
    if found := record.begun_as():
        return found.split()[0]
    if not is_new and (jobs := _queue().get(task.name)):
        return jobs[0].job
    try:
        job = _sbatch(task, record)
    except EngineError as error:
        # Slurm has many words for an answer that was lost. What counts is that it refuses again after squeue had an answer.
        _refused[task.name] = _refused.get(task.name, 0) + 1
        if _refused[task.name] < REFUSALS and not isinstance(error, MissingCommandError):
            raise UnreachableError(str(error)) from None
        # The error ends the step, so it must not begin any more.
        del _refused[task.name]
        if record.take_start():
            raise
        return record.begun_as().split()[0]
    _refused.pop(task.name, None)
    return job


def _sbatch(task: Task, record: Record) -> str:
    fixed = ("--parsable", "--no-requeue", "--output=/dev/null", "--error=/dev/null", "--export=NIL")
    wrapper = record.write("$SLURM_JOB_ID $SLURM_JOB_NODELIST", unset=NOT_FOR_SCRIPTS)
    own = (f"--job-name={task.name}", f"--chdir={task.directory}")
    options = (
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in task.options.items()
        if value is not False
    )
    lines = _run("sbatch", *fixed, *own, *options, str(wrapper)).split()
    if not lines:
        raise UnreachableError("sbatch has not said which job it is")
    return lines[-1].split(";")[0]


def _run(*command: str) -> str:
    """Return what one of Slurm's commands prints."""
    environment = {name: value for name, value in inherited().items() if not name.startswith(OWN_SETTINGS)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise MissingCommandError(
            f"{command[0]} is not found: install Slurm's commands (Debian: slurm-client) on the launcher's machine"
        ) from None
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{command[0]} does not end") from None
    except OSError as error:
        raise UnreachableError(f"{command[0]} can't be started: {error.strerror}") from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
    if done.returncode < 0 or any(words in said.lower() for words in UNREACHABLE):
        raise UnreachableError(said)
    raise EngineError(said)


def _queue() -> dict[str, list[Queued]]:
    """Return this user's jobs by name. Whatever squeue says against it, the jobs go on: it is asked again."""
    found: dict[str, list[Queued]] = {}
    try:
        lines = _run("squeue", "--noheader", "--me", "--states=all", "--format=%i|%j|%T|%r|%N").splitlines()
    except EngineError as error:
        raise UnreachableError(str(error)) from None
    for line in lines:
        job, name, state, reason, nodes = (line.split("|") + [""] * 5)[:5]
        found.setdefault(name, []).append(Queued(job, state, reason, nodes))
    return found


def _look(tasks: Sequence[Task]) -> Mapping[str, State]:
    global _answers
    queue: dict[str, list[Queued]] | None = None
    with contextlib.suppress(UnreachableError):
        queue = _queue()
    _answers = queue is not None
    states: dict[str, State] = {}
    for task in tasks:
        with contextlib.suppress(UnreachableError, EngineError):  # one is no matter of the others
            if (state := _state(task, queue)) is not None:
                states[task.name] = state
                _missed.pop(task.name, None)
    return states


def _state(task: Task, queue: dict[str, list[Queued]] | None) -> State | None:
    """Return how far a step is, None if that can't be known now."""
    record = Record(task)
    code = record.exit_code()
    if code is not None:
        return _exited(task, record, code)
    if queue is None:
        never = task.cancelled and record.take_start()
        return State(ENDED, "Slurm did not answer.") if never else None
    jobs = queue.get(task.name, [])
    for job in jobs:
        if job.state in QUEUED:
            return State(WAITING, f"Waiting in Slurm's queue as job {job.job}: {job.reason}.")
        if job.state in LIVE:
            return State(RUNNING, f"Slurm job {job.job} on {job.nodes}.")
    return _gone(task, record, " ".join(job.state for job in jobs))


def _where(task: Task, record: Record) -> str:
    return f"Slurm job {' on '.join(record.begun_as().split()[:2]) or task.job}."


def _exited(task: Task, record: Record, code: int) -> State:
    return State(ENDED, f"{_where(task, record)} {killed_by(code)}".strip(), code)


def _gone(task: Task, record: Record, ended: str) -> State | None:
    """Return the end of a job that Slurm has ended, or does not know, and that left no exit code: after a while."""
    missed = _missed.setdefault(task.name, Missed(time.monotonic()))
    missed.ended = ended or missed.ended
    if task.cancelled and record.take_start():
        return State(ENDED, _where(task, record) if task.job else "")
    waited = time.monotonic() - missed.since
    if not record.begun_as() and not missed.ended and not missed.again and waited > AGAIN_SECONDS:
        with contextlib.suppress(EngineError):
            _sbatch(task, record)
            missed.again = True
    patience = CANCELLED_SECONDS if task.cancelled else ENDED_SECONDS
    if waited < (patience if missed.ended else LOST_SECONDS):
        return None
    if (code := record.exit_code(afresh=True)) is not None:
        return _exited(task, record, code)
    has = "has not begun" if record.take_start() else "left no exit code"
    known = f"Slurm says {missed.ended}" if missed.ended else "Slurm does not know the job (any more)"
    return State(ENDED, f"{_where(task, record)} {known}, and the script {has}.")


def _cancel(task: Task, kill: bool) -> None:
    Record(task).take_start()
    if _answers:
        with contextlib.suppress(EngineError):
            _run("scancel", f"--name={task.name}", "--me", *(["--signal=KILL", "--full"] if kill else []))
