"""Rules of days that five sets can't say: the n-th weekday, working days, every second week, and what is put off.

A day is a working day if it is neither weekend nor in a blocking calendar. What is the same in all years of one kind becomes a
mask for each of the 14 kinds. The rest is found year by year, and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ..ground.vocabulary import ROLLS
from .years import MONTH_LENGTHS, WEEKS, all_of, first_day, year_of

SATURDAY_AND_SUNDAY = (0, 6)
LAST_MONTHDAY = 32
FURTHEST = 366
"""Days: no day is put off further."""
MOST_YEARS = 2_000
"""A rule that lets no day match for so long is taken never to match again."""
MOST_KEPT = 500
FIRST_MONDAY = -3  # 1969-12-29
SKIP, FORWARD, BACKWARD, NEAREST, IN_MONTH = ROLLS


class Recurs(NamedTuple):
    """Each so many days, weeks or months, counted from those that hold the day *anchor*."""

    number: int
    unit: str
    anchor: int


class DayRule(NamedTuple):
    """What holds besides the five sets. *monthdays* counts -1 to -31 from the end of the month; None: the sets have them all."""

    monthdays: tuple[int, ...] | None = None
    nth: tuple[int, ...] = ()
    workdays: tuple[int, ...] = ()
    roll: str = ""
    recurs: Recurs | None = None
    weekend: tuple[int, ...] = SATURDAY_AND_SUNDAY


class DaySets(NamedTuple):
    """Three of the five sets, as masks."""

    weekdays: int
    monthdays: int
    months: int


def month_starts(leap: bool) -> list[tuple[int, int]]:
    """Return the first day of the year and the length of each month."""
    starts, first = [], 0
    for month, usual in enumerate(MONTH_LENGTHS):
        length = usual + (leap and month == 1)
        starts.append((first, length))
        first += length
    return starts


MONTHS = (month_starts(False), month_starts(True))


def weekdays_of_year(weekdays: int, kind: int) -> int:
    """Return the days of a year whose weekday is in the mask *weekdays*; *kind* is 0 to 13."""
    first = kind % 7
    return ((weekdays >> first | weekdays << (7 - first)) & all_of(7)) * WEEKS


def matching_days(sets: DaySets, rule: DayRule, kind: int, blocked: int = 0) -> int:
    """Return the days of a year of *kind* that the sets and the rule leave before recurs and roll; *blocked* are its holidays."""
    week = weekdays_of_year(sets.weekdays, kind)
    working = ~weekdays_of_year(_mask(rule.weekend), kind) & ~blocked
    found = 0
    for month, (first, length) in enumerate(MONTHS[kind >= 7]):
        if not sets.months >> month & 1:
            continue
        days = all_of(length) << first
        chosen = _dates(sets.monthdays, rule.monthdays, length) << first & week
        if rule.nth:
            weekdays = [weekday for weekday in range(7) if sets.weekdays >> weekday & 1]
            each = (weekdays_of_year(1 << weekday, kind) & days for weekday in weekdays)
            chosen &= sum(pick(dates, rule.nth) for dates in each)
        if rule.workdays:
            chosen &= pick(working & days, rule.workdays)
        found |= chosen
    return found & working if rule.roll == SKIP else found


@lru_cache(maxsize=1024)
def days_of_kinds(sets: DaySets, rule: DayRule) -> tuple[int, ...]:
    """Return what matching_days finds for each of the 14 kinds of year."""
    return tuple(matching_days(sets, rule, kind) for kind in range(14))


def _dates(monthdays: int, signed: Sequence[int] | None, length: int) -> int:
    """Return the days of a month of *length* that are in the set, bit 31 of which is the last one, and in *signed*."""
    dates = monthdays & all_of(length) | (monthdays >> 31 & 1) << (length - 1)
    if signed is None:
        return dates
    return dates & pick(all_of(length), [-1 if number == LAST_MONTHDAY else number for number in signed])


def pick(mask: int, numbers: Iterable[int]) -> int:
    """Return the members of *mask* with these numbers, counted from 1, or backwards from -1."""
    members = _members(mask)
    size = len(members)
    return sum({members[n - 1 if n > 0 else n] for n in numbers if -size <= n <= size and n})


def _mask(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in set(numbers))


class RuledDays:
    """The days of a rule that can't be told from the kind of year alone."""

    def __init__(self, sets: DaySets, rule: DayRule, blocked: Mapping[int, int]) -> None:
        """*blocked* has the days of blocking calendars for each year."""
        self._sets = sets
        self._rule = rule
        self.rolls = rule.roll not in ("", SKIP)
        self._blocked = blocked
        self._kinds = days_of_kinds(sets, rule._replace(recurs=None))
        self._working = [~weekdays_of_year(_mask(rule.weekend), kind) & all_of(366) for kind in range(14)]
        self._rolled: dict[int, dict[int, int]] = {}
        self._years: dict[int, int] = {}

    @property
    def possible(self) -> bool:
        """Whether any day can match at all."""
        if self._rule.workdays and self._blocked:
            return True
        return any(self._kinds) and (not self.rolls or any(self._working))

    def days(self, year: int) -> int:
        """Return the mask of the days of *year* that match."""
        if len(self._years) >= MOST_KEPT:
            self._years.clear()
            self._rolled.clear()
        known = self._years.get(year)
        if known is None:
            known = 0 if self.rolls else self._base(year)
            # A day rolls by a year and a day at most.
            for near in range(year - 2, year + 3) if self.rolls else ():
                if near not in self._rolled:
                    self._rolled[near] = self._roll_year(near)
                known |= self._rolled[near].get(year, 0)
            self._years[year] = known
        return known

    def is_base(self, day: int) -> bool:
        """Return whether *day* matches before it is rolled."""
        year, first = year_of(day)
        return bool(self._base(year) >> (day - first) & 1)

    def _base(self, year: int) -> int:
        """Return the days of *year* that match before they are rolled."""
        first = first_day(year)
        kind = _kind(year, first)
        blocked = self._blocked.get(year, 0)
        days = (
            matching_days(self._sets, self._rule, kind, blocked)
            if blocked and self._rule.workdays
            else self._kinds[kind]
        )
        if days and self._rule.recurs:
            days &= _recurring(self._rule.recurs, year, first, kind >= 7)
        return days

    def _roll_year(self, year: int) -> dict[int, int]:
        """Return the days, by year, onto which the days of *year* roll."""
        base = self._base(year)
        stay = base & self._working_days(year)
        rolled = {year: stay}
        first = first_day(year)
        for bit in _members(base & ~stay):
            target = self.roll(first + bit.bit_length() - 1)
            if target is not None:
                target_year, target_first = year_of(target)
                rolled[target_year] = rolled.get(target_year, 0) | 1 << (target - target_first)
        return rolled

    def _working_days(self, year: int) -> int:
        kind = _kind(year, first_day(year))
        length = 366 if kind >= 7 else 365
        return self._working[kind] & ~self._blocked.get(year, 0) & all_of(length)

    def roll(self, day: int) -> int | None:
        """Return the working day that takes the place of *day*, itself if it is one; None if there is none."""
        year, first = year_of(day)
        leap = _kind(year, first) >= 7
        begin, length = next(m for m in reversed(MONTHS[leap]) if m[0] <= day - first)
        low, high = first + begin, first + begin + length - 1
        roll = self._rule.roll
        after = self._after(day) if roll != BACKWARD else None
        before = self._before(day) if roll != FORWARD else None
        if roll == FORWARD:
            return after
        if roll == BACKWARD:
            return before
        after = after if after is not None and after <= high else None
        before = before if before is not None and before >= low else None
        if after is None or before is None:
            return before if after is None else after
        return after if roll == IN_MONTH or after - day <= day - before else before

    def _after(self, day: int) -> int | None:
        """Return the first working day, *day* or later."""
        year, first = year_of(day)
        rest = self._working_days(year) >> (day - first)
        while not rest and first - day <= FURTHEST:
            year, first = year + 1, first_day(year + 1)
            rest = self._working_days(year) << (first - day)
        found = day + (rest & -rest).bit_length() - 1
        return found if rest and found - day <= FURTHEST else None

    def _before(self, day: int) -> int | None:
        """Return the last working day, *day* or earlier."""
        year, first = year_of(day)
        rest = self._working_days(year) & all_of(day - first + 1)
        while not rest and day - first <= FURTHEST:
            year, first = year - 1, first_day(year - 1)
            rest = self._working_days(year)
        found = first + rest.bit_length() - 1
        return found if rest and day - found <= FURTHEST else None


def _members(mask: int) -> list[int]:
    members = []
    while mask:
        members.append(mask & -mask)
        mask &= mask - 1
    return members


def _kind(year: int, first: int) -> int:
    """Return the kind of *year*, whose 1 January is the day *first*."""
    return (first + 4) % 7 + (7 if first_day(year + 1) - first == 366 else 0)


def _recurring(recurs: Recurs, year: int, first: int, leap: bool) -> int:
    """Return the days of a year that lie in the days, weeks or months that recur."""
    number, unit, anchor = recurs
    length = 366 if leap else 365
    if unit == "day":
        return sum(1 << day for day in range((anchor - first) % number, length, number))
    if unit == "week":
        week = (first - FIRST_MONDAY) // 7
        ahead = ((anchor - FIRST_MONDAY) // 7 - week) % number
        begin = FIRST_MONDAY + 7 * (week + ahead) - first  # -6 at least
        days = sum(all_of(7) << (day + 6) for day in range(begin, length, 7 * number))
        return days >> 6 & all_of(length)
    anchor_year, anchor_first = year_of(anchor)
    months = MONTHS[_kind(anchor_year, anchor_first) >= 7]
    anchor_month = 12 * anchor_year + max(n for n, m in enumerate(months) if m[0] <= anchor - anchor_first)
    chosen = range((anchor_month - 12 * year) % number, 12, number)
    return sum(all_of(MONTHS[leap][month][1]) << MONTHS[leap][month][0] for month in chosen)
