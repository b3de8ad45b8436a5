"""The wall minutes at which a schedule may fire: what the five sets, the exceptions and the calendars of dates leave.

A *wall minute* is what a zone's clock shows, counted in minutes since 1970-01-01 00:00 of that clock, and a *day* is counted
from the same day. Sets are bit masks, so the next member of one is a shift and the lowest bit that is left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Optional

from .day_rules import MOST_YEARS, DayRule, DaySets, RuledDays, days_of_kinds
from .years import LAST_YEAR, WEEKS, all_of, by_year, days_of_years, first_day, year_of

MINUTES_PER_DAY = 1_440

Exceptions = tuple[tuple[Optional[int], Optional[int]], ...]
"""(day, minute of the day) of each; None in place of one means every day, or the whole day."""


class WallMinutes(NamedTuple):
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
    ruled: RuledDays | None = None
    """If the kind of year does not tell the days: what does."""

    def next_day(self, day: int) -> int | None:
        """Return the first day that matches, *day* or later."""
        if self.only_days is not None:
            index = bisect_left(self.only_days, day)
            return self.only_days[index] if index < len(self.only_days) else None
        year, first = year_of(day)
        last = LAST_YEAR if self.ruled is None else min(LAST_YEAR, year + MOST_YEARS)
        while year <= last:
            following = first_day(year + 1)
            if self.ruled is None:
                days = self.days[(first + 4) % 7 + (7 if following - first == 366 else 0)]
            else:
                days = self.ruled.days(year)
            if self.blocked_days:
                days &= ~self.blocked_days.get(year, 0)
            rest = days >> (day - first)
            if rest:
                return day + (rest & -rest).bit_length() - 1
            year += 1
            day = first = following
        return None

    def has_day(self, day: int) -> bool:
        """Return whether *day* matches, only_days aside."""
        year, first = year_of(day)
        kind = (first + 4) % 7 + (7 if first_day(year + 1) - first == 366 else 0)
        days = self.days[kind] if self.ruled is None else self.ruled.days(year)
        return bool(days & ~self.blocked_days.get(year, 0) & 1 << (day - first))

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
        if self.ruled is not None:
            weekdays = set(range(7))  # perhaps
        elif self.only_days is None:
            first_days = enumerate(self.days)
            weekdays = {(kind + n) % 7 for kind, days in first_days for n in range(7) if days & WEEKS << n}
        else:
            weekdays = {(day + 4) % 7 for day in self.only_days}
        return sum(self.times << MINUTES_PER_DAY * weekday for weekday in weekdays)

    @property
    def possible(self) -> bool:
        """Whether any date and time can match at all (30 February can not)."""
        if self.only_days is not None:
            return self.times != 0 and bool(self.only_days)
        return self.times != 0 and (any(self.days) if self.ruled is None else self.ruled.possible)


# A session keeps what it has compiled: of that with many days only little.
MANY_DAYS, KEPT, KEPT_WITH_MANY_DAYS = 1000, 4096, 32


def compile_wall_minutes(
    minutes: str,
    hours: str,
    weekdays: str,
    monthdays: str,
    months: str,
    exceptions: Exceptions,
    blocked_days: tuple[int, ...],
    only_days: tuple[int, ...] | None,
    rule: DayRule | None = None,
) -> WallMinutes:
    """Return the wall minutes of a schedule; the arguments are those of ``compile_schedule``."""
    many = len(exceptions) + len(blocked_days) + len(only_days or ()) > MANY_DAYS
    sets = minutes, hours, weekdays, monthdays, months
    return (_with_many_days if many else _with_few_days)(*sets, exceptions, blocked_days, only_days, rule)


def _compile(
    minutes: str,
    hours: str,
    weekdays: str,
    monthdays: str,
    months: str,
    exceptions: Exceptions,
    blocked_days: tuple[int, ...],
    only_days: tuple[int, ...] | None,
    rule: DayRule | None,
) -> WallMinutes:
    hour_set = _read_flags(hours, 24)
    blocked_dates, blocked_every_day, blocked_times = _read_exceptions(exceptions)
    times = _times_of_day(_read_flags(minutes, 60), hour_set) & ~blocked_every_day
    # A day with no time left counts as blocked, so that a search never goes through such days one by one.
    full = {day for day, minutes_of_day in blocked_times.items() if not times & ~minutes_of_day}
    days = {*blocked_dates, *blocked_days, *full}
    sets = DaySets(_read_flags(weekdays, 7), _read_flags(monthdays, 32), _read_flags(months, 12))
    ruled = None if rule is None else _ruled_days(sets, rule, blocked_days)
    result = WallMinutes(
        times,
        days_of_years(*sets) if rule is None else days_of_kinds(sets, rule._replace(recurs=None)),
        hour_set == all_of(24),
        by_year(days),
        blocked_times,
        None,
        ruled,
    )
    if only_days is None:
        return result
    if ruled is not None and ruled.rolls:  # these days are chosen before they are rolled
        matching = {ruled.roll(day) for day in only_days if ruled.is_base(day)} - days - {None}
    else:
        matching = {day for day in only_days if result.has_day(day)}
    return result._replace(only_days=tuple(sorted(day for day in matching if day is not None)))


_with_few_days = lru_cache(maxsize=KEPT)(_compile)
_with_many_days = lru_cache(maxsize=KEPT_WITH_MANY_DAYS)(_compile)


def _ruled_days(sets: DaySets, rule: DayRule, blocked_days: tuple[int, ...]) -> RuledDays | None:
    """Return the days of a rule that the kind of year does not tell, else None."""
    ruled = RuledDays(sets, rule, by_year(blocked_days))
    return ruled if ruled.rolls or rule.recurs or (rule.workdays and blocked_days) else None


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
    return mask or all_of(size)


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
