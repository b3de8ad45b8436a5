"""The guard, seen from the launcher: a process that ends the batch steps of a launcher that was killed."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys

from . import guard_process
from .handover import inherited
from .log import Event
from .threads import in_thread

logger = logging.getLogger("pgagent_py.guard")

REPLACE_PAUSE_SECONDS = 1.0  # before a guard that ended is replaced
END_SECONDS = 5.0  # that a guard may take to end


class Guard:
    """Starts the guard's process, and starts another one if it dies."""

    def __init__(self, directory: str, table: int) -> None:
        """Guard the steps of *directory*; *table* is the descriptor of the table of their sessions."""
        self._directory = directory
        self._table = table
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = -1
        self._closed = False
        self._start()

    async def close(self, is_step_running: bool) -> None:
        """Let it clean up and end. It looks for processes only if a step is running."""
        self._closed = True
        if self._process is None:
            return
        process, self._process = self._process, None
        asyncio.get_running_loop().remove_reader(self._watch)
        os.close(self._watch)
        assert process.stdin is not None
        if not is_step_running:
            process.stdin.write(b".")
        process.stdin.close()
        try:
            await in_thread(process.wait, END_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning(Event("guard", "does not end"))

    def _start(self) -> None:
        # In a session of its own: signals from the launcher's terminal must not reach the guard.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard_process.__file__, self._directory, str(self._table)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[self._table],
            start_new_session=True,
            env=inherited(),
        )
        try:
            self._watch = os.pidfd_open(self._process.pid)
        except OSError:
            self._process.kill()  # before its pipe ends: it would kill the steps
            self._forget()
            raise
        asyncio.get_running_loop().add_reader(self._watch, self._ended)

    def _ended(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._watch)
        os.close(self._watch)
        if self._process is not None:
            logger.warning(Event("guard", f"ended with status {self._forget()}; starting another"))
            loop.call_later(REPLACE_PAUSE_SECONDS, self._replace)

    def _forget(self) -> int:
        """Forget a process that has ended; return its status."""
        process, self._process = self._process, None
        assert process is not None
        assert process.stdin is not None
        status = process.wait()
        process.stdin.close()
        return status

    def _replace(self) -> None:
        if self._closed or self._process is not None:
            return
        try:
            self._start()
        except OSError as error:
            logger.warning(Event("guard", f"can't be started, trying again: {error.strerror}"))
            asyncio.get_running_loop().call_later(REPLACE_PAUSE_SECONDS, self._replace)
