"""Upkeep: what a launcher does beside executing jobs, a little at a time: it sends messages and purges the history."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import psycopg

from .control import Control
from .sender import MessageSender
from .smtp import Smtp

logger = logging.getLogger("pgagent_py.upkeep")

BATCH = 50  # messages sent in one go
LOOK_EVERY = 60.0  # seconds between two looks for messages that other launchers left
PURGE_JOBS = 500  # jobs whose history is looked at in one go
PURGE_EVERY, PURGE_AGAIN = (
    20.0,
    0.5,
)  # seconds between two goes, when there was nothing to delete, and when there was
AFTER_ERROR = 60.0  # seconds


class Upkeep:
    """Sends messages and purges the history, on a connection that is at rest."""

    def __init__(self, smtp: Smtp, on_event: Callable[[], None]) -> None:
        """*on_event* is called when a turn is wanted before its time."""
        self._sender = MessageSender(smtp, on_event)
        self._look_at = self._purge_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether messages are on their way, or have not been booked yet."""
        return self._sender.busy or bool(self._sender.results)

    def seconds(self) -> float:
        """Return after how long the next turn has something to do."""
        return max(min(self._look_at, self._purge_at) - asyncio.get_running_loop().time(), 0.0)

    async def turn(self, control: Control, *, idle: bool, stopping: bool) -> None:
        """Do what is to be done now, some milliseconds' worth; nothing new when *stopping*.

        Unless the launcher is *idle* the history has time, but not for ever.
        """
        now = asyncio.get_running_loop().time()
        try:
            if self._sender.results:
                await self._finish(control)
            if not stopping and not self._sender.busy and (control.message_queued or now >= self._look_at):
                self._look_at = now + AFTER_ERROR
                await self._take(control)
            if not stopping and now >= self._purge_at + (0.0 if idle else PURGE_EVERY):
                self._purge_at = now + AFTER_ERROR
                deleted = await control.purge_history(PURGE_JOBS)
                self._purge_at = now + (PURGE_AGAIN if deleted else PURGE_EVERY)
        except psycopg.Error as error:
            if control.closed:
                raise
            logger.warning("action=upkeep trying again later: %s", str(error).strip())

    async def _finish(self, control: Control) -> None:
        results = self._sender.results[:]
        await control.finish_messages(
            [r.id for r in results], [r.error for r in results], [r.permanent for r in results]
        )
        del self._sender.results[: len(results)]
        self._look_at = 0.0

    async def _take(self, control: Control) -> None:
        control.message_queued = False
        messages = await control.take_messages(BATCH)
        now = asyncio.get_running_loop().time()
        if messages:
            self._look_at = now + LOOK_EVERY  # or when this batch is done
            self._sender.start(messages)
            return
        seconds = await control.next_message()
        self._look_at = now + (LOOK_EVERY if seconds is None else min(max(seconds, 0.05), LOOK_EVERY))

    def cancel(self) -> None:
        """Stop sending; another launcher will."""
        self._sender.cancel()

    async def close(self) -> None:
        """Stop, whatever is on its way."""
        await self._sender.close()
