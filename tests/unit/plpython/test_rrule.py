"""Recurrence rules against the reader of dateutil: what is said fires when that says, what is refused names its part."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import strategies as st

from plpython.api.rrule import read_rrule
from plpython.ground.errors import PgAgentError
from plpython.rules.day_rules import DayRule, Recurs
from plpython.rules.schedule import Schedule, compile_schedule, merge_runs
from tests.forms import for_all, forms
from tests.unit.plpython.oracle import flags, zone

SETS = {
    "minutes": range(60),
    "hours": range(24),
    "weekdays": range(7),
    "monthdays": range(1, 33),
    "months": range(1, 13),
}
START = datetime(2027, 3, 15, 8, 30)
DAY = 86_400


def compiled(way: dict[str, Any], start: datetime) -> Schedule:
    """Return a schedule of the arguments of add_schedule."""
    begin = int(start.replace(tzinfo=timezone.utc).timestamp())
    monthdays = way.get("monthdays") or ()
    texts = [
        flags(frozenset(() if name == "monthdays" else way.get(name, ())), of) for name, of in SETS.items()
    ]
    number, unit = way["recurs"].split() if "recurs" in way else ("0", "")
    rule = DayRule(
        tuple(monthdays) or None,
        tuple(way.get("nth", ())),
        tuple(way.get("workdays", ())),
        "",
        Recurs(int(number), unit.rstrip("s"), begin // DAY) if unit else None,
    )
    minutes, hours, weekdays, no_monthdays, months = texts
    return compile_schedule(minutes, hours, weekdays, no_monthdays, months, begin, None, "UTC", rule=rule)


# A rare rule may fire after the year 9999, which Python can't say.
PYTHONS_LAST = datetime(9999, 12, 31, tzinfo=timezone.utc).timestamp()


def runs(text: str, start: datetime, given: bool = True) -> list[datetime]:
    """Return the first 20 runs from *start* on."""
    found = read_rrule(text, start if given else None)
    begin = int(start.replace(tzinfo=timezone.utc).timestamp())
    schedules = [(compiled(way, start), zone("UTC")) for way in found.ways]
    return [
        datetime.fromtimestamp(float(at), timezone.utc).replace(tzinfo=None)
        for at in merge_runs(schedules, begin - 1, 20)
        if float(at) < PYTHONS_LAST
    ]


def theirs(text: str, start: datetime) -> list[datetime]:
    """Return the same as dateutil has it."""
    return list(islice(rrulestr(text, dtstart=start), 20))


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=18;BYMINUTE=0",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE",
        "FREQ=MONTHLY;BYDAY=2FR,-1MO",
        "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        "FREQ=YEARLY;BYDAY=1MO",
        "FREQ=YEARLY;INTERVAL=2",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=MINUTELY;INTERVAL=90",
        "FREQ=HOURLY;INTERVAL=6;BYDAY=SA",
        "FREQ=HOURLY;INTERVAL=48;BYMINUTE=30",
        "FREQ=MINUTELY;INTERVAL=4320;BYMONTH=3,4",
        "FREQ=YEARLY;BYYEARDAY=1,-1,-276",
        "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,30",
        "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=WEEKLY;WKST=SU;BYDAY=TU",
    ],
)
def test_examples(text: str) -> None:
    assert runs(text, START) == theirs(text, START)


def test_without_start_a_missing_time_is_midnight() -> None:
    (way,) = read_rrule("FREQ=MONTHLY;BYDAY=-1FR", None).ways
    assert (way["minutes"], way["hours"], way["weekdays"], way["nth"]) == ([0], [0], [5], [-1])
    (way,) = read_rrule("FREQ=MONTHLY;BYDAY=MON,TUE,WED,THU,FRI;BYSETPOS=-1;BYHOUR=18", None).ways
    assert (way["minutes"], way["hours"], way["weekdays"], way["workdays"]) == ([0], [18], [], [-1])


def test_another_first_day_of_the_week_is_refused_only_where_it_changes_the_result() -> None:
    """Without a start it is that which the schedule will have."""
    text = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"
    friday, sunday = datetime(2027, 3, 12), datetime(2027, 3, 14)
    assert read_rrule(text, None, friday).ways[0]["recurs"] == "2 weeks"
    assert runs(text, friday) == theirs(text, friday)
    for given in ((None, sunday), (sunday, sunday), (None, None)):
        with pytest.raises(PgAgentError, match="WKST"):
            read_rrule(text, *given)


def test_oracles_spelling() -> None:
    found = read_rrule("freq=yearly; bydate=0131,0630; bytime=090000,173000; exclude=holidays", None)
    assert [(way["months"], way["monthdays"], way["hours"], way["minutes"]) for way in found.ways] == [
        ([6], [30], [9], [0]), ([6], [30], [17], [30]), ([1], [31], [9], [0]), ([1], [31], [17], [30]),
    ]  # fmt: skip
    assert found.exclude == ["holidays"]
    assert read_rrule("FREQ=DAILY;UNTIL=20271224", None).until == datetime(2027, 12, 24, 23, 59)
    assert read_rrule("FREQ=DAILY;UNTIL=20271224T180000Z", None).until_utc


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("FREQ=SECONDLY", "FREQ"),
        ("INTERVAL=2", "FREQ"),
        ("FREQ=DAILY;COUNT=3", "COUNT"),
        ("DTSTART:20270101T090000\nRRULE:FREQ=DAILY", "DTSTART"),
        ("FREQ=DAILY;BYSECOND=30", "BYSECOND"),
        ("FREQ=DAILY\nEXDATE:20270101", "EXDATE"),
        ("FREQ=WEEKLY", "BYDAY"),
        ("FREQ=MONTHLY", "BYDAY"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "BYWEEKNO"),
        ("FREQ=YEARLY;BYDAY=20MO", "BYDAY"),
        ("FREQ=DAILY;BYDAY=2MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=1,2,3;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=MINUTELY;INTERVAL=7", "INTERVAL"),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYMONTHDAY=1", "INTERVAL"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "WKST"),
        ("FREQ=YEARLY;BYYEARDAY=60", "BYYEARDAY"),
        ("FREQ=DAILY;BYHOUR=25", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=1;BYHOUR=2", "BYHOUR"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL"),
        ("FREQ=DAILY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("nonsense", "NONSENSE"),
        ("FREQ=DAILY;BYTIME=090030", "BYTIME"),
    ],
)
def test_what_can_not_be_said_is_refused_by_its_part(text: str, part: str) -> None:
    with pytest.raises(PgAgentError) as refused:
        read_rrule(text, None)
    assert part in refused.value.message
    assert refused.value.hint


NAMES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, datetime]:
    """Return a rule and a start."""
    frequency = draw(st.sampled_from(["MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}"]

    def add(name: str, values: st.SearchStrategy[Any], chance: int) -> None:
        if draw(st.integers(1, 10)) <= chance:
            found = draw(st.lists(values, min_size=1, max_size=3, unique=True))
            parts.append(f"{name}={','.join(map(str, found))}")

    if draw(st.integers(1, 10)) <= 4:
        parts.append(f"INTERVAL={draw(st.sampled_from([2, 3, 4, 6, 15, 90]))}")
    add("BYMONTH", st.integers(1, 12), 3)
    add("BYMONTHDAY", st.integers(-31, 31).filter(bool), 0 if frequency == "WEEKLY" else 3)
    # dateutil takes a mixture of both for days that are both.
    numbered = frequency in ("MONTHLY", "YEARLY") and draw(st.booleans())
    add("BYDAY", st.sampled_from(["1MO", "-1FR", "2WE", "-3SU", "5TH"] if numbered else NAMES), 5)
    add("BYHOUR", st.integers(0, 23), 3)
    add("BYMINUTE", st.integers(0, 59), 3)
    # dateutil counts the positions of the first week from its start.
    if draw(st.integers(1, 10)) <= 2 and frequency != "WEEKLY":
        parts.append(f"BYSETPOS={draw(st.sampled_from([1, -1, 2, -2]))}")
    if draw(st.integers(1, 10)) <= 2:
        parts.append("WKST=SU")
    day = draw(st.integers(0, 20_000))
    return ";".join(parts), datetime(1990, 1, 1) + timedelta(days=day, minutes=draw(st.integers(0, 1439)))


@forms(100, 5_000)
def test_runs_are_those_of_dateutil(size: int) -> None:
    for_all(size, check_dateutil, rules())


def check_dateutil(case: tuple[str, datetime]) -> None:
    text, start = case
    try:
        ours = runs(text, start)
    except PgAgentError:
        return
    last = start + timedelta(days=365 * 4)
    assert [at for at in ours if at <= last] == theirs_until(text, start, last)


def theirs_until(text: str, start: datetime, last: datetime) -> list[datetime]:
    """Return at most 20 runs up to *last*: dateutil goes on to the year 9999 for a rule that never fires."""
    rule = rrulestr(f"{text};UNTIL={last:%Y%m%dT%H%M%S}", dtstart=start)
    return list(islice(rule, 20))
