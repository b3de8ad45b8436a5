"""Which days a rule lets fire, found out day by day: slow, and too simple to be wrong. It shares nothing with plpython.rules."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

from plpython.rules.day_rules import SATURDAY_AND_SUNDAY, DayRule, Recurs
from plpython.rules.schedule import Schedule, compile_schedule
from tests.unit.plpython.oracle import UNIX_DAY, Rule, flags

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """The day part of a schedule as a user thinks of it. Empty sets mean any; monthday 32 and -1 are the last day."""

    weekdays: frozenset[int] = frozenset()
    monthdays: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    nth: frozenset[int] = frozenset()
    workdays: frozenset[int] = frozenset()
    roll: str = ""
    recurs: tuple[int, str] | None = None
    start: date = UNIX_DAY
    weekend: frozenset[int] = frozenset(SATURDAY_AND_SUNDAY)
    blocked: frozenset[date] = field(default_factory=frozenset)
    only: frozenset[date] | None = None
    exceptions: frozenset[date] = field(default_factory=frozenset)


def month(day: date) -> list[date]:
    """Return the days of the month of *day*."""
    return days_of_month(day.year, day.month)


@cache
def days_of_month(year: int, number: int) -> list[date]:
    """Return the days of a month."""
    return [date(year, number, day) for day in range(1, monthrange(year, number)[1] + 1)]


def places(day: date, among: list[date]) -> set[int]:
    """Return the place of *day* among days, from the begin and from the end."""
    return {among.index(day) + 1, among.index(day) - len(among)}


def is_working(rule: Days, day: date) -> bool:
    """Return whether *day* is neither weekend nor blocked."""
    return day.isoweekday() % 7 not in rule.weekend and day not in rule.blocked


def is_chosen(rule: Days, day: date) -> bool:
    """Return whether *day* matches before it is rolled."""
    if (
        (rule.weekdays and day.isoweekday() % 7 not in rule.weekdays)
        or (rule.months and day.month not in rule.months)
        or (rule.only is not None and day not in rule.only)
        or (rule.recurs is not None and not recurs(*rule.recurs, rule.start, day))
    ):
        return False
    days = month(day)
    if rule.monthdays:
        return bool({day.day, day.day - len(days) - 1, 32 if day == days[-1] else 0} & rule.monthdays)
    if rule.nth:
        same = [other for other in days if other.weekday() == day.weekday()]
        return bool(places(day, same) & rule.nth)
    if rule.workdays:
        working = [other for other in days if is_working(rule, other)]
        return day in working and bool(places(day, working) & rule.workdays)
    return True


def recurs(number: int, unit: str, start: date, day: date) -> bool:
    """Return whether *day* lies in a day, week or month that is a multiple of *number* away from that of *start*."""
    if unit == "day":
        passed = (day - start).days
    elif unit == "week":
        mondays = [day - timedelta(days=day.weekday()), start - timedelta(days=start.weekday())]
        passed = (mondays[0] - mondays[1]).days // 7
    else:
        passed = 12 * (day.year - start.year) + day.month - start.month
    return passed % number == 0


def rolled(rule: Days, day: date) -> date | None:
    """Return the day that takes the place of *day*."""
    if is_working(rule, day) or not rule.roll:
        return day
    ways = {
        "forward": range(1, 367),
        "backward": range(-1, -367, -1),
        "nearest": [step for n in range(1, 31) for step in (n, -n)],
        "in_month": [*range(1, 31), *range(-1, -31, -1)],
        "skip": [],
    }
    for step in ways[rule.roll]:
        other = day + timedelta(days=step)
        leaves = (other.year, other.month) != (day.year, day.month)
        if is_working(rule, other) and not (leaves and rule.roll in ("nearest", "in_month")):
            return other
    return None


def fires_on(rule: Days, first: date, last: date) -> list[date]:
    """Return the days from *first* to *last* on which *rule* fires."""
    begin, end = max(first - timedelta(days=370), date(2, 1, 1)), last + timedelta(days=370)
    found = {rolled(rule, day) for day in walk(begin, end) if is_chosen(rule, day)}
    return sorted(
        day
        for day in found - {None}
        if day is not None and first <= day <= last and day not in rule.exceptions and day not in rule.blocked
    )


def walk(first: date, last: date) -> Iterator[date]:
    """Yield each day."""
    while first <= last:
        yield first
        first += DAY


MIDNIGHT = Rule(hours=frozenset({0}), minutes=frozenset({0}))


def compiled(rule: Days, times: Rule = MIDNIGHT) -> Schedule:
    """Return *rule*, firing at the times of the day of *times*, as the rows of a schedule would be compiled."""
    rest = rule.monthdays if all(number > 0 for number in rule.monthdays) else frozenset()
    return compile_schedule(
        flags(times.minutes, range(60)),
        flags(times.hours, range(24)),
        flags(rule.weekdays, range(7)),
        flags(rest, range(1, 33)),
        flags(rule.months, range(1, 13)),
        None,
        None,
        times.zone,
        tuple((number_of(day), None) for day in sorted(rule.exceptions)),
        blocked_days=tuple(sorted(map(number_of, rule.blocked))),
        only_days=None if rule.only is None else tuple(sorted(map(number_of, rule.only))),
        rule=DayRule(
            None if rest or not rule.monthdays else tuple(sorted(rule.monthdays)),
            tuple(sorted(rule.nth)),
            tuple(sorted(rule.workdays)),
            rule.roll,
            Recurs(*rule.recurs, number_of(rule.start)) if rule.recurs else None,
            tuple(sorted(rule.weekend)),
        ),
    )


def number_of(day: date) -> int:
    """Return *day* in days since 1970-01-01."""
    return (day - UNIX_DAY).days
