"""Batch steps: a script in a process of its own, through the interpreter that its first line names."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import struct
import termios

from ..confirmation import Confirmation
from ..log import Event
from ..output import DEFAULT_LIMIT, Output, with_lines
from ..processes import Process, Processes
from ..shortages import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PASSING
from ..step import ABORTED, FAILED, SUCCEEDED, StepResult, StepRun

logger = logging.getLogger("pgagent_py.batch_step")

SHELL = "/bin/sh"
KILL_SECONDS = 5.0  # from SIGTERM to SIGKILL
LOOK_PAUSE_SECONDS = 0.03  # between looks for the other processes of a cancelled step
LOOK_PAUSE_FACTOR = 20  # the pause grows by so many times what a look takes
GIVE_UP_SECONDS = 1.0  # after SIGKILL, that the script's children may still be there
READ_DELAY_SECONDS = 0.005  # a step that ends sooner is read in one go, which halves our share of its cost
READ_BYTES, FEW_BYTES = 65536, 512  # a pipe holds no more; when there is no memory

NOT_FOUND, NOT_EXECUTABLE, SIGNALLED = 127, 126, 128  # exit codes as shells choose them


class BatchStep:
    """One execution of a batch step."""

    __slots__ = (
        "_cancel_note",
        "_cancel_status",
        "_confirmation",
        "_ended",
        "_kill_timer",
        "_killed",
        "_limit",
        "_loop",
        "_pipes",
        "_process",
        "_processes",
        "_read_timer",
        "_run",
        "_stderr",
        "_stdout",
        "_watch",
        "begun",
    )

    def __init__(
        self,
        run: StepRun,
        processes: Processes,
        output_limit: int = DEFAULT_LIMIT,
        confirmation: Confirmation | None = None,
    ) -> None:
        """Prepare to execute *run* when there is a fresh *confirmation*; of its output, *output_limit* bytes are kept."""
        self._run = run
        self._processes = processes
        self._confirmation = confirmation
        self._limit = output_limit
        self._stdout = Output(output_limit)
        self._stderr = Output(output_limit)
        self._process: Process | None = None
        self._pipes: dict[int, Output] = {}
        self._read_timer: asyncio.TimerHandle | None = None
        self._cancel_note = ""
        self._cancel_status = ""  # set once cancelled
        self.begun = False
        self._watch = -1  # the descriptor by which the event loop sees the process end
        self._kill_timer: asyncio.TimerHandle | None = None
        self._killed = 0.0
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    async def execute(self) -> StepResult:
        """Run the step to its end and return how it ended. Never raises, unless its task is cancelled."""
        run, started = self._run, self._loop.time()
        timer = None
        if run.jsttimeout is not None:
            note = f"The step was stopped after its timeout of {run.jsttimeout:g} s."
            timer = self._loop.call_later(run.jsttimeout, self.cancel, note, FAILED)
        note = ""
        code = -1
        try:
            code, note = await self._execute()
        except OSError as error:  # no room for the script, no descriptor left, ...
            note = f"The script can't be started: {error.strerror}."
        except Exception as error:
            logger.exception(Event("execute_step", job=run.jobid, run=run.jlgid, step=run.jstid))
            note = f"Error in the launcher: {type(error).__name__}: {error}"
        finally:
            for handle in (timer, self._kill_timer):
                if handle is not None:
                    handle.cancel()
        lost = self._stdout.lost or self._stderr.lost
        status = self._cancel_status or (SUCCEEDED if code == 0 and not lost else FAILED)
        text = with_lines(self.output_so_far(), note, self._cancel_note)
        why = self._cancel_note or note or self._stderr.first_line() or f"exit status {code}"
        seconds = self._loop.time() - started
        return StepResult(run.jlgid, run.jslid, status, code, text, seconds, error=why)

    def cancel(self, note: str, status: str = ABORTED, kill: bool = False) -> None:
        """Send SIGTERM to all processes of the step and SIGKILL after a while, or at once if *kill*."""
        first = not self._cancel_status
        if first:
            self._cancel_note, self._cancel_status = note, status
        if self._process is None:
            self._process_ended()  # not started yet, and need not be
        elif kill:
            self._kill()
        elif first:
            self._process.signal(signal.SIGTERM)
            self._kill_timer = self._loop.call_later(KILL_SECONDS, self._kill)

    def output_size(self) -> int:
        """Return how much there is of it."""
        return len(self._stdout) + len(self._stderr)

    @property
    def has_no_room(self) -> bool:
        """Whether it waits for a connection: never."""
        return False

    def output_so_far(self) -> str:
        """Return stdout until now, and stderr under a heading."""
        errors = min(len(self._stderr), max(self._limit // 2, self._limit - len(self._stdout)))
        text = self._stdout.text(self._limit - errors)
        if errors:
            text = with_lines(text, "Standard error:") + self._stderr.text(errors)
        return text

    async def _execute(self) -> tuple[int, str]:
        """Run the script; return its exit code and a note for the output, or ''."""
        code = self._run.jstcode.removeprefix("\ufeff").replace("\r\n", "\n")
        command = interpreter(code)
        if (checked := self._processes.check(command[0])) is not None:
            await self._wait(checked)
        pause = FIRST_PAUSE_SECONDS
        while True:
            if self._confirmation is not None and not self._confirmation.is_fresh:
                await self._wait(self._confirmation.wait())
            if self._cancel_status:
                return -1, ""
            try:
                return await self._execute_once(command, code)
            except OSError as error:
                if self.begun or error.errno not in PASSING:
                    raise
                if pause == FIRST_PAUSE_SECONDS:
                    self._stdout.line(f"Waiting to start: {error.strerror}.".encode())
            await asyncio.wait([self._ended], timeout=pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _execute_once(self, command: list[str], code: str) -> tuple[int, str]:
        if not self._processes.has_room():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        script = self._processes.write_script(code)
        try:
            return await self._execute_script(command, script)
        finally:
            with contextlib.suppress(OSError):  # the script may have removed its file
                os.unlink(script)  # noqa: PTH108 - hundreds per second

    async def _wait(self, future: asyncio.Future[None]) -> None:
        """Wait for something that must be done before the step begins, unless it is cancelled."""
        await asyncio.wait([future, self._ended], return_when=asyncio.FIRST_COMPLETED)

    async def _execute_script(self, command: list[str], script: str) -> tuple[int, str]:
        try:
            process = self._start([*command, script], script)
        except OSError as error:
            if error.errno in PASSING:
                raise
            return _start_failure(command[0], error)
        self._process = process
        self.begun = True
        self._watch_process(process)
        try:
            await self._ended
            await self._wait_for_others(process)
            code = process.reap()
        except asyncio.CancelledError:
            process.signal(signal.SIGKILL)
            process.reap()
            raise
        finally:
            self._process = None
            if self._watch >= 0:
                self._loop.remove_reader(self._watch)
                os.close(self._watch)
            self._drain()
        if code < 0:
            return SIGNALLED - code, f"The script was killed by signal {-code} ({_signal_name(-code)})."
        return code, ""

    def _watch_process(self, process: Process) -> None:
        """Notice its end: at once, or, while there is no descriptor for that, soon."""
        try:
            self._watch = os.pidfd_open(process.pid)
        except OSError:
            if process.has_ended():
                self._process_ended()
            elif self._process is process:
                self._loop.call_later(LOOK_PAUSE_SECONDS, self._watch_process, process)
        else:
            self._loop.add_reader(self._watch, self._process_ended)

    def _start(self, command: list[str], script: str) -> Process:
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        self._pipes = {out: self._stdout, err: self._stderr}
        try:
            process = self._processes.spawn(command, self._variables(script), out_end, err_end)
        except OSError:
            self._drain()
            raise
        finally:
            os.close(out_end)
            os.close(err_end)
        self._read_timer = self._loop.call_later(READ_DELAY_SECONDS, self._read_pipes)
        return process

    def _variables(self, script: str) -> dict[bytes, bytes]:
        variables = {**self._run.variables, "PGAGENT_STEP_SCRIPT": script}
        return {name.encode(): value.encode() for name, value in variables.items()}

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
        for pipe, output in self._pipes.items():
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
        self._pipes = {}

    def _process_ended(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    async def _wait_for_others(self, process: Process) -> None:
        """Let the other processes of a cancelled step end, too; nobody else gets the process id before it is reaped."""
        while self._cancel_status:
            looked = self._loop.time()
            if not process.others() or (self._killed and looked > self._killed + GIVE_UP_SECONDS):
                return  # those that are left are another user's, or hang in the kernel
            if self._killed:
                process.signal(signal.SIGKILL)  # also those that were being born
            await asyncio.sleep(LOOK_PAUSE_SECONDS + LOOK_PAUSE_FACTOR * (self._loop.time() - looked))

    def _kill(self) -> None:
        if self._process is not None:
            self._killed = self._loop.time()
            self._process.signal(signal.SIGKILL)


def interpreter(code: str) -> list[str]:
    """Return the command for a script: the program that its first line names, with one argument at most, or sh."""
    first = code.split("\n", 1)[0].strip()
    if not first.startswith("#!") or not (words := first[2:].split(None, 1)):
        return [SHELL]
    return words


def _start_failure(program: str, error: OSError) -> tuple[int, str]:
    if error.errno == errno.E2BIG:
        return (
            NOT_EXECUTABLE,
            "The job's parameters or names are too long for the script's environment.",
        )
    if error.errno == errno.ENOENT:
        return NOT_FOUND, f"The interpreter {program}, named by the script's first line, does not exist."
    return NOT_EXECUTABLE, f"The interpreter {program} can't be started: {error.strerror}."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
