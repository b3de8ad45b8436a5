"""When windows are open, and when jobs with windows may start."""

from __future__ import annotations

import random
from datetime import datetime
from math import inf
from zoneinfo import ZoneInfo

import pytest

from plpython.rules.schedule import firings
from plpython.rules.windows import Window, Windows, split_names
from tests.unit.plpython.oracle import Rule, compiled, instant_of, on, zone

HOUR = 3600
PARIS = "Europe/Paris"


def window(rule: Rule, duration: float, *more: Rule, closed: bool = False) -> Window:
    """Return the window that opens by these rules."""
    return Window([(compiled(each), zone(each.zone)) for each in (rule, *more)], duration, closed)


def shown(at: float, name: str = "UTC") -> str:
    """Return an instant as a zone's clock shows it."""
    return datetime.fromtimestamp(at, ZoneInfo(name)).strftime("%Y-%m-%d %H:%M%z")


NIGHT = Rule(minutes=on(0), hours=on(22))


def test_it_is_open_from_its_time_on_for_the_duration() -> None:
    night = window(NIGHT, 8 * HOUR)
    opens = instant_of("2027-01-10 22:00", "UTC")
    found = [night.is_open(opens + seconds) for seconds in (-0.001, 0, 1, 8 * HOUR - 0.001, 8 * HOUR)]
    assert found == [False, True, True, True, False]
    assert night.change(opens - 60) == opens
    assert night.change(opens + 60) == opens + 8 * HOUR


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        pytest.param("2027-03-27 22:00", "2027-03-28 07:00+0200", id="an hour is missing"),
        pytest.param("2027-10-30 22:00", "2027-10-31 05:00+0100", id="an hour comes twice"),
        pytest.param("2027-06-01 22:00", "2027-06-02 06:00+0200", id="any other night"),
    ],
)
def test_a_night_in_which_clocks_change_keeps_its_hours(day: str, closes: str) -> None:
    night = window(Rule(minutes=NIGHT.minutes, hours=NIGHT.hours, zone=PARIS), 8 * HOUR)
    opens = instant_of(day, PARIS)
    assert night.change(opens - 1) == opens
    assert shown(night.change(opens), PARIS) == closes


def test_openings_that_overlap_or_touch_are_one() -> None:
    start = instant_of("2027-01-10 22:00", "UTC")
    overlapping = window(Rule(minutes=on(0), hours=on(22, 23)), 2 * HOUR)
    assert overlapping.change(start) == start + 3 * HOUR
    touching = window(Rule(minutes=on(0), hours=on(22, 23)), HOUR)
    assert touching.change(start + 60) == start + 2 * HOUR
    of_two_rules = window(NIGHT, HOUR, Rule(minutes=on(30), hours=on(22)))
    assert of_two_rules.change(start) == start + 1.5 * HOUR
    many = window(Rule(hours=on(22)), 10 * HOUR)  # each minute of the hour
    assert many.change(start) == start + 59 * 60 + 10 * HOUR
    whole_days = window(Rule(weekdays=on(1, 2, 3, 4, 5), zone=PARIS), 60)
    assert shown(whole_days.change(instant_of("2027-03-22 12:00", "UTC")), PARIS) == "2027-03-27 00:00+0100"


def test_what_is_always_open_has_no_end_that_is_foreseen() -> None:
    always = window(Rule(), 60)
    at = instant_of("2027-01-10 22:00", "UTC")
    found = always.opening(at)
    assert found is not None
    assert found.closes == inf
    assert always.is_open(found.known)
    assert always.is_open(found.known + 12.5)


def test_what_never_fires_never_opens() -> None:
    never = window(Rule(monthdays=on(30), months=on(2)), HOUR)
    assert not never.is_open(0)
    assert never.change(0) == inf


ALL = {
    "nights": window(NIGHT, 8 * HOUR),
    "noon": window(Rule(minutes=on(0), hours=on(12)), HOUR),
    "saturdays": window(Rule(minutes=on(0), hours=on(0), weekdays=on(6)), 24 * HOUR),
    "month end": window(Rule(minutes=on(0), hours=on(0), monthdays=on(32)), 24 * HOUR, closed=True),
    "never": window(Rule(monthdays=on(30), months=on(2)), HOUR),
    "evenings": window(Rule(minutes=on(0), hours=on(20)), 12 * HOUR, closed=True),
    "broken": Window([], HOUR, False, ValueError("no such zone")),
    "broken and closed": Window([], HOUR, True, ValueError("no such zone")),
}


@pytest.mark.parametrize(
    ("job", "of_class", "due", "starts"),
    [
        ("nights", None, "2027-01-10 23:00", "2027-01-10 23:00"),
        ("nights", None, "2027-01-10 13:00", "2027-01-10 22:00"),
        ("nights, noon", None, "2027-01-10 07:00", "2027-01-10 12:00"),
        ("nights, noon", None, "2027-01-10 13:00", "2027-01-10 22:00"),
        ("month end, nights", None, "2027-01-30 23:30", "2027-01-30 23:30"),
        ("month end, nights", None, "2027-01-31 00:00", "2027-02-01 00:00"),
        ("month end", None, "2027-01-31 13:00", "2027-02-01 00:00"),
        ("month end", None, "2027-01-30 13:00", "2027-01-30 13:00"),
        ("nights", "saturdays", "2027-01-10 13:00", "2027-01-16 00:00"),
        ("saturdays", "month end, nights", "2027-07-26 13:00", "2027-08-07 00:00"),
        (None, "noon", "2027-01-10 13:00", "2027-01-11 12:00"),
        ("never", None, "2027-01-10 13:00", None),
        ("evenings, nights", None, "2027-01-10 13:00", None),
        ("noon", "nights", "2027-01-10 13:00", None),
        ("broken", None, "2027-01-10 13:00", None),
        ("broken and closed, noon", None, "2027-01-10 12:00", None),
        ("broken, noon", None, "2027-01-10 12:00", "2027-01-10 12:00"),
        ("one that is gone", None, "2027-01-10 13:00", None),
        ("one that is gone, noon", None, "2027-01-10 13:00", "2027-01-11 12:00"),
    ],
)
def test_when_a_job_may_start(job: str | None, of_class: str | None, due: str, starts: str | None) -> None:
    at = instant_of(due, "UTC")
    found = Windows(ALL).start(split_names(job, of_class), at)
    assert found == (inf if starts is None else instant_of(starts, "UTC"))


def test_since_when_a_job_may_not_start() -> None:
    windows, names = Windows(ALL), [["nights"]]
    day = instant_of("2027-01-10 00:00", "UTC")
    assert windows.closed_since(names, day + 13 * HOUR) == day + 6 * HOUR
    assert windows.closed_since(names, day + 23 * HOUR) == day + 23 * HOUR
    assert windows.closed_since([["saturdays"]], day + 13 * HOUR) == day
    assert windows.closed_since([["never"]], day) < day - 500 * 24 * HOUR


def test_random_windows_are_open_after_each_firing_and_at_no_other_time() -> None:
    chance = random.Random(7)
    for _ in range(20):
        rule = Rule(
            minutes=on(*chance.sample(range(60), chance.randint(1, 4))) if chance.random() < 0.8 else on(),
            hours=on(*chance.sample(range(24), chance.randint(1, 8))) if chance.random() < 0.8 else on(),
            zone=chance.choice(["UTC", PARIS, "Australia/Lord_Howe", "America/St_Johns"]),
        )
        duration = chance.choice([60, 90 * 60, 5 * HOUR, 30 * HOUR])
        first = instant_of(chance.choice(["2027-03-27 12:00", "2027-10-30 12:00", "2027-04-03 00:00"]), "UTC")
        tested, fired = window(rule, duration), []
        for at in firings(compiled(rule), zone(rule.zone), first - 2 * duration):
            if at > first + 4 * 24 * HOUR:
                break
            fired.append(float(at))
        for at in sorted(chance.uniform(first, first + 3 * 24 * HOUR) for _ in range(25)):
            assert tested.is_open(at) == any(f <= at < f + duration for f in fired), (rule, duration, at)
            change = tested.change(at)
            if change < first + 3 * 24 * HOUR:
                assert tested.is_open(change) != tested.is_open(at)
