"""Schedules that fire each so many seconds, or once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest

from plpython.rules.schedule import firings, in_seconds, merge_runs, next_run
from plpython.rules.zones import CHUNK, Zone
from tests.unit.plpython.oracle import Rule, compiled, instant_of, on, zone


def test_every_keeps_to_its_anchor() -> None:
    start = 1_000_000_000.25
    schedule = compiled(Rule(start=start))._replace(every=7)
    assert merge_runs([(schedule, zone("UTC"))], 0, 3) == [start, start + 7, start + 14]
    assert next_run(schedule, zone("UTC"), start + 7e6) == start + 7e6 + 7
    assert next_run(schedule, zone("UTC"), start + 7e6 - 0.000001) == start + 7e6


def test_every_fires_only_when_the_sets_let_it() -> None:
    rule = Rule(
        hours=on(9, 10),
        weekdays=on(1),
        start=instant_of("2024-01-01 00:10"),
        exceptions=((date(2024, 1, 8), None),),
    )
    schedule = compiled(rule)._replace(every=45 * 60)
    found = merge_runs([(schedule, zone("UTC"))], 0, 5)
    assert found == [
        instant_of(text)
        for text in (
            "2024-01-01 09:10",
            "2024-01-01 09:55",
            "2024-01-01 10:40",
            "2024-01-15 09:10",
            "2024-01-15 09:55",
        )
    ]
    assert next_run(schedule._replace(end=found[1]), zone("UTC"), found[0]) == found[1]
    assert next_run(schedule._replace(end=found[1]), zone("UTC"), found[1]) is None


def test_every_that_never_meets_the_sets_is_given_up() -> None:
    rule = Rule(start=instant_of("2024-01-01 09:30"), exceptions=((None, time(9, 30)),))
    assert next_run(compiled(rule)._replace(every=86400), zone("UTC"), 0) is None


def test_every_goes_on_in_a_zone_with_an_offset_too_short_to_be_looked_for() -> None:
    """By rules of its own, a zone may be three hours ahead on 1 July alone: its offset at that noon was not foreseen."""
    days = [instant_of("1970-07-01"), instant_of("1971-07-01")]
    changes = [(at, offset) for day in days for at, offset in ((day, 3 * 3_600), (day + 86_400, 0))]

    def load(low: int, high: int) -> list[tuple[int, int]]:
        seen = [change for change in changes if low < change[0] < high] if high - low == CHUNK else []
        return [(low, 0), *seen]

    rule = Rule(hours=on(12), monthdays=on(1), months=on(7), start=instant_of("1970-01-01 12:00"))
    schedule = compiled(rule)._replace(every=86_400)
    assert next_run(schedule, Zone("made up", load), 0) == instant_of("1972-07-01 12:00")


def test_at_fires_once() -> None:
    schedule = compiled(Rule())._replace(at=12345.678)
    assert list(firings(schedule, zone("UTC"), 0)) == [12345.678]
    assert next_run(schedule, zone("UTC"), 12345.678) is None
    blocked = compiled(Rule(exceptions=((date(1970, 1, 1), None),)))._replace(at=12345.678)
    assert next_run(blocked, zone("UTC"), 0) is None


@pytest.mark.parametrize(
    ("rule", "every", "expected"),
    [
        pytest.param(
            Rule(minutes=on(0), hours=on(0)), 86_460, "2038-03-22 00:00", id="a minute later each day"
        ),
        pytest.param(Rule(hours=on(10)), 86_400, "2024-03-31 10:30", id="an hour later in summer"),
        pytest.param(
            Rule(minutes=on(30), hours=on(9, 10), weekdays=on(5), monthdays=on(13)),
            1_000 * 86_400,
            "2243-01-13 09:30",
            id="Friday the 13th, each thousand days",
        ),
    ],
)
def test_every_finds_a_meeting_that_is_far_away(rule: Rule, every: int, expected: str) -> None:
    start = instant_of("2024-01-01 09:30", "Europe/Paris")
    schedule = compiled(replace(rule, start=start, zone="Europe/Paris"))._replace(every=every)
    assert next_run(schedule, zone("Europe/Paris"), start) == instant_of(expected, "Europe/Paris")


def test_every_is_exact_in_years_for_which_a_float_has_no_microseconds() -> None:
    micros = 1_000_000 * instant_of("2300-01-01") + 1
    schedule = compiled(Rule())._replace(start=in_seconds(micros), every=7)
    found = merge_runs([(schedule, zone("UTC"))], 0, 3)
    assert [round(instant * 1_000_000) for instant in found] == [micros + k * 7_000_000 for k in range(3)]
