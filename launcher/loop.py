"""The loop: books finished steps, starts due ones, sleeps until the next event. It lasts as long as its connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import psycopg

from .confirmation import Confirmation, now
from .control import CANCEL, Control
from .draining import Draining
from .log import Event
from .options import Options
from .places import Places, User
from .running_steps import RunningSteps
from .side_task import SideTask
from .stopping import Stopping
from .vitals import Vitals

logger = logging.getLogger("pgagent_py")

# Steps beyond the workers, at most, of owners with nothing running here: so no owner holds up another.
MOST_OWN_PLACES = 100
RELEASED_SECONDS = (
    3.0  # between two looks for jobs that somebody has released while a step of theirs is on an engine
)
LONGEST_SLEEP_SECONDS = 30.0  # the trigger pgagent_py_notify_due counts on it
# Between two calls while the last steps end: so the server is seen to be away, and behind a pooler the agent to be alive
LONGEST_SILENCE_SECONDS = 10.0
TIMER_MARGIN_SECONDS = 0.001  # that a timer is set late, so that the job is due when it rings
SHORT_STEP_SECONDS = (
    0.003  # in which a running step may well end: before, it is too soon to ask how long to sleep
)
# Between looks at a due job that the last turn has not taken. The first look is at once: the job may have become due since.
FIRST_OVERDUE_SECONDS, LONGEST_OVERDUE_SECONDS = 0.05, 1.0


class Loop:
    """Serves a database over one control connection."""

    def __init__(
        self,
        control: Control,
        options: Options,
        steps: RunningSteps,
        confirmation: Confirmation,
        side_tasks: Sequence[SideTask],
        stopping: Stopping,
        draining: Draining,
        event: asyncio.Event,
        vitals: Vitals,
        places: Places,
        user: User,
    ) -> None:
        """Serve with *control*, on which the agent has been started; *event* is set when there may be something to do."""
        self._control = control
        self._options = options
        self._steps = steps
        self._confirmation = confirmation
        self._side_tasks = side_tasks
        self._stopping = stopping
        self._draining = draining
        self._event = event
        self._vitals = vitals
        self._places, self._user = places, user
        self._overdue = 0.0
        self._asked_for_released = 0.0
        self._asked = 0.0  # when the server was asked last
        self.has_turned = False

    async def resume(self) -> None:
        """Carry on with what an earlier connection left in progress."""
        asked = now()
        in_progress = await self._control.steps_in_progress()
        runs = await self._control.own_runs()
        self._steps.resume(in_progress, runs, start=not self._stopping.asked)
        self._confirmation.confirm(asked)

    async def run(self) -> None:
        """Turn until told to stop and all is booked; psycopg.Error when the connection is lost."""
        while not self._is_done():
            self._event.clear()
            self._control.check()
            if self._control.heard(CANCEL) or self._looks_for_released():
                self._steps.cancel_runs(await self._control.cancelled_runs())
            await self._draining.look(self._control, self._in_progress())
            self._steps.sweep()
            if self._confirmation.is_wanted:
                await self._confirm()
            await self._hand_back()
            free = await self._turn()
            self._draining.end(self._in_progress())  # the turn has booked the last step
            self.has_turned = True
            await self._do_side_tasks()
            if not self._event.is_set() and not self._is_done():
                await self._wait(free)
            if self._stopping.given_up:
                break
        await self._control.stop_agent()

    def _in_progress(self) -> int:
        """Return how many steps are to end, and to be booked, before a drained launcher does."""
        return len(self._steps) - self._steps.lasting + self._steps.unbooked

    def _looks_for_released(self) -> bool:
        """Return whether to look, now and then, for released jobs with steps that would go on without them."""
        if not self._steps.lasting or now() < self._asked_for_released + RELEASED_SECONDS:
            return False
        self._asked_for_released = now()
        return True

    async def _confirm(self) -> None:
        asked = now()
        await self._control.confirm()
        self._confirmation.confirm(asked)

    async def _hand_back(self) -> None:
        """Hand back what has waited too long for a worker."""
        late = self._steps.workers.take_late(all_=self._stopping.asked or self._draining.on)
        if late:
            handed_back = set[int]()
            try:
                handed_back = await self._control.hand_back([waiting.run.jlgid for waiting in late])
                logger.debug(Event("hand_back", f"{len(handed_back)} of {len(late)}"))
            finally:
                self._steps.workers.return_late(late, handed_back)

    def _is_done(self) -> bool:
        if not self._stopping.asked or len(self._steps) or self._steps.unbooked:
            return False
        return not any(task.busy for task in self._side_tasks)

    async def _turn(self) -> int:
        """Book results and start the steps that are handed out; return how many workers are free."""
        stopping = self._stopping.asked
        connecting = self._steps.connecting()
        # A step that waits for a connection needs no worker.
        taken = self._steps.places - len(connecting)
        free = 0 if stopping else self._places.free(self._user, taken)
        results = self._steps.take_results()
        if stopping and not results:
            return 0
        ahead = 0 if stopping or self._places.shared else self._steps.workers.ahead(results)
        own_places = 0 if stopping else max(0, MOST_OWN_PLACES + min(free, 0))
        self._asked = asked = now()
        try:
            runs = await self._control.run_due(max(free, 0), results, connecting, own_places, ahead)
        except BaseException:
            self._steps.put_back(results)
            raise
        self._steps.booked(results)
        self._vitals.turned(asked)
        self._confirmation.confirm(asked)
        self._control.news.log(self._steps.failed)
        begun = sum(not run.ahead for run in runs)
        self._places.took(self._user, begun, free)
        for run in runs:
            self._steps.start(run)
        if runs:
            self._vitals.worked_at = self._vitals.turned_at
            self._overdue = 0.0
            self._control.wake_ups.was_useful()
        if self._steps.unbooked:
            self._event.set()  # the rest at once
        return free - begun

    async def _do_side_tasks(self) -> None:
        idle = not self._event.is_set()
        for task in self._side_tasks:
            try:
                await task.turn(self._control, idle=idle, stopping=self._stopping.asked)
            except psycopg.Error as error:
                if self._control.closed:
                    raise
                logger.warning(Event(task.name, f"trying again later: {str(error).strip()}"))

    async def _wait(self, free: int) -> None:
        """Sleep until a step ends, a job is due, the launcher is notified or told to stop."""
        if len(self._steps):
            await wait_for_event(self._event, SHORT_STEP_SECONDS)
            if self._event.is_set():
                return
        times = [self._options.longest_sleep, LONGEST_SLEEP_SECONDS, self._steps.seconds()]
        times.append(self._steps.workers.seconds())
        times += [task.seconds() for task in self._side_tasks]
        if not self._stopping.asked:
            times.append(await self._seconds_until_due(free))
        elif now() > self._asked + LONGEST_SILENCE_SECONDS:
            self._asked = now()
            await self._control.next_wake()
        await wait_for_event(self._event, min(seconds for seconds in times if seconds is not None))

    async def _seconds_until_due(self, free: int) -> float | None:
        seconds = await self._control.next_wake()
        if seconds is None:
            return None
        if seconds <= 0:
            if free <= 0:  # it most likely waits for a worker, which wakes the loop
                self._overdue = max(self._overdue, FIRST_OVERDUE_SECONDS)
            seconds = self._overdue
            self._overdue = min(max(self._overdue * 2, FIRST_OVERDUE_SECONDS), LONGEST_OVERDUE_SECONDS)
        return seconds + TIMER_MARGIN_SECONDS


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """Wait for *event*, but no longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
