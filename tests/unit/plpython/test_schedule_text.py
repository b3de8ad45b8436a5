"""Schedules as cron text and in words."""

import json

import pytest
from hypothesis import strategies as st

from plpython.api.cron import CronSets, parse_cron
from plpython.rules.schedule_text import Sets, as_cron, words
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
        ("* * * * *", {"every": "01:30:00", "start": "S"}, "every 01:30:00 from S"),
        ("* * * * *", {"at": "T"}, "once, at T"),
        ("* * * * *", {"reboot": True}, "when a launcher starts"),
    ],
)
def test_words(cron: str, options: dict[str, object], said: str) -> None:
    (sets,) = parse_cron(cron)
    assert said in words(None, **flags(sets_of(sets)), options=json.dumps(options))  # type: ignore[arg-type]
