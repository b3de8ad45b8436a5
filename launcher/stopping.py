"""How a launcher ends when it is told to stop: what happens, and after how long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .log import Event
from .systemd import notify_systemd

logger = logging.getLogger("pgagent_py")

KILL_SECONDS = 3.0  # from asking a step to stop to killing it
GIVE_UP_SECONDS = 10.0  # more, in which the launcher tries to book what it has
HURRIED_GIVE_UP_SECONDS = 2.0  # the same when it is told twice, or has nothing to book
LAST_ANSWER_SECONDS = 2.0  # more for the server to answer what it was asked last


class Stopping:
    """Has been asked to stop, has given up, or neither."""

    def __init__(
        self,
        grace: float,
        cancel_all: Callable[[str, bool], None],
        on_event: Callable[[], None],
        cut: Callable[[], None],
    ) -> None:
        """*grace*: seconds that running steps have. *cancel_all* stops them, or kills; *cut* ends all talk with the server."""
        self._grace = grace
        self._cancel_all = cancel_all
        self._on_event = on_event
        self._cut = cut
        self.asked = False  # no more steps are taken, and the launcher ends when the running ones have ended
        self.announces = True  # a launcher of many databases says once for all that it stops
        self.given_up = False  # runs that are not booked are left for another agent to close

    def stop(self, running: int) -> None:
        """Take no more jobs; *running* steps have their time to end. A second call hurries."""
        later = asyncio.get_running_loop().call_later
        if self.asked:
            self._cancel_all("The launcher was told twice to stop.", True)
            self.give_up_soon()
        else:
            if self.announces:
                logger.info(Event("stop", f"steps in progress: {running}"))
                notify_systemd("STOPPING=1")
            self.asked = True
            note = "The launcher was told to stop."
            later(self._grace, self._cancel_all, note, False)
            later(self._grace + KILL_SECONDS, self._cancel_all, note, True)
            later(self._grace + KILL_SECONDS + GIVE_UP_SECONDS, self._give_up)
        self._on_event()

    def leave(self) -> None:
        """End: nothing is running and nothing is due."""
        self.asked = True
        self._on_event()

    def give_up_now(self) -> None:
        """End without the server."""
        self.asked = True
        self._give_up()

    def give_up_soon(self) -> None:
        """Give up after a short time, even if not everything is booked by then."""
        asyncio.get_running_loop().call_later(HURRIED_GIVE_UP_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self.given_up = True
        self._on_event()
        asyncio.get_running_loop().call_later(LAST_ANSWER_SECONDS, self._cut)
