"""When a schedule fires: arithmetic on whole numbers, with no clock, no server and no limit on years.

Instants are seconds since 1970-01-01 00:00 UTC. A *wall minute* is what the zone's clock shows, counted
in minutes since 1970-01-01 00:00 of that clock, and a *day* is counted from the same day. Sets are bit
masks, so the next member of one is a shift and the lowest bit that is left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import merge
from math import floor, inf
from typing import NamedTuple

from .every import WEEK, find_windows, next_multiple
from .zones import FIRST_INSTANT, LAST_INSTANT, SHIFT, Zone

__all__ = ["Calendar", "Schedule", "compile_schedule", "firings", "merge_runs", "next_run"]

MINUTES_PER_DAY = 1_440
LAST_YEAR = 294_277
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DAYS_TO_1970 = 719_162
WEEKS = ((1 << 371) - 1) // 127
"""The first day of each of 53 weeks."""

MICRO = 1_000_000
SUNDAY = 3 * 86_400  # 1970-01-04: weeks are counted from there
# How often an interval may miss openings at its times of the week before it is taken never to meet one.
EVERY_TRIES = 120
# Most meet one of the first openings; only then is it worth while to look ahead.
NEAR_TRIES = 2


Exceptions = tuple[tuple[int | None, int | None], ...]
"""(day, minute of the day) of each; None in place of one means every day, or the whole day."""


class Calendar(NamedTuple):
    """The wall minutes that the five sets, the exceptions and the calendars of dates leave."""

    times: int
    """Minutes of the day, less those that are blocked on every day."""
    days: tuple[int, ...]
    """Days of the year, for each of the 14 kinds of year (weekday of 1 January, then leap years)."""
    any_hour: bool
    blocked_days: Mapping[int, int]
    """Year -> days of the year that are blocked."""
    blocked_times: Mapping[int, int]
    """Day -> minutes of that day that are blocked."""
    only_days: tuple[int, ...] | None
    """If there is a calendar of only days: those that the rest leaves, in order."""

    def next_day(self, day: int) -> int | None:
        """Return the first day that matches, *day* or later."""
        if self.only_days is not None:
            index = bisect_left(self.only_days, day)
            return self.only_days[index] if index < len(self.only_days) else None
        year, first = year_of(day)
        while year <= LAST_YEAR:
            following = first_day(year + 1)
            days = self.days[(first + 4) % 7 + (7 if following - first == 366 else 0)]
            if self.blocked_days:
                days &= ~self.blocked_days.get(year, 0)
            rest = days >> (day - first)
            if rest:
                return day + (rest & -rest).bit_length() - 1
            year += 1
            day = first = following
        return None

    def next_minute(self, wall: int) -> int | None:
        """Return the first wall minute that matches, *wall* or later."""
        day, minute = divmod(wall, MINUTES_PER_DAY)
        while True:
            found = self.next_day(day)
            if found is None:
                return None
            if found != day:
                day, minute = found, 0
            times = self.times
            if self.blocked_times:
                times &= ~self.blocked_times.get(day, 0)
            rest = times >> minute
            if rest:
                return day * MINUTES_PER_DAY + minute + (rest & -rest).bit_length() - 1
            day, minute = day + 1, 0

    def minutes_of_week(self) -> int:
        """Return the mask of the minutes of the week, from Sunday on, that match in some week."""
        if self.only_days is None:
            first_days = enumerate(self.days)
            weekdays = {(kind + n) % 7 for kind, days in first_days for n in range(7) if days & WEEKS << n}
        else:
            weekdays = {(day + 4) % 7 for day in self.only_days}
        return sum(self.times << MINUTES_PER_DAY * weekday for weekday in weekdays)

    @property
    def possible(self) -> bool:
        """Whether any date and time can match at all (30 February can not)."""
        return self.times != 0 and (any(self.days) if self.only_days is None else bool(self.only_days))


class Schedule(NamedTuple):
    """When something fires; made by ``compile_schedule``."""

    calendar: Calendar
    start: float
    end: float
    zone: str
    every: int | None
    at: float | None


def compile_schedule(
    minutes: str,
    hours: str,
    weekdays: str,
    monthdays: str,
    months: str,
    start: float | None,
    end: float | None,
    zone: str,
    exceptions: Exceptions = (),
    every: int | None = None,
    at: float | None = None,
    blocked_days: tuple[int, ...] = (),
    only_days: tuple[int, ...] | None = None,
) -> Schedule:
    """Return the schedule of a row of pga_schedule and what belongs to it, ready for ``next_run``.

    The five sets are the columns as text, ``{t,f,...}``. *start* and *end* are instants; None and the
    infinities mean no limit. *every* fires each so many seconds from *start* on, *at* once, at that
    instant; the sets, the exceptions, *blocked_days* and *only_days* (None: all days) still say when it may.
    """
    calendar = _compile_calendar(
        minutes, hours, weekdays, monthdays, months, exceptions, blocked_days, only_days
    )
    return Schedule(calendar, -inf if start is None else start, inf if end is None else end, zone, every, at)


def next_run(schedule: Schedule, zone: Zone, after: float) -> int | float | None:
    """Return the first instant strictly later than *after* at which *schedule* fires, or None.

    *zone* is the Zone of ``schedule.zone``. It is not asked for anything if no date can ever match.
    """
    calendar, start, end, _, every, at = schedule
    if after == inf or start == inf or not calendar.possible:
        return None
    if at is not None:
        return _only_run(schedule, zone, at) if at > after else None
    if every is not None:
        return _next_of_every(schedule, zone, every, after)
    lower = max(floor(after) + 1, FIRST_INSTANT) if after > -inf else FIRST_INSTANT
    if start > after:
        # The start counts from its minute, which is one of the wall clock.
        second = floor(start)
        lower = max(lower, second - (second + zone.segment(second)[2]) % 60)
    found = _next_any_hour(calendar, zone, lower) if calendar.any_hour else _next_once(calendar, zone, lower)
    return found if found is not None and found <= end and found <= LAST_INSTANT else None


NextRun = Callable[[Schedule, Zone, float], "int | float | None"]


def firings(schedule: Schedule, zone: Zone, after: float, find: NextRun = next_run) -> Iterator[int | float]:
    """Yield each instant later than *after* at which *schedule* fires, in order; *find* looks for the next one."""
    found = find(schedule, zone, after)
    while found is not None:
        yield found
        found = find(schedule, zone, found)


def merge_runs(
    schedules: Iterable[tuple[Schedule, Zone]], after: float, count: int, find: NextRun = next_run
) -> list[int | float]:
    """Return the first *count* instants later than *after* at which any of *schedules* fires, each once."""
    runs: list[int | float] = []
    if count <= 0:
        return runs
    for instant in merge(*(firings(schedule, zone, after, find) for schedule, zone in schedules)):
        if not runs or instant != runs[-1]:
            runs.append(instant)
            if len(runs) == count:
                break
    return runs


def _next_once(calendar: Calendar, zone: Zone, lower: int) -> int | None:
    """Return when the first matching wall minute fires, each exactly once, at *lower* or later."""
    wall = calendar.next_minute(-(-zone.high_water(lower) // 60))
    return None if wall is None else zone.instant(wall * 60)


def _next_any_hour(calendar: Calendar, zone: Zone, lower: int) -> int | None:
    """Return the first real instant, *lower* or later, whose wall clock matches."""
    while True:
        _, end, offset = zone.segment(lower)
        wall = calendar.next_minute(-(-(lower + offset) // 60))
        if wall is not None and wall * 60 - offset < end:
            return wall * 60 - offset
        if end - lower < SHIFT:
            lower = end  # the clock may be set back there, to a time before what was searched
        elif wall is None:
            return None
        else:
            lower = max(end, wall * 60 - SHIFT)


def _next_of_every(schedule: Schedule, zone: Zone, every: int, after: float) -> int | float | None:
    """Return the first start + k * every later than *after* whose wall minute matches, or None."""
    calendar, start = schedule.calendar, schedule.start
    # Whole microseconds, as timestamptz has them: sums of floats would drift from the anchor.
    anchor = round(start * MICRO) if start > -inf else 0
    step = every * MICRO
    last = min(schedule.end, LAST_INSTANT) * MICRO
    lower = max(round(max(after, FIRST_INSTANT) * MICRO) + 1, anchor)
    far: _FarTries | None = None
    for tries in range(EVERY_TRIES):
        run = anchor - (anchor - lower) // step * step
        if tries == NEAR_TRIES and run <= last:
            far = _FarTries(calendar, zone, every, run // MICRO)
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
            open_from = _next_any_hour(calendar, zone, minute)
            if open_from == minute:
                return run / MICRO if run % MICRO else instant
            if far and open_from is not None:
                open_from = max(open_from, far.next_try(instant, until, offset))
        if open_from is None:
            return None
        lower = open_from * MICRO
    return None


class _FarTries:
    """Where an interval may meet the openings of a calendar, without a look at each, nor at the zone of far years.

    It goes by all offsets that the zone will ever have, so it says maybe where the offset in force says no, never the reverse.
    """

    def __init__(self, calendar: Calendar, zone: Zone, every: int, instant: int) -> None:
        self._next_minute = calendar.next_minute
        self._every = every
        week = calendar.minutes_of_week()
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


def _only_run(schedule: Schedule, zone: Zone, at: float) -> float | None:
    """Return *at* if the rest of the schedule lets it fire then."""
    if not schedule.start <= at <= schedule.end:
        return None
    wall = (floor(at) + zone.segment(floor(at))[2]) // 60
    return at if schedule.calendar.next_minute(wall) == wall else None


@lru_cache(maxsize=4096)
def _compile_calendar(
    minutes: str,
    hours: str,
    weekdays: str,
    monthdays: str,
    months: str,
    exceptions: Exceptions,
    blocked_days: tuple[int, ...],
    only_days: tuple[int, ...] | None,
) -> Calendar:
    hour_set = _read_flags(hours, 24)
    blocked_dates, blocked_every_day, blocked_times = _read_exceptions(exceptions)
    times = _times_of_day(_read_flags(minutes, 60), hour_set) & ~blocked_every_day
    # A day with no time left counts as blocked, so that a search never goes through such days one by one.
    full = {day for day, minutes_of_day in blocked_times.items() if not times & ~minutes_of_day}
    days = {*blocked_dates, *blocked_days, *full}
    calendar = Calendar(
        times,
        _days_of_years(_read_flags(weekdays, 7), _read_flags(monthdays, 32), _read_flags(months, 12)),
        hour_set == _all(24),
        _by_year(days),
        blocked_times,
        None,
    )
    if only_days is None:
        return calendar
    matching = sorted(day for day in set(only_days) if calendar.next_day(day) == day)
    return calendar._replace(only_days=tuple(matching))


def _all(size: int) -> int:
    return (1 << size) - 1


def _read_flags(text: str, size: int) -> int:
    """Return the mask of a bool[] column as PostgreSQL writes it; none set means all of them.

    Subscript 1 is bit 0. As pgAgent reads it, element by element: subscripts outside the set, NULL
    and all of a two-dimensional array count as not set.
    """
    bounds, _, flags = text.partition("{")
    first = int(bounds[1 : bounds.index(":")]) if bounds else 1
    mask = 0
    if "{" not in flags:
        for subscript, flag in enumerate(flags[:-1].split(","), first):
            if flag == "t" and 1 <= subscript <= size:
                mask |= 1 << (subscript - 1)
    return mask or _all(size)


def _read_exceptions(exceptions: Exceptions) -> tuple[set[int], int, dict[int, int]]:
    """Return blocked days, blocked minutes of every day, and blocked minutes by day."""
    days: set[int] = set()
    minutes = 0
    times: dict[int, int] = {}
    for day, minute in exceptions:
        if minute is None:
            if day is not None:
                days.add(day)
        elif day is None:
            minutes |= 1 << minute
        else:
            times[day] = times.get(day, 0) | 1 << minute
    return days, minutes, times


def _times_of_day(minutes: int, hours: int) -> int:
    return sum(minutes << (60 * hour) for hour in range(24) if hours >> hour & 1)


def _days_of_years(weekdays: int, monthdays: int, months: int) -> tuple[int, ...]:
    """Return the matching days of the year for each kind of year, as in ``Calendar.days``."""
    kinds = []
    for leap in (False, True):
        dates = first = 0
        for month, usual in enumerate(MONTH_LENGTHS):
            length = usual + (leap and month == 1)
            if months >> month & 1:
                last = 1 << (length - 1) if monthdays >> 31 else 0
                dates |= (monthdays & _all(length) | last) << first
            first += length
        for weekday in range(7):
            week = (weekdays >> weekday | weekdays << (7 - weekday)) & _all(7)
            kinds.append(dates & week * WEEKS)
    return tuple(kinds)


def _by_year(days: Iterable[int]) -> dict[int, int]:
    years: dict[int, int] = {}
    for day in days:
        year, first = year_of(day)
        years[year] = years.get(year, 0) | 1 << (day - first)
    return years


def first_day(year: int) -> int:
    """Return the day of 1 January; year 0 is 1 BC."""
    past = year - 1
    return 365 * past + past // 4 - past // 100 + past // 400 - DAYS_TO_1970


def year_of(day: int) -> tuple[int, int]:
    """Return the year of *day* and the day of its 1 January."""
    year = 1970 + day * 400 // 146_097
    first = first_day(year)
    if first > day:
        year -= 1
        first = first_day(year)
    elif first_day(year + 1) <= day:
        year += 1
        first = first_day(year)
    return year, first
