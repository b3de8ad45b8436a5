"""The engine local: batch steps on the launcher's machine, each a process of the launcher. They end with it.

The kernel tells of the end of a process, and of output, so the launcher need not look.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Mapping, Sequence

from ..output import Output
from ..processes import Process, Processes
from ..shortages import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PASSING
from .interface import ENDED, RUNNING, SIGNALLED, NotYetError, State, Task, after

OUTLIVES_LAUNCHER = False
LOOK_SECONDS = None

LOOK_PAUSE_SECONDS = 0.03  # between looks for the other processes of a cancelled step
LOOK_PAUSE_FACTOR = 20  # the pause grows by so many times what a look takes
GIVE_UP_SECONDS = 1.0  # after SIGKILL, that the script's children may still be there
READ_DELAY_SECONDS = 0.005  # a step that ends sooner is read in one go, which halves our share of its cost
READ_BYTES, FEW_BYTES = 65536, 512  # a pipe holds no more; when there is no memory

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes as shells choose them


async def submit(task: Task) -> str:
    """Start the script in a process of its own."""
    assert task.processes is not None
    script = task.kept = task.kept or Script(task, task.processes)
    if (reading := task.processes.check(task.command[0])) is not None:
        raise NotYetError(reading)
    try:
        script.start()
    except OSError as error:  # no room for the script, no descriptor left, ...
        if error.errno in PASSING:
            raise NotYetError(script.pause(error)) from None
        script.end = State(ENDED, f"The script can't be started: {error.strerror}.")
    return task.name


async def look(tasks: Sequence[Task]) -> Mapping[str, State]:
    """Return which scripts have ended. One that was cancelled before it began has."""
    return {task.name: task.kept.look() if task.kept else State(ENDED) for task in tasks}


async def cancel(task: Task, kill: bool) -> None:
    """Send SIGTERM to all processes of the step, or SIGKILL."""
    if task.kept:
        task.kept.cancel(kill)


async def output(task: Task) -> str:
    """Return what the script has written until now."""
    return task.text()


class Script:
    """A script and its process."""

    __slots__ = (
        "_code",
        "_has_ended",
        "_killed",
        "_look_timer",
        "_loop",
        "_path",
        "_pause",
        "_pipes",
        "_process",
        "_processes",
        "_read_timer",
        "_task",
        "_told",
        "_watch",
        "end",
    )

    def __init__(self, task: Task, processes: Processes) -> None:
        """Start nothing yet."""
        self._task = task
        self._processes = processes
        self._loop = asyncio.get_running_loop()
        self._process: Process | None = None
        self._path = ""
        self._pipes: dict[int, Output] = {}
        self._pause = FIRST_PAUSE_SECONDS
        self._read_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._watch = -1  # the descriptor by which the event loop sees the process end
        self._has_ended = False
        self._told = False  # to end, by SIGTERM
        self._killed = 0.0
        self._code: int | None = None  # the exit status of the process
        self.end: State | None = None

    def start(self) -> None:
        """Start it. If its interpreter can't be started, it has ended with that. Raises `OSError`."""
        if not self._processes.has_room():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self._path = self._processes.write_script(self._task.script)
        command = self._task.command
        try:
            self._spawn([*command, self._path])
        except OSError as error:
            if error.errno in PASSING:
                raise
            self.end = _start_failure(command[0], error)
        finally:
            if self._process is None:
                self._remove_file()

    def pause(self, error: OSError) -> asyncio.Future[None]:
        """Return a future that is done when it may be tried again."""
        if self._pause == FIRST_PAUSE_SECONDS:
            self._task.stdout.line(f"Waiting to start: {error.strerror}.".encode())
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        return after(pause)

    def look(self) -> State:
        """Return how far it is."""
        if self.end is None:
            if self._process is None:
                return State(ENDED)
            if not self._has_ended or self._waits_for_others(self._process):
                return State(RUNNING)
            self.end = self._finish(self._process)
        return self.end

    def cancel(self, kill: bool) -> None:
        """Let all its processes end. Each further SIGKILL is for those that were being born."""
        if self._process is None or self.end is not None:
            return
        if kill:
            self._killed = self._killed or self._loop.time()
            self._process.signal(signal.SIGKILL)
        elif not self._told:
            self._process.signal(signal.SIGTERM)
        self._told = True

    def _spawn(self, command: list[str]) -> None:
        variables = {**self._task.variables, "PGAGENT_STEP_SCRIPT": self._path}
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        self._pipes = {out: self._task.stdout, err: self._task.stderr}
        try:
            environment = {name.encode(): value.encode() for name, value in variables.items()}
            self._process = self._processes.spawn(command, environment, out_end, err_end)
        finally:
            os.close(out_end)
            os.close(err_end)
            if self._process is None:
                self._drain()
        self._read_timer = self._loop.call_later(READ_DELAY_SECONDS, self._read_pipes)
        self._watch_process(self._process)

    def _watch_process(self, process: Process) -> None:
        """Notice its end: at once, or, while there is no descriptor for that, soon."""
        try:
            self._watch = os.pidfd_open(process.pid)
        except OSError:
            if process.has_ended():
                self._process_ended()
            else:
                self._loop.call_later(LOOK_PAUSE_SECONDS, self._watch_process, process)
        else:
            self._loop.add_reader(self._watch, self._process_ended)

    def _process_ended(self) -> None:
        if self._watch >= 0:
            self._loop.remove_reader(self._watch)
            os.close(self._watch)
        self._has_ended = True
        self._task.changed()

    def _waits_for_others(self, process: Process) -> bool:
        """Return whether other processes of a cancelled step are to end, too; look for them again after a while."""
        if not self._task.cancelled:
            return False
        looked = self._loop.time()
        if not process.others() or (self._killed and looked > self._killed + GIVE_UP_SECONDS):
            return False  # those that are left are another user's, or hang in the kernel
        if self._look_timer is not None:
            self._look_timer.cancel()
        pause = LOOK_PAUSE_SECONDS + LOOK_PAUSE_FACTOR * (self._loop.time() - looked)
        self._look_timer = self._loop.call_later(pause, self._task.changed)
        return True

    def _finish(self, process: Process) -> State:
        """Return how it has ended. Until here nobody else gets the process id."""
        if self._code is None:
            self._code = process.reap()
        code = self._code
        self._drain()
        self._remove_file()
        if code < 0:
            note = f"The script was killed by signal {-code} ({_signal_name(-code)})."
            return State(ENDED, note, SIGNALLED - code)
        return State(ENDED, code=code)

    def _remove_file(self) -> None:
        with contextlib.suppress(OSError):  # the script may have removed it
            os.unlink(self._path)  # noqa: PTH108 - hundreds per second

    def _read_pipes(self) -> None:
        for pipe in self._pipes:
            self._loop.add_reader(pipe, self._read, pipe)
        self._read_timer = None

    def _read(self, pipe: int) -> None:
        output = self._pipes[pipe]
        try:
            data = os.read(pipe, FEW_BYTES if output.lost else READ_BYTES)
        except MemoryError:
            output.lose()
            return
        if data:
            output.write(data)
        else:
            self._loop.remove_reader(pipe)

    def _drain(self) -> None:
        """Read what is in the pipes now, and no more: a process in the background may go on writing."""
        if self._read_timer is not None:
            self._read_timer.cancel()
        while self._pipes:
            pipe, output = self._pipes.popitem()
            if self._read_timer is None:
                self._loop.remove_reader(pipe)
            rest: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
            try:
                while rest > 0 and (data := os.read(pipe, min(rest, READ_BYTES))):
                    output.write(data)
                    rest -= len(data)
            except MemoryError:
                output.lose()
            os.close(pipe)


def _start_failure(program: str, error: OSError) -> State:
    if error.errno == errno.E2BIG:
        note = "The job's parameters or names are too long for the script's environment."
        return State(ENDED, note, NOT_EXECUTABLE)
    if error.errno == errno.ENOENT:
        note = f"The interpreter {program}, named by the script's first line, does not exist."
        return State(ENDED, note, NOT_FOUND)
    note = f"The interpreter {program} can't be started: {error.strerror}."
    return State(ENDED, note, NOT_EXECUTABLE)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
