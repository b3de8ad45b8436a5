"""Rules of days against a reader that goes through the days one by one."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice, takewhile

import pytest
from hypothesis import strategies as st

from plpython.ground.vocabulary import ROLLS
from plpython.rules.schedule import firings
from tests.forms import for_all, forms
from tests.unit.plpython.day_reader import Days, compiled, fires_on, number_of
from tests.unit.plpython.oracle import UNIX_DAY, zone

FIRST = date(2026, 12, 1)


def found(rule: Days, first: date, last: date) -> list[date]:
    """Return on which days from *first* to *last* the schedule fires."""
    begin, end = 86_400 * number_of(first), 86_400 * number_of(last)
    runs = takewhile(lambda at: at <= end, firings(compiled(rule), zone("UTC"), begin - 1))
    return [UNIX_DAY + timedelta(days=int(at) // 86_400) for at in runs]


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


CHRISTMAS = frozenset(days("2026-12-25", "2026-12-26", "2027-01-01"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Days(workdays=frozenset({-1})), days("2026-12-31", "2027-01-29", "2027-02-26")),
        (
            Days(workdays=frozenset({1}), blocked=CHRISTMAS),
            days("2026-12-01", "2027-01-04", "2027-02-01"),
        ),
        (Days(weekdays=frozenset({5}), nth=frozenset({2})), days("2026-12-11", "2027-01-08", "2027-02-12")),
        (Days(weekdays=frozenset({5}), nth=frozenset({5})), days("2027-01-29", "2027-04-30", "2027-07-30")),
        (Days(monthdays=frozenset({-3})), days("2026-12-29", "2027-01-29", "2027-02-26")),
        (Days(monthdays=frozenset({15}), roll="nearest"), days("2026-12-15", "2027-01-15", "2027-02-15")),
        (
            Days(weekdays=frozenset({5}), nth=frozenset({-1}), roll="backward", blocked=CHRISTMAS),
            days("2026-12-24", "2027-01-29", "2027-02-26"),
        ),
        (
            Days(monthdays=frozenset({1}), roll="backward", blocked=CHRISTMAS),
            days("2026-12-01", "2026-12-31", "2027-02-01"),
        ),
        (
            Days(weekdays=frozenset({1}), recurs=(2, "week"), start=date(2026, 12, 9)),
            days("2026-12-07", "2026-12-21", "2027-01-04"),
        ),
        (
            Days(monthdays=frozenset({31}), recurs=(12, "month"), start=date(2025, 1, 9)),
            days("2027-01-31", "2028-01-31", "2029-01-31"),
        ),
    ],
)
def test_examples(rule: Days, expected: list[date]) -> None:
    begin = 86_400 * number_of(FIRST)
    runs = islice(firings(compiled(rule), zone("UTC"), begin - 1), 3)
    assert [UNIX_DAY + timedelta(days=int(at) // 86_400) for at in runs] == expected


WITHOUT_ZERO = {most: [n for n in range(-most, most + 1) if n] for most in (5, 23, 31)}
FAR = st.integers(0, 145_000).map(lambda number: date(1900, 1, 1) + timedelta(days=number))


def some(of: list[int], least: int = 0) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.sampled_from(of), min_size=least, max_size=3)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Days, date]:
    """Return a rule and the day from which on to look."""
    first = draw(FAR)
    near = st.integers(-40, 500).map(lambda number: first + timedelta(days=number))
    runs_of_days = st.frozensets(near, max_size=12) | st.tuples(near, st.integers(1, 400)).map(
        lambda given: frozenset(given[0] + timedelta(days=number) for number in range(given[1]))
    )
    kind = draw(st.sampled_from(["nth", "workdays", "monthdays", "any"]))
    rule = Days(
        weekdays=draw(some(list(range(7)), 1 if kind == "nth" else 0)),
        monthdays=draw(some([*WITHOUT_ZERO[31], 32])) if kind == "monthdays" else frozenset(),
        months=draw(some(list(range(1, 13)))) if draw(st.booleans()) else frozenset(),
        nth=draw(some(WITHOUT_ZERO[5], 1)) if kind == "nth" else frozenset(),
        workdays=draw(some(WITHOUT_ZERO[23], 1)) if kind == "workdays" else frozenset(),
        roll="" if kind == "workdays" else draw(st.sampled_from(("", *ROLLS))),
        recurs=draw(st.none() | st.tuples(st.integers(1, 9), st.sampled_from(["day", "week", "month"]))),
        start=draw(near),
        weekend=draw(st.just(frozenset({0, 6})) | st.frozensets(st.integers(0, 6))),
        blocked=draw(runs_of_days),
        only=draw(st.none() | st.none() | runs_of_days),
        exceptions=draw(st.frozensets(near, max_size=3)),
    )
    return rule, first


@forms(150, 6_000)
def test_the_days_are_those_of_the_reader(size: int) -> None:
    for_all(size, check_days, rules())


def check_days(case: tuple[Days, date]) -> None:
    rule, first = case
    last = first + timedelta(days=400)
    assert found(rule, first, last) == fires_on(rule, first, last)
