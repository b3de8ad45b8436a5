"""No search for the next run is long, whatever the rule."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import plpython
from plpython.ground.vocabulary import ROLLS
from plpython.rules.schedule import Schedule, next_run
from tests.unit.plpython import day_reader
from tests.unit.plpython.day_reader import Days
from tests.unit.plpython.oracle import Rule, compiled, instant_of, on, zone

PACKAGE = Path(plpython.__file__).parent
# Lines of Python that a search may execute: no statement_timeout must ever be held up. The longest takes 550 of the first kind,
# 27,000 of the second, or a millisecond, and 142,000 of the third, where no day matches in 2,000 years.
LINES, LINES_OF_EVERY, LINES_OF_DAYS = 5_000, 50_000, 200_000
HALF_PAST_NINE = Rule(minutes=on(30), hours=on(9))
TODAY = date(2024, 1, 1)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(monthdays=on(30), months=on(2)), id="30 February"),
        pytest.param(Rule(monthdays=on(31), months=on(2, 4, 6, 9, 11), weekdays=on(1)), id="the 31st, never"),
        pytest.param(
            replace(HALF_PAST_NINE, exceptions=((None, time(9, 30)),)), id="its only time is blocked"
        ),
        pytest.param(
            Rule(exceptions=tuple((None, time(m // 60, m % 60)) for m in range(1440))), id="all times"
        ),
        pytest.param(
            replace(
                HALF_PAST_NINE, exceptions=tuple((TODAY + timedelta(days=n), None) for n in range(5_000))
            ),
            id="thousands of blocked dates",
        ),
        pytest.param(
            replace(
                HALF_PAST_NINE,
                exceptions=tuple((TODAY + timedelta(days=n), time(9, 30)) for n in range(5_000)),
            ),
            id="thousands of dates whose only time is blocked",
        ),
        pytest.param(
            Rule(weekdays=on(1), monthdays=on(29), months=on(2), minutes=on(1)), id="29 February, Monday"
        ),
        pytest.param(replace(HALF_PAST_NINE, only=frozenset({date(9999, 12, 31)})), id="one day, far away"),
        pytest.param(replace(HALF_PAST_NINE, only=frozenset()), id="no day at all"),
        pytest.param(replace(HALF_PAST_NINE, start=9e12), id="a start in the year 287,168"),
        pytest.param(replace(HALF_PAST_NINE, end=0), id="over"),
    ],
)
def test_no_search_is_long(rule: Rule) -> None:
    assert 0 < lines_of_search(compiled(replace(rule, zone="Europe/Paris"))) < LINES


MORNING = instant_of("2024-01-01 09:30")


@pytest.mark.parametrize(
    ("rule", "every"),
    [
        pytest.param(Rule(hours=on(3)), 86_400, id="another time of day"),
        pytest.param(Rule(exceptions=((None, time(10, 30)),)), 86_400, id="its time of day is blocked"),
        pytest.param(Rule(minutes=frozenset(range(1, 60, 5))), 300, id="always between the minutes"),
        pytest.param(Rule(minutes=on(7)), 90 * 60, id="an hour and a half, never minute 7"),
        pytest.param(Rule(weekdays=on(3)), 7 * 86_400, id="another day of the week"),
        pytest.param(Rule(hours=on(10), monthdays=on(30), months=on(2)), 86_400, id="30 February"),
        pytest.param(Rule(hours=on(11), months=on(1)), 86_400, id="a time that it has in summer alone"),
        pytest.param(
            Rule(minutes=on(0), hours=on(0)), 86_460, id="a minute later each day: midnight is years away"
        ),
        pytest.param(Rule(minutes=on(0), hours=on(0)), 86_401, id="a second later each day"),
        pytest.param(
            Rule(monthdays=on(29), months=on(2)), 365 * 86_400, id="29 February, a year of 365 days"
        ),
    ],
)
def test_no_search_for_every_is_long(rule: Rule, every: int) -> None:
    schedule = compiled(replace(rule, start=MORNING, zone="Europe/Paris"))._replace(every=every)
    assert 0 < lines_of_search(schedule) < LINES_OF_EVERY


BLOCKED = frozenset(TODAY + timedelta(days=n) for n in range(5_000))
EVERY_DAY = on(0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Days(workdays=on(23), months=on(2)), id="the 23rd working day of February"),
        pytest.param(
            Days(workdays=on(23), months=on(2), blocked=BLOCKED), id="the same, with thousands of holidays"
        ),
        pytest.param(Days(weekdays=on(5), nth=on(5), months=on(2)), id="the fifth Friday of February"),
        pytest.param(
            Days(workdays=on(1, -1), blocked=BLOCKED), id="working days behind thousands of holidays"
        ),
        pytest.param(Days(months=on(2), recurs=(12, "month")), id="twelve months from January, in February"),
        pytest.param(Days(monthdays=on(31), recurs=(9_999, "day")), id="every 9,999 days, on a 31st"),
        pytest.param(Days(weekdays=on(1), nth=on(-5), recurs=(9_999, "week")), id="every 9,999 weeks"),
        *(
            pytest.param(Days(monthdays=on(1), weekend=EVERY_DAY, roll=roll), id=f"{roll}, no working day")
            for roll in ROLLS
        ),
        *(
            pytest.param(
                Days(monthdays=on(1, 15), roll=roll, blocked=BLOCKED), id=f"{roll} over thousands of days"
            )
            for roll in ROLLS
        ),
    ],
)
def test_no_search_for_days_of_rules_is_long(rule: Days) -> None:
    times = Rule(hours=on(9), minutes=on(30), zone="Europe/Paris")
    # Another one, which has kept no years yet
    fresh = day_reader.compiled(replace(rule, exceptions=frozenset({date(9998, 1, 1)})), times)
    assert 0 < lines_of_search(day_reader.compiled(rule, times), fresh) < LINES_OF_DAYS


def lines_of_search(schedule: Schedule, counted: Schedule | None = None) -> int:
    """Return how many lines of the project's Python a search executes, beside those that load the time zone's offsets.

    *counted*: the schedule whose search counts, if it is not the one that has loaded them.
    """
    paris, after = zone("Europe/Paris"), instant_of("2024-01-01")
    next_run(schedule, paris, after)  # they are loaded here
    lines = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count if frame.f_code.co_filename.startswith(str(PACKAGE)) else None

    traced = sys.gettrace()
    sys.settrace(count)
    try:
        next_run(counted or schedule, paris, after)
    finally:
        sys.settrace(traced)
    return lines
