"""The processes of batch steps: how they start, and that none outlives the launcher."""

# Steps start by the hundred per second; pathlib would show in that.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
import signal
from collections.abc import Collection, Iterator, Mapping

from . import guard_process
from .guard import Guard
from .handover import inherited
from .script_directory import ScriptDirectory, sweep_directories
from .shortages import Reserve
from .threads import in_thread

CHECK_SECONDS = 60.0  # that an interpreter which could be read counts as readable
SWEEP_PAUSE_SECONDS = 2.0  # less than other launchers wait before they close the runs of one that is gone

_ALL_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Processes:
    """Starts the processes of batch steps."""

    def __init__(self, pass_env: Collection[str] = (), reserve: Reserve | None = None) -> None:
        """Kill and remove what dead launchers may have left; make nothing before the first batch step.

        *pass_env* names secrets of the launcher's environment that steps get all the same. The descriptors of *reserve* are
        not for steps.
        """
        self._reserve = reserve or Reserve(0)
        self._directory: ScriptDirectory | None = None
        self._guard: Guard | None = None
        self._table = -1
        self._rows = memoryview(b"")
        self._free: list[int] = []  # places of the table
        # No other launcher has the same tags, and no limit that anybody has set is so high.
        self._tag = 2**61 + (secrets.randbits(36) << 24)
        self._devnull = -1
        self._environment = {os.fsencode(k): os.fsencode(v) for k, v in inherited(pass_env).items()}
        self._checked: dict[str, float] = {}  # until when a program counts as readable
        self._checking: dict[str, asyncio.Future[None]] = {}
        self._sweep_at = 0.0
        self._sweeping: asyncio.Future[None] | None = None
        sweep_directories()

    def sweep(self) -> None:
        """Do now and then, in a thread, what was done at the start: a launcher may die together with its guard."""
        now = asyncio.get_running_loop().time()
        if now >= self._sweep_at and (self._sweeping is None or self._sweeping.done()):
            self._sweep_at = now + SWEEP_PAUSE_SECONDS
            self._sweeping = in_thread(sweep_directories)

    def check(self, program: str) -> asyncio.Future[None] | None:
        """Read *program* in a thread, unless that was done lately; the future is done when it has been read.

        The launcher is blocked while it starts a process, until the program is read. If a network file system hangs,
        only the steps that wait for this future hang with it. It must not be cancelled.
        """
        loop = asyncio.get_running_loop()
        if self._checked.get(program, 0.0) > loop.time():
            return None
        future = self._checking.get(program)
        if future is None:
            future = self._checking[program] = in_thread(_read, program)
            future.add_done_callback(lambda _: self._was_read(program))
        return future

    def has_room(self) -> bool:
        """Return whether there are descriptors for another process."""
        return self._reserve.has_room()

    def write_script(self, code: str) -> str:
        """Write *code* to a new file of the private directory; return its path. Raises `OSError`."""
        if self._directory is None:
            self._directory = self._prepare()
        self._tag += 1
        return self._directory.write(code, self._tag)

    def spawn(self, command: list[str], variables: Mapping[bytes, bytes], out: int, err: int) -> Process:
        """Start *command*, whose last word is a script, in a session of its own, its output to the descriptors *out* and *err*.

        Its stdin is empty, signals are as after login, no other descriptor is inherited. Raises `OSError`.
        """
        tag = guard_process.tag_of_script(os.path.basename(command[-1]))  # noqa: PTH119
        place = self._free.pop()
        self._rows[2 * place + 1] = tag  # before it starts: the launcher may be killed at any moment
        try:
            with _tagged(tag):
                process_id = os.posix_spawn(
                    command[0],
                    command,
                    {**self._environment, **variables},
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, self._devnull, 0),
                        (os.POSIX_SPAWN_DUP2, out, 1),
                        (os.POSIX_SPAWN_DUP2, err, 2),
                    ],
                    setsid=True,
                    setsigmask=(),
                    setsigdef=_ALL_SIGNALS,
                )
        except OSError:
            self.forget(place)
            raise
        self._rows[2 * place] = process_id
        return Process(self, process_id, tag, place)

    def forget(self, place: int) -> None:
        """Free the place of a process that has ended."""
        self._rows[2 * place] = self._rows[2 * place + 1] = 0
        self._free.append(place)

    async def close(self) -> None:
        """Kill the processes that still run, remove the private directory, end the guard."""
        if self._directory is None:
            return
        directory, self._directory = self._directory, None
        if self._guard is not None:
            await self._guard.close(is_step_running=len(self._free) < guard_process.PLACES)
        directory.unlock()
        for descriptor in (self._devnull, self._table):
            os.close(descriptor)

    def _prepare(self) -> ScriptDirectory:
        """Make what the first process needs. Raises `OSError`; the next step then tries again."""
        _inherit_nothing()
        if self._devnull < 0:
            self._devnull = os.open(os.devnull, os.O_RDONLY)
        if self._table < 0:
            self._table = os.memfd_create("steps")
            os.truncate(self._table, guard_process.TABLE_BYTES)
            self._rows = guard_process.map_table(self._table)
            self._free = list(range(guard_process.PLACES))
        directory = ScriptDirectory()
        try:
            self._guard = Guard(directory.path, self._table)
        except OSError:
            directory.remove()
            raise
        return directory

    def _was_read(self, program: str) -> None:
        self._checked[program] = asyncio.get_running_loop().time() + CHECK_SECONDS
        del self._checking[program]


class Process:
    """The process of a running step, leader of a session."""

    __slots__ = ("_place", "_processes", "_tag", "pid")

    def __init__(self, processes: Processes, pid: int, tag: int, place: int) -> None:
        """Belong to *processes*."""
        self._processes = processes
        self._tag = tag
        self._place = place
        self.pid = pid

    def signal(self, number: int) -> None:
        """Send a signal to every process of the step."""
        guard_process.signal_step(self.pid, self._tag, number)

    def has_ended(self) -> bool:
        """Return whether it has ended; it still has to be reaped."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def others(self) -> list[int]:
        """Return the live processes of the step."""
        return guard_process.processes_of(self.pid, self._tag)

    def reap(self) -> int:
        """Return the exit status (minus the signal's number, if one killed it) once it has ended."""
        _, status = os.waitpid(self.pid, 0)
        self._processes.forget(self._place)
        return os.waitstatus_to_exitcode(status)


@contextlib.contextmanager
def _tagged(tag: int) -> Iterator[None]:
    """Let a process that is started meanwhile inherit *tag*, unless the administrator has limited the limit itself."""
    soft, hard = resource.getrlimit(guard_process.TAG_LIMIT)
    try:
        resource.setrlimit(guard_process.TAG_LIMIT, (tag, hard))
    except (ValueError, OSError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(guard_process.TAG_LIMIT, (soft, hard))


def _read(program: str) -> None:
    """Read the beginning of a program; if it can't be read, starting it will fail with the reason."""
    with contextlib.suppress(OSError), open(program, "rb") as file:
        file.read(4096)


def _inherit_nothing() -> None:
    """Keep from batch steps the descriptors that the launcher itself inherited."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(int(name), False)
