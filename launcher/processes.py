"""What batch steps share: a private directory for their scripts, and a guard that outlives the launcher."""

# Steps start by the hundred per second; pathlib would show in that.
# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH118, PTH123, PTH208

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping

from . import guard_process

logger = logging.getLogger("pgagent_py.processes")

CHECK_AGAIN = 60.0  # seconds that an interpreter that could be read counts as readable
GUARD_PAUSE = 1.0  # seconds before a guard that ended is replaced
GUARD_END = 5.0  # seconds that a guard may take to end
SWEEP_EVERY = 2.0  # seconds; less than others wait before they close the runs of who is gone

# What the service manager and the launcher say to the launcher alone.
_NOT_INHERITED = frozenset(
    b"NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES WATCHDOG_PID WATCHDOG_USEC"
    b" PGAGENT_PY_SECRETS".split()
)
_ALL_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Processes:
    """Starts the processes of batch steps, and makes sure that none outlives the launcher."""

    def __init__(self) -> None:
        """Kill and remove what dead launchers may have left; make nothing before the first batch step."""
        self._directory = ""
        self._lock = -1
        self._table = -1
        self._sessions = memoryview(b"")
        self._free: list[int] = []
        self._devnull = -1
        self._guard: subprocess.Popen[bytes] | None = None
        self._guard_watch = -1
        self._environment = {k: v for k, v in os.environb.items() if k not in _NOT_INHERITED}
        self._checked: dict[str, float] = {}
        self._checking: dict[str, asyncio.Future[None]] = {}
        self._sweep_at = 0.0
        _sweep()

    def sweep(self) -> None:
        """Do now and then, in a thread, what was done at the start: a launcher may die together with its guard."""
        now = asyncio.get_running_loop().time()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY
            threading.Thread(target=_sweep, daemon=True).start()

    def check(self, program: str) -> asyncio.Future[None] | None:
        """Read *program* in a thread, unless that was done lately; the future is done when it has been read.

        Starting a process blocks the launcher until the program is read. A network file system that hangs
        blocks only who waits for this future, which must not be cancelled.
        """
        loop = asyncio.get_running_loop()
        if self._checked.get(program, 0.0) > loop.time():
            return None
        future = self._checking.get(program)
        if future is None:
            future = self._checking[program] = loop.create_future()
            threading.Thread(target=self._read, args=(program, future, loop), daemon=True).start()
        return future

    def write_script(self, code: str) -> str:
        """Write *code* to a new file of the private directory; return its path. Raises `OSError`."""
        self._start()
        path = os.path.join(self._directory, secrets.token_hex(12))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o700)
        except (FileNotFoundError, PermissionError):
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._directory, 0o700)  # someone tidied up; nobody else can have made it anew
            os.chmod(self._directory, 0o700)  # or a step has changed what it may
            descriptor = os.open(path, flags, 0o700)
        try:
            rest = memoryview(code.encode())
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path

    def spawn(self, command: list[str], variables: Mapping[bytes, bytes], out: int, err: int) -> Process:
        """Start *command* in a session of its own, its output to the descriptors *out* and *err*.

        Its stdin is empty, signals are as after login, no other descriptor is inherited. Raises `OSError`.
        """
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
        place = self._free.pop()
        self._sessions[place] = process_id
        return Process(self, process_id, place)

    def forget(self, place: int) -> None:
        """Free the place of a process that has ended."""
        self._sessions[place] = 0
        self._free.append(place)

    async def close(self) -> None:
        """Kill what still runs, remove the private directory, end the guard."""
        if not self._directory:
            return
        if self._guard is not None:
            process, self._guard = self._guard, None
            asyncio.get_running_loop().remove_reader(self._guard_watch)
            os.close(self._guard_watch)
            assert process.stdin is not None
            if len(self._free) == guard_process.PLACES:
                process.stdin.write(b".")  # no step is running: nothing to look for and kill
            process.stdin.close()
            try:
                await asyncio.to_thread(process.wait, GUARD_END)
            except subprocess.TimeoutExpired:
                logger.warning("action=close the guard does not end")
        for descriptor in (self._lock, self._devnull, self._table):
            os.close(descriptor)
        self._directory = ""

    def _start(self) -> None:
        if self._directory:
            return
        _inherit_nothing()
        self._directory, self._lock = _private_directory()
        self._table = os.memfd_create("sessions")
        os.truncate(self._table, 4 * guard_process.PLACES)
        self._sessions = guard_process.map_sessions(self._table)
        self._free = list(range(guard_process.PLACES))
        self._devnull = os.open(os.devnull, os.O_RDONLY)
        self._start_guard()

    def _start_guard(self) -> None:
        # A session of its own: what a terminal sends to the launcher's must not reach the guard.
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard_process.__file__, self._directory, str(self._table)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[self._table],
            start_new_session=True,
        )
        self._guard_watch = os.pidfd_open(self._guard.pid)
        asyncio.get_running_loop().add_reader(self._guard_watch, self._guard_ended)

    def _guard_ended(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._guard_watch)
        os.close(self._guard_watch)
        if self._guard is not None:
            logger.warning("action=guard ended with status %s; starting another", self._guard.wait())
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard = None
            loop.call_later(GUARD_PAUSE, self._replace_guard)

    def _replace_guard(self) -> None:
        if self._directory and self._guard is None:
            self._start_guard()

    def _read(self, program: str, future: asyncio.Future[None], loop: asyncio.AbstractEventLoop) -> None:
        """Read the beginning of a program, in a thread."""
        with contextlib.suppress(OSError), open(program, "rb") as file:  # the start will say what is wrong
            file.read(4096)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(self._was_read, program, future, loop.time() + CHECK_AGAIN)

    def _was_read(self, program: str, future: asyncio.Future[None], until: float) -> None:
        self._checked[program] = until
        del self._checking[program]
        if not future.done():
            future.set_result(None)


class Process:
    """The process of a running step, leader of a session."""

    __slots__ = ("_place", "_processes", "pid")

    def __init__(self, processes: Processes, pid: int, place: int) -> None:
        """Belong to *processes*."""
        self._processes = processes
        self._place = place
        self.pid = pid

    def signal(self, number: int) -> None:
        """Send a signal to every process of the session."""
        guard_process.signal_session(self.pid, number)

    def others(self) -> list[int]:
        """Return the live processes of the session."""
        return guard_process.processes_of(self.pid)

    def reap(self) -> int:
        """Return the exit status (minus the signal's number, if one killed it) once it has ended."""
        _, status = os.waitpid(self.pid, 0)
        self._processes.forget(self._place)
        return os.waitstatus_to_exitcode(status)


def _sweep() -> None:
    with contextlib.suppress(OSError):
        guard_process.sweep(tempfile.gettempdir())


def _private_directory() -> tuple[str, int]:
    """Make a directory for this launcher alone; return it with a descriptor that holds its lock."""
    while True:
        directory = tempfile.mkdtemp(prefix=guard_process.PREFIX)  # mode 0700, unpredictable name
        try:
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # another launcher that started at this moment took it for a dead one's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if os.path.isdir(directory):
            return directory, lock
        os.close(lock)


def _inherit_nothing() -> None:
    """Keep from batch steps the descriptors that the launcher itself inherited."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(int(name), False)
