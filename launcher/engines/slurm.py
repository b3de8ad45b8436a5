"""The engine slurm: batch steps as jobs of a Slurm cluster. They go on without the launcher.

What is known of a step stands in the engine directory, which nodes and launchers share: a folder with the script, its output and
its exit code, and beside it a file that is made, once and for ever, by whoever is first: the job when it begins, or a launcher
that wants it never to begin.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..batch_step import interpreter
from ..handover import inherited
from ..output import Output
from ..threads import in_thread
from .interface import ENDED, RUNNING, WAITING, EngineError, State, Task, UnreachableError

OUTLIVES_LAUNCHER = True
LOOK_SECONDS = 1.0

COMMAND_SECONDS = 30.0  # that Slurm's commands may take
LOST_SECONDS = 60.0  # after which a job that Slurm does not know, and that left no exit code, has ended
KEPT_SECONDS = 600.0  # how long what an ended step has left is kept: its result has to be booked first
OLD_SECONDS = 7 * 86400.0

UNREACHABLE = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "zero bytes were transmitted",
    "temporarily unable",
    "connection timed out",
    "communication connection failure",
    "slurm backup controller in standby",
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

# dash and bash make the file with O_EXCL because of set -C. The trap lets the script be ended, and not its record.
WRAPPER = """#!/bin/sh
umask 077
(set -C; echo "$SLURM_JOB_ID $SLURM_JOB_NODELIST" > {started}) 2>/dev/null || exit 0
trap : TERM INT
cd {folder} || exit 126
{exports}
{command} {script} > {folder}/stdout 2> {folder}/stderr < /dev/null
echo $? > {folder}/exit.new
mv {folder}/exit.new {folder}/exit
"""

_unknown_since: dict[str, float] = {}


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
    return await in_thread(_output, task)


def _run(*command: str) -> str:
    """Return what one of Slurm's commands prints."""
    environment = {
        name: value
        for name, value in inherited().items()
        if not name.startswith(("SBATCH_", "SQUEUE_", "SCANCEL_"))
    }
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
        raise EngineError(
            f"{command[0]} is not found: install Slurm's commands (Debian: slurm-client) on the launcher's machine"
        ) from None
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{command[0]} does not end") from None
    if done.returncode == 0:
        return done.stdout
    error = done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
    if any(words in error.lower() for words in UNREACHABLE):
        raise UnreachableError(error)
    raise EngineError(error)


def _folder(task: Task) -> Path:
    return task.directory / task.name


def _started(task: Task) -> Path:
    """Return the file that says that the script has begun, or never will."""
    return task.directory / f"{task.name}.started"


def _submit(task: Task) -> str:
    folder = _folder(task)
    try:
        task.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if found := _begun_as(task) or _find(task):
            return found
    except OSError as error:
        raise EngineError(f"the engine directory {task.directory} can't be used: {error.strerror}") from None
    else:
        if found := _begun_as(task):
            return found
    wrapper = _write_files(task, folder)
    return (
        _run(
            "sbatch",
            *(
                "--parsable",
                "--no-requeue",
                f"--job-name={task.name}",
                "--output=/dev/null",
                "--error=/dev/null",
            ),
            *("--export=NIL", f"--chdir={task.directory}"),
            *(word for name, value in task.options.items() if (word := _option(name, value))),
            str(wrapper),
        )
        .split(";")[0]
        .strip()
    )


def _option(name: str, value: object) -> str:
    if value is False:
        return ""
    return f"--{name}" if value is True else f"--{name}={value}"


def _write_files(task: Task, folder: Path) -> Path:
    code = task.run.jstcode.removeprefix("\ufeff").replace("\r\n", "\n")
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    variables = {
        "PATH": path,
        "HOME": str(Path.home()),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **task.variables,
    }
    wrapper = folder / "wrapper"
    try:
        (folder / "script").write_text(code, encoding="utf-8", errors="surrogateescape")
        (folder / "script").chmod(0o700)
        wrapper.write_text(
            WRAPPER.format(
                started=shlex.quote(str(_started(task))),
                folder=shlex.quote(str(folder)),
                exports="\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
                command=" ".join(map(shlex.quote, interpreter(code))),
                script=shlex.quote(str(folder / "script")),
            ),
            encoding="utf-8",
        )
    except OSError as error:
        raise UnreachableError(f"the engine directory can't be written: {error.strerror}") from None
    return wrapper


def _begun_as(task: Task) -> str:
    """Return the job as which the script has begun, "" if it has not."""
    words = _read(_started(task)).split()
    return words[0] if words else ""


def _find(task: Task) -> str:
    """Return the job of this name, "" if Slurm knows none."""
    return next((job for job, _, _, _ in _queue().get(task.name, [])), "")


def _queue() -> dict[str, list[tuple[str, str, str, str]]]:
    """Return this user's jobs by name: id, state, reason, nodes."""
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for line in _run("squeue", "--noheader", "--me", "--states=all", "--format=%i|%j|%T|%r|%N").splitlines():
        job, name, state, reason, nodes = (line.split("|") + [""] * 5)[:5]
        found.setdefault(name, []).append((job, state, reason, nodes))
    return found


def _look(tasks: Sequence[Task]) -> Mapping[str, State]:
    try:
        queue: dict[str, list[tuple[str, str, str, str]]] | None = _queue()
    except (UnreachableError, EngineError):
        queue = None
    states = {task.name: state for task in tasks if (state := _state(task, queue)) is not None}
    for name, state in states.items():
        if state.phase == ENDED:
            _unknown_since.pop(name, None)
    return states


def _state(task: Task, queue: dict[str, list[tuple[str, str, str, str]]] | None) -> State | None:
    code = _read(_folder(task) / "exit").strip()
    where = f"Slurm job {' on '.join(_read(_started(task)).split()[:2]) or task.job}."
    if code:
        number = int(code)
        note = f"{where} The script was killed by signal {number - 128}." if number > 128 else where
        return State(ENDED, note, number)
    if queue is None:
        return None
    jobs = queue.get(task.name, [])
    for job, state, reason, nodes in jobs:
        if state in QUEUED:
            task.job = task.job or job
            _unknown_since.pop(task.name, None)
            return State(WAITING, f"Waiting in Slurm's queue as job {job}: {reason}.")
        if state in LIVE:
            _unknown_since.pop(task.name, None)
            return State(RUNNING, f"Slurm job {job} on {nodes}.")
    return _gone(task, where, " ".join(state for _, state, _, _ in jobs))


def _gone(task: Task, where: str, ended: str) -> State | None:
    """Return the end of a job that Slurm has ended, or does not know, and that left no exit code: after a while."""
    since = _unknown_since.setdefault(task.name, time.monotonic())
    if task.cancelled and _take_start(task):
        return State(ENDED, where if task.job else "")
    patience = LOST_SECONDS if not ended else 5.0
    if time.monotonic() < since + patience:
        return None
    begun = not _take_start(task)
    known = f"Slurm says {ended}" if ended else "Slurm does not know the job (any more)"
    return State(
        ENDED, f"{where} {known}, and the script {'left no exit code' if begun else 'has not begun'}."
    )


def _take_start(task: Task) -> bool:
    """Make sure that the script does not begin any more; return False if it has begun."""
    try:
        os.close(os.open(_started(task), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return _begun_as(task) == ""
    return True


def _cancel(task: Task, kill: bool) -> None:
    with contextlib.suppress(OSError):
        task.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _take_start(task)
    with contextlib.suppress(EngineError):
        _run("scancel", f"--name={task.name}", "--me", *(["--signal=KILL", "--full"] if kill else []))


def _output(task: Task) -> str:
    text = ""
    for name, heading in (("stdout", ""), ("stderr", "Standard error:\n")):
        kept = _ends_of(_folder(task) / name, task.output_limit // 2 if heading else task.output_limit)
        if kept:
            text += ("\n" if text and not text.endswith("\n") else "") + heading + kept
    return text


def _ends_of(path: Path, limit: int) -> str:
    """Return a file, or its beginning and its end."""
    kept = Output(limit)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= 4 * limit:
                kept.write(file.read())
                return kept.text()
            head = file.read(limit // 2)
            file.seek(-(limit // 2), os.SEEK_END)
            tail = file.read()
    except OSError:
        return ""
    cut = size - len(head) - len(tail)
    return f"{_text(head)}\n[... {cut} bytes cut ...]\n{_text(tail)}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def sweep(directory: Path) -> None:
    """Remove what steps have left that ended long ago."""
    now = time.time()
    for folder in directory.glob("pgagent-*"):
        with contextlib.suppress(OSError):
            ended = folder / "exit"
            age = now - (ended if ended.exists() else folder).stat().st_mtime
            if folder.is_dir() and age > (KEPT_SECONDS if ended.exists() else OLD_SECONDS):
                shutil.rmtree(folder)
            elif folder.suffix == ".started" and age > OLD_SECONDS:
                folder.unlink()
