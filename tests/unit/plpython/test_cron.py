"""Cron expressions: the five sets they become, against the iteration of croniter, and what is refused."""

from __future__ import annotations

from datetime import datetime

import pytest
from croniter import croniter
from hypothesis import strategies as st

from plpython.api.cron import CronSets, both_days, is_reboot, parse_cron
from plpython.ground.errors import PgAgentError
from plpython.rules.schedule import Instant, merge_runs
from tests.forms import for_all, forms
from tests.unit.plpython.oracle import UTC, Rule, compiled, instant_of, zone

WORKDAYS = (1, 2, 3, 4, 5)
WEEK = (1, 2, 3, 4, 5, 6, 7)
ODD_DAYS = tuple(range(1, 32, 2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", [CronSets((), (), (), (), ())]),
        ("*/1 0-23 * */1 *", [CronSets((), (), (), (), ())]),
        ("0 3 * * *", [CronSets((0,), (3,), (), (), ())]),
        ("  0\t3 * *   * ", [CronSets((0,), (3,), (), (), ())]),
        ("*/15 * * * *", [CronSets((0, 15, 30, 45), (), (), (), ())]),
        ("5/20 * * * *", [CronSets((5, 25, 45), (), (), (), ())]),
        ("30 9 * * mon-fri", [CronSets((30,), (9,), WORKDAYS, (), ())]),
        ("30 9 * * MON-Fri", [CronSets((30,), (9,), WORKDAYS, (), ())]),
        ("0 0 * jan,JUL-sep *", [CronSets((0,), (0,), (), (), (1, 7, 8, 9))]),
        ("0 0 * * 7", [CronSets((0,), (0,), (0,), (), ())]),
        ("0 0 * * 0,7", [CronSets((0,), (0,), (0,), (), ())]),
        ("0 0 * * 5-7", [CronSets((0,), (0,), (0, 5, 6), (), ())]),
        ("0 0 L * *", [CronSets((0,), (0,), (), (32,), ())]),
        ("0 0 15,l * *", [CronSets((0,), (0,), (), (15, 32), ())]),
        ("5-5 7-7/3 * * fri-fri", [CronSets((5,), (7,), (5,), (), ())]),
        ("0 0 13 * fri", [CronSets((0,), (0,), (), (13,), ()), CronSets((0,), (0,), (5,), (), ())]),
        ("0 0 */2 2 1", [CronSets((0,), (0,), (1,), ODD_DAYS, (2,))]),
        ("0 9 1-7 * */7", [CronSets((0,), (9,), (0,), WEEK, ())]),
        ("0 0 *,5 * 1", [CronSets((0,), (0,), (1,), (), ())]),
        ("0 0 5,* * 1", [CronSets((0,), (0,), (), (), ())]),
        ("0 0 1,*/30 * 1", [CronSets((0,), (0,), (), (1, 31), ()), CronSets((0,), (0,), (1,), (), ())]),
        ("0 0 13 * 1,*/6", [CronSets((0,), (0,), (), (13,), ()), CronSets((0,), (0,), (0, 1, 6), (), ())]),
        ("0 0 */1 * 1", [CronSets((0,), (0,), (1,), (), ())]),
        ("0 0 1-31 * 1", [CronSets((0,), (0,), (), (), ())]),
        ("0 0 13 * 0-6", [CronSets((0,), (0,), (), (), ())]),
        ("0 0 1-31 * */2", [CronSets((0,), (0,), (0, 2, 4, 6), (), ())]),
        ("0 22-2 * nov-feb fri-mon", [CronSets((0,), (0, 1, 2, 22, 23), (0, 1, 5, 6), (), (1, 2, 11, 12))]),
        ("0 21-3/2 * * 7-2", [CronSets((0,), (1, 3, 21, 23), (0, 1, 2), (), ())]),
        ("59/15 23/2 * dec/3 5/1", [CronSets((59,), (23,), (5, 6), (), (12,))]),
        ("*/40 0 * * 7/3", [CronSets((0, 40), (0,), (0, 3, 6), (), ())]),
        ("05-5 0 * 2-feb 7-sun", [CronSets((5,), (0,), (0,), (), (2,))]),
        ("0 0 28-l * *", [CronSets((0,), (0,), (), (28, 29, 30, 31), ())]),
        ("@hourly", [CronSets((0,), (), (), (), ())]),
        ("@daily", [CronSets((0,), (0,), (), (), ())]),
        ("@Midnight", [CronSets((0,), (0,), (), (), ())]),
        ("@weekly", [CronSets((0,), (0,), (0,), (), ())]),
        ("@monthly", [CronSets((0,), (0,), (), (1,), ())]),
        ("@yearly", [CronSets((0,), (0,), (), (1,), (1,))]),
        (" @annually ", [CronSets((0,), (0,), (), (1,), (1,))]),
    ],
)
def test_an_expression_becomes_its_sets(text: str, expected: list[CronSets]) -> None:
    assert parse_cron(text) == expected


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "not a cron expression", "Five fields"),
        ("daily", "not a cron expression", "Five fields"),
        ("* * * *", "not a cron expression", "Five fields"),
        ("0 * * * * *", "not a cron expression", "Five fields"),
        ("0 0 * * * 0 2030", "not a cron expression", "Five fields"),
        ("@fortnightly", "not a cron expression", "@hourly"),
        ("@every 5m", "not a cron expression", "@hourly"),
        ("60 * * * *", "not a cron expression", "Five fields"),
        ("* 24 * * *", "not a cron expression", "Five fields"),
        ("* * 0 * *", "not a cron expression", "Five fields"),
        ("* * 32 * *", "not a cron expression", "Five fields"),
        ("* * * 13 *", "not a cron expression", "Five fields"),
        ("* * * * 8", "not a cron expression", "Five fields"),
        ("*/0 * * * *", "not a cron expression", "Five fields"),
        ("1,,2 * * * *", "not a cron expression", "Five fields"),
        ("-1 * * * *", "not a cron expression", "Five fields"),
        ("1-2-3 * * * *", "not a cron expression", "Five fields"),
        ("1.5 * * * *", "not a cron expression", "Five fields"),
        ("1_0 * * * *", "not a cron expression", "Five fields"),
        ("1/ * * * *", "not a cron expression", "Five fields"),
        ("*-5 * * * *", "not a cron expression", "Five fields"),
        ("l * * * *", "not a cron expression", "Five fields"),
        ("* * * L *", "not a cron expression", "Five fields"),
        ("9" * 900 + " * * * *", "not a cron expression", "Five fields"),
        ("* * * fri *", "not a cron expression", "Five fields"),
        ("\u0661 * * * *", "not a cron expression", "Five fields"),
        ("0 0 L-3 * *", "L-n (days before", "L alone"),
        ("0 0 1,L-3 * *", "L-n (days before", "L alone"),
        ("0 0 * * 5#2", "'#'", "all match"),
        ("0 0 * * fri#1,2", "'#'", "all match"),
        ("0 0 * * L5", "L (the last weekday", "L alone"),
        ("0 0 * * 5L", "L (the last weekday", "L alone"),
        ("0 0 * * lfri", "L (the last weekday", "L alone"),
        ("0 0 * * L", "L (the last weekday", "L alone"),
        ("0 0 15W * *", "W (the nearest", "weekday"),
        ("0 0 LW * *", "W (the nearest", "weekday"),
        ("0 0 ? * 1", "'?'", "Write *"),
        ("H * * * *", "H and R", "the value itself"),
        ("H(0-29)/10 * * * *", "H and R", "the value itself"),
        ("0 r * * *", "H and R", "the value itself"),
        ("@reboot", "@reboot is not a time", "alone"),
    ],
)
def test_what_is_refused_says_why_and_how_to_write_it(text: str, problem: str, hint: str) -> None:
    with pytest.raises(PgAgentError) as refused:
        parse_cron(text)
    assert problem in refused.value.message
    assert "cron" in refused.value.message
    assert hint in (refused.value.hint or "")
    assert refused.value.sqlstate == "22023"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 9 1-7 * */7", True),
        ("0 0 */2 * 1", True),
        ("0 0 1,*/2 * 1", False),
        ("0 0 */1 * 1", False),
        ("0 0 13 * 5", False),
        ("@weekly", False),
        ("* * * * *", False),
    ],
)
def test_it_is_said_where_both_day_fields_count(text: str, says: bool) -> None:
    assert bool(both_days(text)) is says


def test_reboot_is_no_time() -> None:
    assert is_reboot("@reboot")
    assert is_reboot(" @Reboot ")
    assert not is_reboot("@daily")


def fields(low: int, high: int, names: str = "", extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Return one field: any, values, names, ranges, steps, or lists of them."""
    number = st.integers(low, high)
    span = st.tuples(number, number).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: sorted(pair))
    step = st.integers(2, high)
    items = [
        number.map(str),
        number.map(str),
        span.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(span, step).map(lambda item: f"{item[0][0]}-{item[0][1]}/{item[1]}"),
        st.tuples(number, step).map(lambda item: f"{item[0]}/{item[1]}"),
        step.map(lambda by: f"*/{by}"),
    ]
    if names or extra:
        items.append(st.sampled_from([*names.split(), *extra]))
    lists = st.lists(st.one_of(items), min_size=2, max_size=3).map(",".join)
    return st.one_of(st.just("*"), st.one_of(items), st.one_of(items), lists)


EXPRESSIONS = st.tuples(
    fields(0, 59),
    fields(0, 23),
    st.just("*") | fields(1, 31, extra=("l", "L", "29", "30", "31", "1-31", "*,5")),
    st.just("*") | fields(1, 12, "jan feb mar apr may jun jul aug sep oct nov dec FEB"),
    st.just("*") | fields(0, 7, "sun mon tue wed thu fri sat Fri", ("0-6", "1-7", "*,5")),
).map(" ".join)


def rule_of(sets: CronSets) -> Rule:
    """Return the sets as the oracle has them."""
    minutes, hours, weekdays, monthdays, months = map(frozenset, sets)
    return Rule(minutes, hours, weekdays, monthdays, months)


def is_either(text: str) -> bool:
    """Return whether cron means either day field: none of both begins with a star."""
    return not any(field.startswith("*") for field in text.split()[2::2])


def every_day_by_number(text: str, parsed: list[CronSets]) -> bool:
    """Return whether a day field names all days, such as 1-31, and the other holds */n: croniter reads the first as *."""
    given = is_either(text) and "*" in "".join(text.split()[2::2])
    return given and not (parsed[0].monthdays or parsed[0].weekdays or parsed[1:])


@pytest.mark.slow
@forms(3_000, 30_000)
def test_runs_are_those_of_croniter(size: int) -> None:
    for_all(
        size, check_croniter, EXPRESSIONS, st.integers(instant_of("1990-01-01"), instant_of("2035-01-01"))
    )


def check_croniter(text: str, after: int) -> None:
    try:
        theirs = croniter(
            text, datetime.fromtimestamp(after, UTC), max_years_between_matches=12, day_or=is_either(text)
        )
    except ValueError:
        with pytest.raises(PgAgentError):
            parse_cron(text)
        return
    parsed = parse_cron(text)
    if every_day_by_number(text, parsed):
        return
    schedules = [(compiled(rule_of(sets)), zone("UTC")) for sets in parsed]
    ours: list[Instant | None] = [*merge_runs(schedules, after, 6)]
    for found in ours or [None]:
        try:
            expected = theirs.get_next(float)
        except ValueError:  # none within twelve years
            assert found is None or found > after + 11 * 365 * 86_400
            return
        assert found == expected


@pytest.mark.slow
@forms(3_000, 30_000)
def test_anything_is_read_or_refused(size: int) -> None:
    text = st.text("0123456789*/-,lLwW#?hHrR() \tafirjnmo@.\x00\u00a0\u0663", max_size=20)
    for_all(size, check_read_or_refused, text)


def check_read_or_refused(text: str) -> None:
    try:
        schedules = parse_cron(text)
    except PgAgentError:
        return
    for sets in schedules:
        for members, (low, high) in zip(sets, ((0, 59), (0, 23), (0, 6), (1, 32), (1, 12)), strict=True):
            assert all(low <= member <= high for member in members)
