"""Firing times of single schedules, each with the rule that it stands for."""

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from math import inf
from pathlib import Path
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import plpython
from plpython.rules.schedule import Schedule, compile_schedule, firings, merge_runs, next_run
from plpython.rules.wall_minutes import first_day, year_of
from plpython.rules.zones import CHUNK, LAST_INSTANT, Zone
from tests.unit.oracle import Rule, compiled, instant_of, zone

ANY = "{f}"
PACKAGE = Path(plpython.__file__).parent


def runs(rule: Rule, after: str, count: int) -> list[str]:
    """Return the next runs as the rule's own clock shows them, with the offset."""
    instants = merge_runs([(compiled(rule), zone(rule.zone))], instant_of(after, rule.zone), count)
    return [
        datetime.fromtimestamp(instant, ZoneInfo(rule.zone)).strftime("%Y-%m-%d %H:%M%z")
        for instant in instants
    ]


def on(*members: int) -> frozenset[int]:
    return frozenset(members)


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        pytest.param(
            Rule(minutes=frozenset(range(0, 60, 5))),
            "2024-12-31 23:54",
            ["2024-12-31 23:55+0000", "2025-01-01 00:00+0000"],
            id="every five minutes, over the turn of the year",
        ),
        pytest.param(
            Rule(minutes=on(30), hours=on(9), weekdays=on(1, 2, 3, 4, 5)),
            "2024-03-01 09:30",
            ["2024-03-04 09:30+0000", "2024-03-05 09:30+0000"],
            id="weekdays at 09:30, asked at that very minute",
        ),
        pytest.param(
            Rule(minutes=on(0, 30), hours=on(3)),
            "2024-03-01 03:31",
            ["2024-03-02 03:00+0000", "2024-03-02 03:30+0000"],
            id="minutes 0 and 30 at hour 3, asked after the last of them",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), monthdays=on(32)),
            "2023-12-31 00:00",
            ["2024-01-31 00:00+0000", "2024-02-29 00:00+0000", "2024-03-31 00:00+0000"],
            id="last day of the month",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), monthdays=on(15, 32), months=on(2)),
            "2023-01-01 00:00",
            [
                "2023-02-15 00:00+0000",
                "2023-02-28 00:00+0000",
                "2024-02-15 00:00+0000",
                "2024-02-29 00:00+0000",
            ],
            id="last day beside another day",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), weekdays=on(5), monthdays=on(13)),
            "2024-01-01 00:00",
            ["2024-09-13 00:00+0000", "2024-12-13 00:00+0000", "2025-06-13 00:00+0000"],
            id="Friday the 13th: weekday and monthday must both match",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), monthdays=on(29), months=on(2)),
            "2096-01-01 00:00",
            ["2096-02-29 00:00+0000", "2104-02-29 00:00+0000"],
            id="29 February, across 2100",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), weekdays=on(1), monthdays=on(29), months=on(2)),
            "2072-03-01 00:00",
            ["2112-02-29 00:00+0000"],
            id="29 February on a Monday, the longest gap there is: forty years",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), monthdays=on(31)),
            "2024-01-31 00:00",
            ["2024-03-31 00:00+0000", "2024-05-31 00:00+0000"],
            id="the 31st, only in months that have one",
        ),
        pytest.param(Rule(monthdays=on(30), months=on(2)), "2024-01-01", [], id="30 February"),
        pytest.param(
            Rule(minutes=on(30), hours=on(2), zone="Europe/Paris"),
            "2024-03-30 02:30",
            ["2024-03-31 03:00+0200", "2024-04-01 02:30+0200"],
            id="hour given, in the gap: the first instant after it",
        ),
        pytest.param(
            Rule(minutes=on(0, 15, 30, 45), hours=on(2, 3), zone="Europe/Paris"),
            "2024-03-31 01:59",
            ["2024-03-31 03:00+0200", "2024-03-31 03:15+0200"],
            id="several in one gap, and the time after it, are one firing",
        ),
        pytest.param(
            Rule(minutes=on(30), hours=on(2), zone="Europe/Paris"),
            "2024-10-26 03:00",
            ["2024-10-27 02:30+0200", "2024-10-28 02:30+0100"],
            id="hour given, comes twice: the first",
        ),
        pytest.param(
            Rule(minutes=on(30), zone="Europe/Paris"),
            "2024-10-27 01:30",
            ["2024-10-27 02:30+0200", "2024-10-27 02:30+0100", "2024-10-27 03:30+0100"],
            id="hours any, the repeated hour fires twice",
        ),
        pytest.param(
            Rule(minutes=on(30), zone="Europe/Paris"),
            "2024-03-31 00:30",
            ["2024-03-31 01:30+0100", "2024-03-31 03:30+0200"],
            id="hours any, the missing hour fires not at all",
        ),
        pytest.param(
            Rule(minutes=on(45), hours=on(1), zone="Australia/Lord_Howe"),
            "2024-04-06 01:45",
            ["2024-04-07 01:45+1100", "2024-04-08 01:45+1030"],
            id="half-hour shift back",
        ),
        pytest.param(
            Rule(minutes=on(10), hours=on(2), zone="Australia/Lord_Howe"),
            "2024-10-05 02:10",
            ["2024-10-06 02:30+1100", "2024-10-07 02:10+1100"],
            id="half-hour shift forth: the gap ends at 02:30",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0), zone="America/Havana"),
            "2024-03-09 00:00",
            ["2024-03-10 01:00-0400", "2024-03-11 00:00-0400"],
            id="a day that begins at 01:00",
        ),
        pytest.param(
            Rule(minutes=on(30), monthdays=on(31), months=on(10), zone="Africa/Cairo"),
            "2024-10-31 22:30",
            ["2024-10-31 23:30+0300", "2024-10-31 23:30+0200", "2025-10-31 00:30+0200"],
            id="a day that ends twice, and the next one is far",
        ),
        pytest.param(
            Rule(minutes=on(30), only=frozenset({date(2024, 10, 31)}), zone="Africa/Cairo"),
            "2024-10-31 22:30",
            ["2024-10-31 23:30+0300", "2024-10-31 23:30+0200"],
            id="the last day of all ends twice",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(12), zone="Pacific/Apia"),
            "2011-12-29 12:00",
            ["2011-12-31 00:00+1400", "2011-12-31 12:00+1400"],
            id="a day that was left out altogether",
        ),
        pytest.param(
            Rule(minutes=on(59), hours=on(23), exceptions=((date(2024, 1, 2), time(23, 59)),)),
            "2024-01-01 23:00",
            ["2024-01-01 23:59+0000", "2024-01-03 23:59+0000"],
            id="exception with date and time",
        ),
        pytest.param(
            Rule(minutes=on(59), hours=on(12, 23), exceptions=((date(2024, 1, 2), time(12, 59)),)),
            "2024-01-01 23:00",
            ["2024-01-01 23:59+0000", "2024-01-02 23:59+0000", "2024-01-03 12:59+0000"],
            id="exception with date and time, on a day that has others",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0, 12), exceptions=((date(2024, 1, 2), None),)),
            "2024-01-01 00:00",
            ["2024-01-01 12:00+0000", "2024-01-03 00:00+0000"],
            id="exception with a date only",
        ),
        pytest.param(
            Rule(minutes=on(0), hours=on(0, 12), exceptions=((None, time(12, 0)),)),
            "2024-01-01 00:00",
            ["2024-01-02 00:00+0000"],
            id="exception with a time only",
        ),
        pytest.param(
            Rule(hours=on(9), minutes=on(30), exceptions=((None, time(9, 30, 15)),)),
            "2024-01-01 00:00",
            [],
            id="exception with seconds: it is of its minute, and here leaves none",
        ),
        pytest.param(
            Rule(minutes=on(30), hours=on(2), zone="Europe/Paris", exceptions=((None, time(3, 0)),)),
            "2024-03-30 02:30",
            ["2024-03-31 03:00+0200"],
            id="exceptions are of the nominal time, not of the firing",
        ),
    ],
)
def test_runs(rule: Rule, after: str, expected: list[str]) -> None:
    assert runs(rule, after, len(expected) or 1) == expected


def test_after_within_the_minute() -> None:
    every_minute = compiled(Rule())
    assert next_run(every_minute, zone("UTC"), 59.999999) == 60
    assert next_run(every_minute, zone("UTC"), 60.0) == 120
    assert next_run(every_minute, zone("UTC"), 60.000001) == 120


def test_asked_while_an_hour_repeats_itself() -> None:
    half_past_two = compiled(Rule(minutes=on(30), hours=on(2), zone="Europe/Paris"))
    paris = zone("Europe/Paris")
    tomorrow = instant_of("2024-10-28 02:30", "Europe/Paris")
    for second_time in ("02:00", "02:10", "02:30", "02:59"):
        after = instant_of(f"2024-10-27 {second_time}", "Europe/Paris", fold=1)
        assert (
            next_run(half_past_two, paris, after) == next_run(half_past_two, paris, after - 0.5) == tomorrow
        )


def test_asked_around_the_end_of_a_gap() -> None:
    half_past_two = compiled(Rule(minutes=on(30), hours=on(2), zone="Europe/Paris"))
    paris = zone("Europe/Paris")
    end_of_gap = instant_of("2024-03-31 03:00", "Europe/Paris")
    assert next_run(half_past_two, paris, end_of_gap - 0.5) == end_of_gap
    assert next_run(half_past_two, paris, end_of_gap) == instant_of("2024-04-01 02:30", "Europe/Paris")


def test_start_counts_from_its_minute() -> None:
    start = instant_of("2024-05-01 16:25:33") + 0.25
    schedule = compiled(Rule(start=start))
    assert next_run(schedule, zone("UTC"), start - 86400) == instant_of("2024-05-01 16:25")
    assert next_run(schedule, zone("UTC"), instant_of("2024-05-01 16:25")) == instant_of("2024-05-01 16:26")
    assert next_run(schedule, zone("UTC"), instant_of("2024-05-01 16:25:20")) == instant_of(
        "2024-05-01 16:26"
    )


def test_end_is_inclusive() -> None:
    end = instant_of("2024-05-01 16:25")
    schedule = compiled(Rule(minutes=on(25), hours=on(16), end=end))
    assert next_run(schedule, zone("UTC"), end - 1) == end
    assert next_run(schedule, zone("UTC"), end) is None
    assert next_run(schedule._replace(end=end - 0.5), zone("UTC"), end - 1) is None


def test_infinite_limits() -> None:
    endless = compiled(Rule(start=-inf, end=inf))
    assert next_run(endless, zone("UTC"), 0) == 60
    assert next_run(compiled(Rule(start=inf)), zone("UTC"), 0) is None
    assert next_run(compiled(Rule(end=-inf)), zone("UTC"), 0) is None
    assert next_run(endless, zone("UTC"), inf) is None
    assert next_run(endless, zone("UTC"), -inf) is not None


def test_ends_with_the_last_instant_of_timestamptz() -> None:
    every_minute = compiled(Rule())
    last = LAST_INSTANT // 60 * 60
    assert list(firings(every_minute, zone("UTC"), last - 120)) == [last - 60, last]
    assert next_run(compiled(Rule(minutes=on(0), hours=on(0))), zone("UTC"), last) is None


def test_impossible_date_asks_no_zone() -> None:
    def load(low: int, high: int) -> list[tuple[int, int]]:
        raise AssertionError(f"asked for {low} to {high}")

    impossible = compiled(Rule(monthdays=on(31), months=on(2, 4, 6, 9, 11), start=0))
    assert next_run(impossible, Zone("nowhere", load), 0) is None


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ("{f,f}", [60, 120]),
        ("{}", [60, 120]),
        ("{t,t,f}", [60, 3600]),
        ("{f,NULL,t}", [120, 3720]),
        ("[0:2]={t,f,t}", [60, 3660]),
        ("[-1:2]={t,t,f,t}", [60, 3660]),
        ("[60:61]={t,t}", [3540, 7140]),
        ("{{t,f},{f,t}}", [60, 120]),
    ],
)
def test_flags_are_read_by_subscript(minutes: str, expected: list[int]) -> None:
    schedule = compile_schedule(minutes, ANY, ANY, ANY, ANY, None, None, "UTC")
    assert merge_runs([(schedule, zone("UTC"))], 0, 2) == expected


def test_merge_runs_is_in_order_and_without_repeats() -> None:
    utc, nepal = zone("UTC"), zone("Asia/Kathmandu")
    noon = compiled(Rule(minutes=on(0), hours=on(12)))
    hourly = compiled(Rule(minutes=on(0, 45), zone="Asia/Kathmandu"))
    morning = instant_of("2024-01-01 11:10")
    assert merge_runs([(noon, utc), (hourly, nepal), (noon, utc)], morning, 4) == [
        instant_of(f"2024-01-01 {text}") for text in ("11:15", "12:00", "12:15", "13:00")
    ]
    assert merge_runs([], morning, 5) == []
    assert merge_runs([(noon, utc)], morning, 0) == []


def test_every_keeps_to_its_anchor() -> None:
    start = 1_000_000_000.25
    schedule = compiled(Rule(start=start))._replace(every=7)
    assert merge_runs([(schedule, zone("UTC"))], 0, 3) == [start, start + 7, start + 14]
    assert next_run(schedule, zone("UTC"), start + 7e6) == start + 7e6 + 7
    assert next_run(schedule, zone("UTC"), start + 7e6 - 0.000001) == start + 7e6


def test_every_within_the_sets() -> None:
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


def test_every_in_a_zone_with_an_offset_too_short_to_be_looked_for() -> None:
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


def test_calendars_of_dates() -> None:
    midnight = (flag_of(60, 0), flag_of(24, 0), ANY, ANY, ANY, None, None, "UTC")
    holidays = compile_schedule(*midnight, blocked_days=(1, 2, 2, 4))
    assert merge_runs([(holidays, zone("UTC"))], 0, 2) == [3 * 86400, 5 * 86400]
    only = compile_schedule(*midnight, ((4, None),), only_days=(9, 4, 2, 9, -3))
    assert list(firings(only, zone("UTC"), 0)) == [2 * 86400, 9 * 86400]
    assert next_run(compile_schedule(*midnight, only_days=()), zone("UTC"), 0) is None


# Lines of Python that a search may execute: no statement_timeout must ever be held up. The longest takes 550 of the one kind,
# 27,000 of the other, or a millisecond.
LINES, LINES_OF_EVERY = 5_000, 50_000
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


def lines_of_search(schedule: Schedule) -> int:
    """Return how many lines of the project's Python a search executes, beside those that load the time zone's offsets."""
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
        next_run(schedule, paris, after)
    finally:
        sys.settrace(traced)
    return lines


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
def test_every_whose_next_meeting_is_far_away(rule: Rule, every: int, expected: str) -> None:
    start = instant_of("2024-01-01 09:30", "Europe/Paris")
    schedule = compiled(replace(rule, start=start, zone="Europe/Paris"))._replace(every=every)
    assert next_run(schedule, zone("Europe/Paris"), start) == instant_of(expected, "Europe/Paris")


def flag_of(size: int, member: int) -> str:
    return "{" + ",".join("t" if number == member else "f" for number in range(size)) + "}"


def test_year_of_every_day() -> None:
    for day in (*range(-1_000_000, 1_000_000, 97), *range(100_000_000, 107_000_000, 9_973)):
        year, first = year_of(day)
        assert first == first_day(year) <= day < first_day(year + 1)
    assert year_of((date(2024, 2, 29) - date(1970, 1, 1)).days) == (2024, 19723)
    assert datetime.fromtimestamp(19723 * 86400, UTC).date() == date(2024, 1, 1)
