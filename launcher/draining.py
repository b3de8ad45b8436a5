"""Draining: a launcher that is told to finishes the steps that it runs, takes nothing more, and may end then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from .control import DRAIN, Control
from .log import Event
from .stopping import Stopping
from .systemd import notify_systemd

logger = logging.getLogger("pgagent_py")


class Draining:
    """Knows whether the launcher is draining. The database decides: anybody who may can drain it there, and undrain it."""

    def __init__(
        self,
        agent: UUID,
        *,
        ends: bool,
        stopping: Stopping,
        stop: Callable[[], None],
        on_event: Callable[[], None],
    ) -> None:
        """*ends*: the launcher stops when it is drained."""
        self._stop = stop
        self._agent = agent
        self._ends = ends
        self._stopping = stopping
        self._on_event = on_event
        self._asked = False
        self.on = False

    def ask(self, *, ends: bool) -> None:
        """Drain, as soon as the database can be told. *ends*: the launcher stops then, also one of many databases."""
        self._asked, self._ends = True, ends
        self._on_event()

    async def look(self, control: Control, in_progress: int) -> None:
        """Tell the database, if asked to, and find out what it says; end if nothing is *in_progress*."""
        if self._asked:
            await control.drain(self._agent)
            self._asked = False
        if control.heard(DRAIN) and self.on != await control.is_draining():
            self.on = not self.on
            words = "begins" if self.on else "ends"
            logger.info(Event("drain", f"{words}, steps in progress: {in_progress}"))
            notify_systemd("STATUS=Draining" if self.on else "STATUS=Serving")
        self.end(in_progress)

    def end(self, in_progress: int) -> None:
        """Stop the launcher if it is to end when drained, and nothing is *in_progress* any more."""
        if self.on and self._ends and not in_progress and not self._stopping.asked:
            self._stop()
