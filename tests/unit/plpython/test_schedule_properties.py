"""Random schedules against the oracle: 20,400 cases in a run, and not one may be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from itertools import islice, takewhile
from math import floor

import pytest
from hypothesis import strategies as st

from plpython.rules.schedule import firings, merge_runs, next_run
from plpython.rules.zones import CHUNK
from tests.forms import for_all, forms
from tests.unit.plpython.oracle import (
    Rule,
    compiled,
    instant_of,
    matches,
    walk,
    walk_days,
    wall_clock,
    zone,
)

pytestmark = pytest.mark.slow

# Each has shifted its clock in a way of its own: by a half hour, at midnight, by a whole day, never.
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
)
SHIFTS_PER_ZONE = 7
MINUTES = 24 * 60
"""What the oracle walks in one case."""
TEN_HOURS = 36_000
FORTY_YEARS = 14_610


def clock_shifts(name: str) -> list[int]:
    """Return instants from 1986 to 2037 at which the clock of zone *name* was set."""

    def offset(at: int) -> timedelta:
        return wall_clock(name, at) - wall_clock("UTC", at)

    days = range(instant_of("1985-12-30"), instant_of("2037-12-30"), 86_400)
    changed = [day for day in days if offset(day) != offset(day + 86_400)]
    chosen = changed[:SHIFTS_PER_ZONE] if name == "Pacific/Apia" else changed[-SHIFTS_PER_ZONE:]
    return [next(at for at in range(day, day + 86_401, 60) if offset(at) != offset(day)) for day in chosen]


def windows() -> list[tuple[str, int]]:
    """Return zones and instants from which on to walk: clock shifts, ends of months, seams of the code.

    What matters is always TEN_HOURS later.
    """
    chosen = []
    for name in ZONES:
        ends = [instant_of("2024-02-29"), instant_of("2024-01-01"), 220 * CHUNK // 60 * 60]
        chosen += [(name, at - TEN_HOURS) for at in clock_shifts(name) + ends]
    return chosen


def members(of: Sequence[int], most: int, chance: int = 8) -> st.SearchStrategy[frozenset[int]]:
    """Return sets out of *of*: with *chance* in ten a few, at most *most*, or sometimes many; else none.

    Each is drawn as one number, since it is the number of draws that takes hypothesis its time.
    """

    def decode(number: int) -> frozenset[int]:
        number, kind = divmod(number, 10)
        if kind >= chance:
            return frozenset()
        if kind == 0:
            mask = number * 0x9E3779B97F4A7C15 >> 16
            return frozenset(member for bit, member in enumerate(of) if mask >> bit & 1)
        few = []
        for _ in range(1 + kind % most):
            number, index = divmod(number, len(of))
            few.append(of[index])
        return frozenset(few)

    return st.integers(0, (1 << 24) - 1).map(decode)


# Strategies are made once: hypothesis takes far longer to make one than to draw from it.
WINDOWS = st.sampled_from(windows())
SECONDS = st.one_of(
    st.integers(-7200 * 4, MINUTES * 240).map(lambda quarter: quarter / 4),
    st.integers(-5400 * 4, 5400 * 4).map(lambda quarter: TEN_HOURS + quarter / 4),
    st.integers(-90, 90).map(lambda minute: TEN_HOURS + minute * 60.0),
    st.sampled_from((TEN_HOURS - 60.0, TEN_HOURS - 1.0, TEN_HOURS - 0.5, TEN_HOURS + 0.0, TEN_HOURS + 1.0)),
)
DAY_NUMBERS = st.integers(0, 2)
TIMES = st.builds(time, st.integers(0, 4) | st.integers(0, 23), st.sampled_from((0, 15, 30, 59)))
EXCEPTION = st.tuples(st.none() | DAY_NUMBERS, st.none() | TIMES)
EXCEPTIONS = st.lists(EXCEPTION, max_size=0) | st.lists(EXCEPTION, max_size=4)
SETS = st.tuples(
    members(range(60), 3),
    members(range(24), 3) | members(range(4), 2, 10),
    members(range(7), 3, 4),
    members((1, 28, 29, 30, 31, 32), 3, 4),
    members(range(1, 13), 12, 3),
)
LIMITS = st.tuples(st.none() | st.none() | SECONDS, st.none() | st.none() | SECONDS)
ONLY = st.none() | st.none() | st.frozensets(DAY_NUMBERS)


@st.composite
def rules_in_windows(draw: st.DrawFn) -> tuple[Rule, int, float]:
    """Return a rule with a good chance to fire in a window, the window's begin, and an instant near it."""
    name, begin = draw(WINDOWS)
    first = wall_clock(name, begin).date()
    days = [first + timedelta(days=number) for number in range(3)]
    start, end = draw(LIMITS)
    only = draw(ONLY)
    rule = Rule(
        *draw(SETS),
        start=None if start is None else begin + start,
        end=None if end is None else begin + end,
        zone=name,
        exceptions=tuple((None if day is None else days[day], at) for day, at in draw(EXCEPTIONS)),
        only=None if only is None else frozenset(days[day] for day in only),
    )
    return rule, begin, begin + draw(SECONDS)


@forms(16_500, 165_000)
def test_the_runs_in_a_window_are_those_of_the_oracle(size: int) -> None:
    for_all(size, check_window, rules_in_windows())


def check_window(case: tuple[Rule, int, float]) -> None:
    rule, begin, after = case
    schedule, in_zone, end = compiled(rule), zone(rule.zone), begin + MINUTES * 60
    expected = walk(rule, begin, MINUTES)
    found_all = islice(firings(schedule, in_zone, begin - 1), len(expected) + 1)
    assert list(takewhile(lambda at: at < end, found_all)) == expected
    found = next_run(schedule, in_zone, after)
    if found is None or found >= end:
        assert all(at <= after for at in expected)
    elif found >= begin:
        assert found == next(at for at in expected if at > after)


SPARSE_SETS = st.tuples(
    st.frozensets(st.integers(0, 59), min_size=1, max_size=2),
    st.frozensets(st.integers(0, 23), max_size=2),
    st.frozensets(st.integers(0, 6), max_size=2),
    st.frozensets(st.sampled_from([1, 13, 28, 29, 30, 31, 32]), min_size=1, max_size=2),
    st.frozensets(st.sampled_from([2, 3, 4, 10, 11]), max_size=2),
)
SPARSE_LIMITS = st.tuples(
    st.none() | st.none() | st.integers(-(10**8), 10**8), st.none() | st.none() | st.integers(0, 10**9)
)


@st.composite
def sparse_rules(draw: st.DrawFn) -> tuple[Rule, int]:
    """Return a rule that may not fire for years, or never, and an instant."""
    after = draw(st.integers(instant_of("1986-01-01"), instant_of("2150-01-01")))
    start, end = draw(SPARSE_LIMITS)
    rule = Rule(
        *draw(SPARSE_SETS),
        start=None if start is None else float(after + start),
        end=None if end is None else float(after + end),
        zone=draw(st.sampled_from(ZONES)),
        exceptions=draw(st.sampled_from(((), ((date(2024, 2, 29), None), (None, time(0, 0)))))),
    )
    return rule, after


# The longest gap of the calendar: a Monday, 29 February.
MONDAY_29 = (
    Rule(frozenset({0}), frozenset({0}), frozenset({1}), frozenset({29}), frozenset({2})),
    3_224_000_000,
)


@forms(1_500, 15_000)
def test_the_runs_of_sparse_rules_are_those_of_the_oracle(size: int) -> None:
    for_all(size, check_forty_years, sparse_rules(), first=MONDAY_29)


def check_forty_years(case: tuple[Rule, int]) -> None:
    rule, after = case
    assert_runs(rule, after, 2)


def assert_runs(rule: Rule, after: int, count: int) -> None:
    """Assert that the first *count* runs are right, as far as they are within forty years."""
    horizon = after + FORTY_YEARS * 86_400
    found = merge_runs([(compiled(rule), zone(rule.zone))], after, count)
    expected = walk_days(rule, after, count, FORTY_YEARS + 10)
    assert [at for at in found if at < horizon] == [at for at in expected if at < horizon]


DAILY_SETS = st.tuples(
    st.frozensets(st.sampled_from((0, 15, 30, 45, 59)), min_size=1, max_size=2),
    st.frozensets(st.integers(0, 4), max_size=2),
    st.frozensets(st.integers(0, 6), max_size=3),
    st.frozensets(st.integers(1, 32), max_size=12),
)


@st.composite
def daily_rules(draw: st.DrawFn) -> tuple[Rule, int]:
    """Return a rule that fires on many days of each year, near the hours at which clocks are set."""
    rule = Rule(*draw(DAILY_SETS), zone=draw(st.sampled_from(ZONES)))
    return rule, draw(st.integers(instant_of("1990-01-01"), instant_of("2030-01-01")))


@forms(100, 1_000)
def test_hundreds_of_runs_are_those_of_the_oracle(size: int) -> None:
    for_all(size, check_years, daily_rules())


def check_years(case: tuple[Rule, int]) -> None:
    rule, after = case
    assert_runs(rule, after, 300)


INTERVALS = st.sampled_from((1, 7, 10, 60, 90, 600, 3_600, 5_400, 86_400)) | st.integers(1, 100_000)
INTERVAL_SETS = st.tuples(members(range(24), 6), members(range(7), 3, 5))


@st.composite
def intervals(draw: st.DrawFn) -> tuple[Rule, int, int]:
    """Return a rule, the seconds between its runs, and an instant near its start."""
    name, begin = draw(WINDOWS)
    hours, weekdays = draw(INTERVAL_SETS)
    start = begin + draw(st.integers(0, 10**8)) / 1000
    blocked = ((wall_clock(name, begin).date(), None), (None, time(1, 30)))
    rule = Rule(
        hours=hours,
        weekdays=weekdays,
        start=start,
        zone=name,
        exceptions=blocked if draw(st.booleans()) else (),
    )
    return rule, draw(INTERVALS), floor(start) + draw(st.integers(-(10**5), 10**5))


@forms(2_000, 20_000)
def test_every_fires_when_trying_says(size: int) -> None:
    for_all(size, check_every, intervals())


def check_every(case: tuple[Rule, int, int]) -> None:
    rule, every, after = case
    expected = list(every_by_trying(rule, every, after))
    found = next_run(compiled(rule)._replace(every=every), zone(rule.zone), after)
    if expected:
        assert [found] == expected
    elif found is not None:
        assert found > after + 999 * every
        assert fires_by_interval(rule, every, float(found))


def every_by_trying(rule: Rule, every: int, after: int) -> Iterator[float]:
    """Yield the first firing of *every* later than *after* if it is among the next thousand tries."""
    assert rule.start is not None
    microseconds = round(rule.start * 1_000_000)
    first = max(0, floor((after - rule.start) / every) - 1)
    for number in range(first, first + 1_003):
        at = (microseconds + number * every * 1_000_000) / 1_000_000
        if at > after and fires_by_interval(rule, every, at):
            yield at
            return


def fires_by_interval(rule: Rule, every: int, at: float) -> bool:
    """Return whether *at* is a multiple of *every* from the start and its minute matches."""
    assert rule.start is not None
    anchored = round((at - rule.start) * 1_000_000) % (every * 1_000_000) == 0
    return anchored and matches(rule, wall_clock(rule.zone, floor(at)).replace(second=0))


# Days and a little more, so that years go by between two meetings with a time; and those that keep the time of day.
FAR_INTERVALS = st.one_of(
    st.sampled_from([86_400, 86_401, 86_460, 90_000, 604_800, 604_860, 1_000 * 86_400]),
    st.integers(1, 60).map(lambda days: 86_400 * days),
    st.integers(1_000, 3_000).map(lambda minutes: 60 * minutes),
)
TRIES = 20_000


@st.composite
def far_intervals(draw: st.DrawFn) -> tuple[Rule, int]:
    """Return a rule that its interval seldom meets, or never, and the seconds of that."""
    name = draw(st.sampled_from(["UTC", "Europe/Paris", "America/New_York"]))
    rule = Rule(
        minutes=draw(st.frozensets(st.integers(0, 59), min_size=1, max_size=3)),
        hours=draw(st.frozensets(st.integers(0, 23), max_size=3)),
        weekdays=draw(st.frozensets(st.integers(0, 6), max_size=3)),
        months=draw(st.frozensets(st.integers(1, 12), max_size=2)),
        zone=name,
        start=instant_of("2024-01-01", name) + 60 * draw(st.integers(0, 10_080)),
    )
    return rule, draw(FAR_INTERVALS)


@forms(300, 3_000)
def test_every_finds_the_first_meeting_within_years(size: int) -> None:
    for_all(size, check_every_in_years, far_intervals())


def check_every_in_years(case: tuple[Rule, int]) -> None:
    """Never is a right answer only if there is none for ten years: then it may have given up.

    These zones' offsets are whole hours, so most multiples are left out by a look at the minute.
    """
    rule, every = case
    assert rule.start is not None
    start = int(rule.start)
    horizon = min(start + every * TRIES, instant_of("9000-01-01"))
    multiples = (
        at
        for at in range(start, horizon, every)
        if at // 60 % 60 in rule.minutes and fires_by_interval(rule, every, at)
    )
    expected = next(multiples, None)
    found = next_run(compiled(rule)._replace(every=every), zone(rule.zone), start - 1)
    if found is None:
        assert expected is None or expected > start + 10 * 366 * 86_400
    else:
        assert found == expected or (expected is None and found >= horizon)
