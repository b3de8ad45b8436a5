"""Schedules as cron text and in words."""

import json

import pytest
from hypothesis import strategies as st

from plpython.api.cron import CronSets, parse_cron
from plpython.rules.schedule_text import Sets, as_cron, cron_text, words
from tests.forms import for_all, forms

SIZES = {"minutes": (0, 59), "hours": (0, 23), "weekdays": (0, 6), "monthdays": (1, 32), "months": (1, 12)}


def sets_of(way: CronSets) -> Sets:
    return dict(way._asdict())


def flags(sets: Sets) -> dict[str, str]:
    return {
        name: "{" + ",".join("t" if n in sets[name] else "f" for n in range(first, last + 1)) + "}"
        for name, (first, last) in SIZES.items()
    }


@pytest.mark.parametrize(
    ("cron", "text"),
    [
        ("0 3 * * *", "0 3 * * *"),
        ("*/15 9-17 * * mon-fri", "*/15 9-17 * * 1-5"),
        ("0,30 1,2,5 L jan,feb *", "0,30 1,2,5 L 1,2 *"),
        ("0 12 13 * fri", "0 12 13 * 5"),
        ("0 12 */2 * fri", "0 12 */2 * 5"),
        ("5 4 1-31 * *", "5 4 * * *"),
        ("@weekly", "0 0 * * 0"),
    ],
)
def test_a_cron_expression_comes_back(cron: str, text: str) -> None:
    assert as_cron(*map(sets_of, parse_cron(cron))) == text


@pytest.mark.parametrize(
    "text",
    ["0 9 * * 1#1,3#1", "0 9 * 2 5L", "0 9 LW * *", "0 9 15W,L-2W * *", "0 9 1,L-2 * *", "*/5 9 L * *"],
)
def test_quartz_s_letters_come_back(text: str) -> None:
    """As the view has them: days that pgAgent's set can't have stand among the rules."""
    (way,) = parse_cron(text)
    ruled = way.roll or any(day < 0 for day in way.monthdays)
    options = {
        "days": way.monthdays if ruled else None,
        "nth": way.nth or None,
        "workdays": way.workdays or None,
    }
    options["roll"] = way.roll or None  # type: ignore[assignment]
    sets = flags(sets_of(way._replace(monthdays=() if ruled else way.monthdays)))
    assert cron_text(None, **sets, options=json.dumps(options)) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{"nth": [-2]}, {"workdays": [3]}, {"roll": "forward"}, {"days": [15], "roll": "skip"}]
)
def test_rules_that_no_letter_says_have_no_text(options: dict[str, object]) -> None:
    (way,) = parse_cron("0 9 * * 1")
    assert cron_text(None, **flags(sets_of(way)), options=json.dumps(options)) is None  # type: ignore[arg-type]


def test_what_cron_cannot_say_has_no_text() -> None:
    friday_the_13th = sets_of(CronSets((0,), (0,), (5,), (13,), ()))
    assert as_cron(friday_the_13th) is None
    assert as_cron(friday_the_13th, sets_of(CronSets((0,), (0,), (), (1,), ()))) is None


@forms(300, 10_000)
def test_the_text_means_the_sets(size: int) -> None:
    def numbers(name: str) -> st.SearchStrategy[tuple[int, ...]]:
        first, last = SIZES[name]
        return st.sets(st.integers(first, last), max_size=last - first - 1).map(lambda s: tuple(sorted(s)))

    def check(sets: CronSets) -> None:
        text = as_cron(sets_of(sets))
        if text is None:
            assert sets.weekdays
            assert sets.monthdays
        else:
            assert parse_cron(text) == [sets]
        other = sets._replace(weekdays=())
        both = [sets._replace(monthdays=()), other]
        if sets.weekdays and sets.monthdays:
            text = as_cron(*map(sets_of, both))
            assert text is not None
            assert sorted(parse_cron(text)) == sorted(both)

    for_all(size, check, st.tuples(*map(numbers, SIZES)).map(lambda way: CronSets(*way)))


@pytest.mark.parametrize(
    ("cron", "options", "said"),
    [
        ("0 3 * * *", {}, "at 03:00"),
        ("*/5 * * * *", {"timezone": "Asia/Tokyo"}, "every 5 minutes (Asia/Tokyo)"),
        ("* 9-17 * * 1-5", {}, "every minute of hours 9-17 on Monday to Friday"),
        ("17 * 1,L 6 *", {}, "at minute 17 of every hour on day 1 and the last day of the month in June"),
        ("0 0 */2 * 5", {}, "on days 1, 3, 5, 7, 9"),
        ("* * * * *", {"every": "01:30:00", "start": "S"}, "every 1 hour 30 minutes from S"),
        ("* * * * *", {"every": "2 days 00:00:01.5", "start": "S"}, "every 2 days 1.5 seconds from S"),
        ("* * * * *", {"every": "1 mon", "start": "S"}, "every 1 mon from S"),
        ("0 9 * * 1", {"nth": [1, -1]}, "at 09:00 on the first and last Monday of the month"),
        ("0 9 * * *", {"workdays": [-2]}, "at 09:00 on the second last working day of the month"),
        (
            "0 9 1,28-31 * *",
            {"days": [15, -3, 32]},
            "on day 15 and the third last day and the last day of the month",
        ),
        (
            "0 9 15 * *",
            {"days": [15], "roll": "nearest"},
            "on day 15 of the month or the nearest working day",
        ),
        ("0 9 * * *", {"recurs": "2 weeks"}, "at 09:00 every 2 weeks"),
        ("* * * * *", {"at": "T"}, "once, at T"),
        ("* * * * *", {"reboot": True}, "when a launcher starts"),
    ],
)
def test_words(cron: str, options: dict[str, object], said: str) -> None:
    (sets,) = parse_cron(cron)
    assert said in words(None, **flags(sets_of(sets)), options=json.dumps(options))  # type: ignore[arg-type]
