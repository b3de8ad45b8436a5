"""When a schedule fires: arithmetic on whole numbers, with no clock, no server and no limit on years.

Instants are seconds since 1970-01-01 00:00 UTC. wall_minutes.py says at which wall minutes a schedule may fire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from heapq import merge
from math import floor, inf
from typing import NamedTuple, Union

from .day_rules import DayRule
from .every import WEEK, find_windows, next_multiple
from .wall_minutes import Exceptions, WallMinutes, compile_wall_minutes
from .zones import FIRST_INSTANT, LAST_INSTANT, SHIFT, Zone

__all__ = ["Schedule", "compile_schedule", "firings", "merge_runs", "next_run"]

MICRO = 1_000_000
# Seconds. A Decimal is exact in far years, too, where a float has no room for microseconds.
Instant = Union[int, float, Decimal]
SUNDAY = 3 * 86_400  # 1970-01-04: weeks are counted from there
# How often an interval may miss openings at its times of the week before it is taken never to meet one.
EVERY_TRIES = 120
# Most intervals meet one of the first openings. Only then is it worth while to look ahead.
NEAR_TRIES = 2


def in_seconds(micros: int) -> Instant:
    """Return microseconds as seconds, without loss."""
    if micros % MICRO == 0:
        return micros // MICRO
    seconds = micros / MICRO
    return seconds if round(seconds * MICRO) == micros else Decimal(micros) / MICRO


class Schedule(NamedTuple):
    """When something fires; made by ``compile_schedule``."""

    wall_minutes: WallMinutes
    start: Instant
    end: Instant
    zone: str
    every: int | None
    at: Instant | None
    delay: int = 0


def compile_schedule(
    minutes: str,
    hours: str,
    weekdays: str,
    monthdays: str,
    months: str,
    start: Instant | None,
    end: Instant | None,
    zone: str,
    exceptions: Exceptions = (),
    every: int | None = None,
    at: Instant | None = None,
    blocked_days: tuple[int, ...] = (),
    only_days: tuple[int, ...] | None = None,
    rule: DayRule | None = None,
    delay: int = 0,
) -> Schedule:
    """Return the schedule of a row of pga_schedule and what belongs to it, ready for ``next_run``.

    The five sets are the columns as text, ``{t,f,...}``. *start* and *end* are instants; None and the
    infinities mean no limit. *every* fires each so many seconds from *start* on, *at* once, at that
    instant; the sets, the exceptions, *blocked_days*, *only_days* (None: all days) and *rule* still say when it may.
    *delay* is added to what they say, in seconds.
    """
    wall_minutes = compile_wall_minutes(
        minutes, hours, weekdays, monthdays, months, exceptions, blocked_days, only_days, rule
    )
    return Schedule(
        wall_minutes, -inf if start is None else start, inf if end is None else end, zone, every, at, delay
    )


def next_run(schedule: Schedule, zone: Zone, after: Instant) -> Instant | None:
    """Return the first instant strictly later than *after* at which *schedule* fires, or None.

    *zone* is the Zone of ``schedule.zone``. It is not asked for anything if no date can ever match.
    """
    allowed, start, end, _, every, at, delay = schedule
    if after == inf or start == inf or not allowed.possible:
        return None
    if delay:
        found = next_run(schedule._replace(delay=0), zone, after - delay)
        return None if found is None or found + delay > LAST_INSTANT else found + delay
    if at is not None:
        return _only_run(schedule, zone, at) if at > after else None
    if every is not None:
        return _next_of_every(schedule, zone, every, after)
    lower = max(floor(after) + 1, FIRST_INSTANT) if after > -inf else FIRST_INSTANT
    if start > after:
        # The start counts from its minute, which is one of the wall clock.
        second = floor(start)
        lower = max(lower, second - (second + zone.segment(second)[2]) % 60)
    found = _next_any_hour(allowed, zone, lower) if allowed.any_hour else _next_once(allowed, zone, lower)
    return found if found is not None and found <= end and found <= LAST_INSTANT else None


NextRun = Callable[[Schedule, Zone, Instant], "Instant | None"]


def firings(schedule: Schedule, zone: Zone, after: Instant, find: NextRun = next_run) -> Iterator[Instant]:
    """Yield each instant later than *after* at which *schedule* fires, in order; *find* looks for the next one."""
    found = find(schedule, zone, after)
    while found is not None:
        yield found
        found = find(schedule, zone, found)


def merge_runs(
    schedules: Iterable[tuple[Schedule, Zone]], after: Instant, count: int, find: NextRun = next_run
) -> list[Instant]:
    """Return the first *count* instants later than *after* at which any of *schedules* fires, each once."""
    runs: list[Instant] = []
    if count <= 0:
        return runs
    for instant in merge(*(firings(schedule, zone, after, find) for schedule, zone in schedules)):
        if not runs or instant != runs[-1]:
            runs.append(instant)
            if len(runs) == count:
                break
    return runs


def _next_once(allowed: WallMinutes, zone: Zone, lower: int) -> int | None:
    """Return when the first matching wall minute fires, each exactly once, at *lower* or later."""
    wall = allowed.next_minute(-(-zone.high_water(lower) // 60))
    return None if wall is None else zone.instant(wall * 60)


def _next_any_hour(allowed: WallMinutes, zone: Zone, lower: int) -> int | None:
    """Return the first real instant, *lower* or later, whose wall clock matches."""
    while True:
        _, end, offset = zone.segment(lower)
        wall = allowed.next_minute(-(-(lower + offset) // 60))
        if wall is not None and wall * 60 - offset < end:
            return wall * 60 - offset
        if end - lower < SHIFT:
            lower = end  # the clock may be set back there, to a time before what was searched
        elif wall is None:
            return None
        else:
            lower = max(end, wall * 60 - SHIFT)


def _next_of_every(schedule: Schedule, zone: Zone, every: int, after: Instant) -> Instant | None:
    """Return the first start + k * every later than *after* whose wall minute matches, or None."""
    allowed, start = schedule.wall_minutes, schedule.start
    # Whole microseconds, as timestamptz has them: sums of floats would drift from the anchor.
    anchor = round(start * MICRO) if start > -inf else 0
    step = every * MICRO
    last = min(schedule.end, LAST_INSTANT) * MICRO
    lower = max(round(max(after, FIRST_INSTANT) * MICRO) + 1, anchor)
    far: _FarTries | None = None
    for tries in range(EVERY_TRIES):
        run = anchor - (anchor - lower) // step * step
        if tries == NEAR_TRIES and run <= last:
            far = _FarTries(allowed, zone, every, run // MICRO)
        if far:
            ahead = far.skip(run // MICRO)
            if ahead is None:
                return None
            run += ahead * step
        if run > last:
            return None
        instant = run // MICRO
        open_from = far.first_chance(instant) if far else instant
        if open_from == instant:
            _, until, offset = zone.segment(instant)
            minute = instant - (instant + offset) % 60
            open_from = _next_any_hour(allowed, zone, minute)
            if open_from == minute:
                return in_seconds(run)
            if far and open_from is not None:
                open_from = max(open_from, far.next_try(instant, until, offset))
        if open_from is None:
            return None
        lower = open_from * MICRO
    return None


class _FarTries:
    """Where an interval may meet the openings of a schedule, without a look at each opening or at the zone of far years.

    It goes by all offsets that the zone will ever have. So it may say maybe where the offset in force says no, never the
    reverse.
    """

    def __init__(self, allowed: WallMinutes, zone: Zone, every: int, instant: int) -> None:
        self._next_minute = allowed.next_minute
        self._every = every
        week = allowed.minutes_of_week()
        self._windows = {
            offset: find_windows(week, every, (instant + offset - SUNDAY) % WEEK)
            for offset in zone.offsets(instant)
        }

    def skip(self, instant: int) -> int | None:
        """Return after how many intervals from *instant* on the time of day may match first, None for never."""
        multiples = [self._multiple(instant, offset) for offset in self._windows]
        return min((k for k in multiples if k is not None), default=None)

    def next_try(self, instant: int, until: int, offset: int) -> int:
        """Return when the time of day may match first if *offset* is in force from *instant* to *until*, else *until*."""
        if offset not in self._windows:
            return instant  # by made-up rules, in force for less than Zone.offsets looks at
        ahead = self._multiple(instant, offset)
        return until if ahead is None else min(instant + ahead * self._every, until)

    def _multiple(self, instant: int, offset: int) -> int | None:
        return next_multiple(self._windows[offset], self._every, (instant + offset - SUNDAY) % WEEK)

    def first_chance(self, instant: int) -> int | None:
        """Return *instant* if its minute may match, else an instant before which none does, None for never."""
        chances = [
            (wall, offset)
            for offset in self._windows
            if (wall := self._next_minute((instant + offset) // 60)) is not None
        ]
        return min((max(instant, wall * 60 - offset) for wall, offset in chances), default=None)


def _only_run(schedule: Schedule, zone: Zone, at: Instant) -> Instant | None:
    """Return *at* if the rest of the schedule lets it fire then."""
    if not schedule.start <= at <= schedule.end:
        return None
    wall = (floor(at) + zone.segment(floor(at))[2]) // 60
    return at if schedule.wall_minutes.next_minute(wall) == wall else None
