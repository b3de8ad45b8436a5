"""The days of years as bit masks: which match weekdays, days of the month and months.

A *day* is counted from 1970-01-01. A mask of a year has 1 January as its lowest bit. There are 14 kinds of year: by the weekday
of 1 January (0 is Sunday), then the leap years.
"""

from __future__ import annotations

from collections.abc import Iterable

LAST_YEAR = 294_277
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DAYS_TO_1970 = 719_162
WEEKS = ((1 << 371) - 1) // 127
"""The first day of each of 53 weeks."""


def all_of(size: int) -> int:
    """Return the mask of so many members that holds all."""
    return (1 << size) - 1


def days_of_years(weekdays: int, monthdays: int, months: int) -> tuple[int, ...]:
    """Return the matching days of the year for each kind of year, 1 January on a Sunday first."""
    kinds = []
    for leap in (False, True):
        dates = first = 0
        for month, usual in enumerate(MONTH_LENGTHS):
            length = usual + (leap and month == 1)
            if months >> month & 1:
                last = 1 << (length - 1) if monthdays >> 31 else 0
                dates |= (monthdays & all_of(length) | last) << first
            first += length
        for weekday in range(7):
            week = (weekdays >> weekday | weekdays << (7 - weekday)) & all_of(7)
            kinds.append(dates & week * WEEKS)
    return tuple(kinds)


def by_year(days: Iterable[int]) -> dict[int, int]:
    """Return the mask of each year that has one of *days*."""
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
