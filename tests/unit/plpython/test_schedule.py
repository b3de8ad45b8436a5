"""Firing times of single schedules, each with the rule that it stands for."""

from __future__ import annotations

from datetime import date, datetime, time
from math import inf
from zoneinfo import ZoneInfo

import pytest

from plpython.rules.schedule import compile_schedule, firings, merge_runs, next_run
from plpython.rules.years import first_day, year_of
from plpython.rules.zones import LAST_INSTANT, Zone
from tests.unit.plpython.oracle import UTC, Rule, compiled, instant_of, on, zone

ANY = "{f}"


def runs(rule: Rule, after: str, count: int) -> list[str]:
    """Return the next runs as the rule's own clock shows them, with the offset."""
    instants = merge_runs([(compiled(rule), zone(rule.zone))], instant_of(after, rule.zone), count)
    return [
        datetime.fromtimestamp(float(instant), ZoneInfo(rule.zone)).strftime("%Y-%m-%d %H:%M%z")
        for instant in instants
    ]


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
def test_runs_are_those_that_the_rule_says(rule: Rule, after: str, expected: list[str]) -> None:
    assert runs(rule, after, len(expected) or 1) == expected


def test_a_run_is_strictly_later_within_the_minute_too() -> None:
    every_minute = compiled(Rule())
    assert next_run(every_minute, zone("UTC"), 59.999999) == 60
    assert next_run(every_minute, zone("UTC"), 60.0) == 120
    assert next_run(every_minute, zone("UTC"), 60.000001) == 120


def test_while_an_hour_repeats_itself_the_next_run_is_tomorrow() -> None:
    half_past_two = compiled(Rule(minutes=on(30), hours=on(2), zone="Europe/Paris"))
    paris = zone("Europe/Paris")
    tomorrow = instant_of("2024-10-28 02:30", "Europe/Paris")
    for second_time in ("02:00", "02:10", "02:30", "02:59"):
        after = instant_of(f"2024-10-27 {second_time}", "Europe/Paris", fold=1)
        assert (
            next_run(half_past_two, paris, after) == next_run(half_past_two, paris, after - 0.5) == tomorrow
        )


def test_the_end_of_a_gap_is_a_run_for_who_asks_just_before() -> None:
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


def test_infinite_limits_are_none_or_never() -> None:
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


def test_calendars_block_their_days_or_let_only_them_pass() -> None:
    midnight = (flag_of(60, 0), flag_of(24, 0), ANY, ANY, ANY, None, None, "UTC")
    holidays = compile_schedule(*midnight, blocked_days=(1, 2, 2, 4))
    assert merge_runs([(holidays, zone("UTC"))], 0, 2) == [3 * 86400, 5 * 86400]
    only = compile_schedule(*midnight, ((4, None),), only_days=(9, 4, 2, 9, -3))
    assert list(firings(only, zone("UTC"), 0)) == [2 * 86400, 9 * 86400]
    assert next_run(compile_schedule(*midnight, only_days=()), zone("UTC"), 0) is None


def flag_of(size: int, member: int) -> str:
    return "{" + ",".join("t" if number == member else "f" for number in range(size)) + "}"


def test_every_day_is_in_its_year() -> None:
    for day in (*range(-1_000_000, 1_000_000, 97), *range(100_000_000, 107_000_000, 9_973)):
        year, first = year_of(day)
        assert first == first_day(year) <= day < first_day(year + 1)
    assert year_of((date(2024, 2, 29) - date(1970, 1, 1)).days) == (2024, 19723)
    assert datetime.fromtimestamp(19723 * 86400, UTC).date() == date(2024, 1, 1)
