"""Working days of twenty countries against the package holidays, and rules of days where clocks are changed."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime, timedelta

import holidays
import pytest
from hypothesis import strategies as st

from plpython.ground.vocabulary import ROLLS
from plpython.rules.schedule import firings
from plpython.rules.zones import Zone
from tests.forms import for_all, forms
from tests.unit.plpython.day_reader import Days, compiled, fires_on, number_of
from tests.unit.plpython.oracle import UNIX_DAY, Rule, instants, zone
from tests.unit.plpython.test_day_rules import rules

COUNTRIES = "FR DE GB US CA IT ES PT NL BE AT CH SE NO DK FI PL EG BD NZ"
YEARS = range(2004, 2048)
DAY = timedelta(days=1)


def expected(country: holidays.HolidayBase, roll: str, day: date) -> date | None:
    """Return which working day takes the place of *day*, as the package finds its neighbours."""
    if country.is_working_day(day):
        return day
    after, before = country.get_nth_working_day(day, 1), country.get_nth_working_day(day, -1)
    near = [other for other in (after, before) if (other.year, other.month) == (day.year, day.month)]
    ways = {
        "skip": None,
        "forward": after,
        "backward": before,
        "nearest": min(near, key=lambda other: (abs(other - day), other < day), default=None),
        "in_month": near[0] if near else None,
    }
    return ways[roll]


def found(rule: Days, first: date, last: date) -> list[date]:
    """Return on which days from *first* to *last* the schedule fires."""
    runs = []
    for at in firings(compiled(rule), zone("UTC"), 86_400 * number_of(first) - 1):
        day = UNIX_DAY + timedelta(days=int(at) // 86_400)
        if day > last:
            break
        runs.append(day)
    return runs


@forms(2, 40)
@pytest.mark.parametrize("code", COUNTRIES.split())
def test_working_days_are_those_of_the_country(code: str, size: int) -> None:
    country = holidays.country_holidays(code, years=YEARS)
    weekend = frozenset((weekday + 1) % 7 for weekday in country.weekend)
    rule = Days(weekend=weekend, blocked=frozenset(country))
    first, last = date(2026 - size // 2, 1, 1), date(2025 - size // 2 + size, 12, 31)
    months = [date(year, month, 1) for year in range(first.year, last.year + 1) for month in range(1, 13)]
    ends = [day.replace(day=monthrange(day.year, day.month)[1]) for day in months]
    for roll in ROLLS:
        days = {
            expected(country, roll, day) for day in (*months, *(m.replace(day=15) for m in months), *ends)
        }
        # What rolls out of the span, or into it, is left to the reader that goes day by day
        inner = [day for day in sorted(day for day in days if day) if first + 9 * DAY < day < last - 9 * DAY]
        ours = found(replace(rule, monthdays=frozenset({1, 15, 32}), roll=roll), inner[0], inner[-1])
        assert ours == inner, (code, roll)
    numbered = replace(rule, workdays=frozenset({1, -2}))
    second_last = [country.get_nth_working_day(end + DAY, -2) for end in ends]
    in_order = sorted({country.get_nth_working_day(day - DAY, 1) for day in months} | set(second_last))
    assert found(numbered, first, last) == in_order


# Hours that are missing or come twice in one of them
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Pacific/Apia",
)
NIGHT = st.frozensets(st.integers(0, 3), min_size=1, max_size=2)


@forms(25, 1_500)
def test_days_of_rules_fire_once_where_clocks_are_changed(size: int) -> None:
    minutes = st.frozensets(st.sampled_from([0, 15, 30, 45]), min_size=1, max_size=2)
    for_all(size, check_zone, rules(), st.sampled_from(ZONES), NIGHT, minutes, st.integers(1990, 2036))


def check_zone(
    case: tuple[Days, date], name: str, hours: frozenset[int], minutes: frozenset[int], year: int
) -> None:
    rule = case[0]
    shift = timedelta(days=(date(year, 1, 1) - case[1]).days)
    rule = replace(
        rule,
        start=rule.start + shift,
        blocked=frozenset(day + shift for day in rule.blocked),
        only=None if rule.only is None else frozenset(day + shift for day in rule.only),
        exceptions=frozenset(day + shift for day in rule.exceptions),
    )
    walked = Rule(zone=name, hours=hours, minutes=minutes)
    first, last = date(year, 2, 1), date(year, 12, 1)
    times = {
        at
        for day in fires_on(rule, first, last)
        for hour in hours
        for minute in minutes
        for at in instants(walked, datetime(day.year, day.month, day.day, hour, minute))
    }
    begin, end = (86_400 * number_of(day) for day in (first + DAY, last - DAY))
    assert runs_between(rule, zone(name), walked, begin, end) == sorted(
        at for at in times if begin < at <= end
    )


def runs_between(rule: Days, clock: Zone, times: Rule, begin: int, end: int) -> list[int]:
    """Return when *rule* fires at these *times* of the wall clock."""
    runs = []
    for at in firings(compiled(rule, times), clock, begin):
        if at > end:
            break
        runs.append(int(at))
    return runs
