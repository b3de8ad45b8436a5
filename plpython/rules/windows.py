"""Windows: when jobs may start. Arithmetic on instants, as schedule.py has them, without a server.

A window opens as a schedule fires, each time for so many seconds. Openings that overlap or touch are one. A *closed* window keeps
jobs from starting while it is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from .schedule import Schedule, next_run
from .zones import Zone

DAY = 86_400
MINUTE, ALMOST_AN_HOUR = 60, 59 * 60
HOUR_MASK = (1 << 60) - 1  # of the minutes of the day
# Openings that are seen to be one: of more, the end is not foreseen.
MOST_JOINED = 5_000
# Changes of windows that are looked at: a job that may not start after any of these never starts.
MOST_CHANGES = 1_000
# How far back the end of an opening is looked for, in days.
BACK = (1, 8, 64, 512)


class Opening(NamedTuple):
    """A window is open from *opens* on, before *closes*. *known*: until then, if its end is not foreseen (closes is infinity)."""

    opens: float
    closes: float
    known: float


class Window:
    """A window: its rules, each of which opens it for *duration* seconds. *broken*: why nobody can say when."""

    def __init__(
        self,
        rules: Sequence[tuple[Schedule, Zone]],
        duration: float,
        closed: bool = False,
        broken: Exception | None = None,
    ) -> None:
        self._rules = rules
        self._duration = duration
        self._dense = [rule for rule in rules if duration >= MINUTE and _is_dense(rule[0])]
        self.closed = closed
        self.broken = broken
        self._from: float = inf
        self._found: Opening | None = None

    def opening(self, at: float) -> Opening | None:
        """Return the opening that holds *at*, else the next one; None if there is none."""
        found = self._found
        if self._from <= at and (found is None or at < min(found.closes, found.known)):
            return found
        self._found, self._from = self._find(at), at
        return self._found

    def is_open(self, at: float) -> bool:
        """Return whether *at* is in an opening. A closed window that nobody can tell of counts as open, another one does not."""
        if self.broken:
            return self.closed
        found = self.opening(at)
        return found is not None and found.opens <= at

    def change(self, at: float) -> float:
        """Return when the window opens or closes next, later than *at*; infinity if never."""
        found = None if self.broken else self.opening(at)
        if found is None:
            return inf
        return min(found.closes, found.known) if found.opens <= at else found.opens

    def _find(self, at: float) -> Opening | None:
        opens = self._next(at - self._duration)
        if opens is None:
            return None
        fired = opens
        for _ in range(MOST_JOINED):
            end = fired + self._duration
            if self._goes_on(fired):
                fired += ALMOST_AN_HOUR
                continue
            later = self._next(end - self._duration / 2)  # of many that overlap not all are looked at
            if later is None or later > end:
                later = self._next(fired)
            if later is None or later > end:
                return Opening(opens, end, end)
            fired = later
        return Opening(opens, inf, fired + self._duration)

    def _goes_on(self, fired: float) -> bool:
        """Return whether it fires at each minute of almost an hour: of hours in which each minute fires, both ends do."""
        return any(
            next_run(schedule, zone, fired - 1) == fired
            and next_run(schedule, zone, fired + ALMOST_AN_HOUR - 1) == fired + ALMOST_AN_HOUR
            for schedule, zone in self._dense
        )

    def _next(self, after: float) -> float | None:
        found = (next_run(schedule, zone, after) for schedule, zone in self._rules)
        return min((float(instant) for instant in found if instant is not None), default=None)


def _is_dense(schedule: Schedule) -> bool:
    """Return whether each minute fires of the hours that have any."""
    times = schedule.wall_minutes.times
    return all(times >> 60 * hour & HOUR_MASK in (0, HOUR_MASK) for hour in range(24))


GONE = Window([], MINUTE, False, ValueError("it is gone"))

# The windows of a job and of its class, by name: both must let it start.
Names = Sequence[Sequence[str]]


def split_names(*lists: str | None) -> list[list[str]]:
    """Return the names of windows in each list, as "window" has them."""
    return [text.split(", ") for text in lists if text]


class Windows:
    """All windows, by name. A name that is none of them stands for a window that never opens."""

    def __init__(self, windows: dict[str, Window]) -> None:
        self._windows = windows

    def __bool__(self) -> bool:
        return bool(self._windows)

    def items(self) -> Iterable[tuple[str, Window]]:
        """Return the windows with their names."""
        return self._windows.items()

    def change(self, at: float) -> float:
        """Return when a window opens or closes next, later than *at*; infinity if never."""
        return min((window.change(at) for window in self._windows.values()), default=inf)

    def shut(self, names: Names, at: float) -> list[str]:
        """Return the windows that keep a job from starting at *at*: closed ones that are open, else others of which none is."""
        for group in names:
            known = [(name, self._windows.get(name, GONE)) for name in group]
            blocked = [name for name, window in known if window.closed and window.is_open(at)]
            others = [(name, window) for name, window in known if not window.closed]
            if blocked:
                return blocked
            if others and not any(window.is_open(at) for _, window in others):
                return [name for name, _ in others]
        return []

    def start(self, names: Names, at: float) -> float:
        """Return the first instant, *at* or later, at which a job may start; infinity if there is none."""
        for _ in range(MOST_CHANGES):
            shut = [self._windows.get(name, GONE) for name in self.shut(names, at)]
            if not shut:
                return at
            # A closed window must close, one of the others open. The end of what is open for ever is not waited for.
            ends = [self._end(window, at) for window in shut if window.closed]
            at = max(ends) if ends else min(window.change(at) for window in shut)
            if at == inf:
                break
        return inf

    def _end(self, window: Window, at: float) -> float:
        found = None if window.broken else window.opening(at)
        return inf if found is None else found.closes

    def closed_since(self, names: Names, at: float) -> float:
        """Return since when a job may not start at *at*, about; *at* if it may."""
        if not self.shut(names, at):
            return at
        for days in BACK:
            last, was_shut = None, True
            for change in self._changes(names, at - days * DAY, at):
                is_shut = bool(self.shut(names, change))
                last, was_shut = (change if is_shut and not was_shut else last), is_shut
            if last is not None:
                return last
        return at - BACK[-1] * DAY

    def _changes(self, names: Names, after: float, until: float) -> Iterator[float]:
        """Yield *after* and the instants up to *until* at which one of the windows opens or closes."""
        windows = [self._windows[name] for group in names for name in group if name in self._windows]
        for _ in range(MOST_CHANGES):
            if after > until or not windows:
                return
            yield after
            after = min(window.change(after) for window in windows)
