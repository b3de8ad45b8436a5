"""Cron expressions: the five sets they become, against the iteration of croniter, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import strategies as st

from plpython.api.cron import CronSets, both_days, is_reboot, parse_cron
from plpython.ground.errors import PgAgentError
from plpython.rules.day_rules import DayRule
from plpython.rules.schedule import Instant, Schedule, merge_runs
from plpython.rules.wall_minutes import compile_wall_minutes
from tests.forms import for_all, forms
from tests.unit.plpython.oracle import UTC, Rule, compiled, flags, instant_of, zone

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
        ("0 0 * * 5#2", [CronSets((0,), (0,), (5,), (), (), (2,))]),
        ("0 0 * * friL", [CronSets((0,), (0,), (5,), (), (), (-1,))]),
        ("0 0 L-2 * ?", [CronSets((0,), (0,), (), (-3,), ())]),
        ("0 0 LW * *", [CronSets((0,), (0,), (), (), (), (), (-1,))]),
        ("0 0 15W * ?", [CronSets((0,), (0,), (), (15,), (), (), (), "nearest")]),
        (
            "0 0 ? * 1,5#1,5L",
            [
                CronSets((0,), (0,), (1,), (), ()),
                CronSets((0,), (0,), (5,), (), (), (-1,)),
                CronSets((0,), (0,), (5,), (), (), (1,)),
            ],
        ),
        (
            "0 0 1,LW * 5#2",
            [
                CronSets((0,), (0,), (), (1,), ()),
                CronSets((0,), (0,), (), (), (), (), (-1,)),
                CronSets((0,), (0,), (5,), (), (), (2,)),
            ],
        ),
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
        ("0 0 L-31 * *", "not a cron expression", "Five fields"),
        ("0 0 * * fri#6", "not a cron expression", "Five fields"),
        ("0 0 5#2 * *", "not a cron expression", "Five fields"),
        ("0 0 32W * *", "not a cron expression", "Five fields"),
        ("0 0 1-15W * *", "not a cron expression", "Five fields"),
        ("? 0 * * *", "not a cron expression", "Five fields"),
        ("0 0 * * L", "L alone", "5L"),
        ("H(0-60) * * * *", "not a cron expression", "Five fields"),
        ("H/0 * * * *", "not a cron expression", "Five fields"),
        ("0 r * * *", "R (random", "Write H"),
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
    minutes, hours, weekdays, monthdays, months = map(frozenset, sets[:5])
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
        limits = ((0, 59), (0, 23), (0, 6), (-31, 32), (1, 12), (-1, 5), (-1, -1))
        for members, (low, high) in zip(sets[:7], limits, strict=True):
            assert all(low <= member <= high for member in members)


def test_h_is_settled_by_the_key() -> None:
    (sets,) = parse_cron("H H(8-17) H H *", key=130)
    assert sets == CronSets((10,), (8,), (), (1 + 130 % 28,), (11,))
    (sets,) = parse_cron("H/20 H(0-9)/5 * * H", key=130)
    assert sets == CronSets((10, 30, 50), (0, 5), (130 % 7,), (), ())


LETTERS = st.one_of(
    st.sampled_from(("L * *", "LW * *", "1,L * *", "10,LW * *")),
    st.tuples(st.integers(0, 6), st.sampled_from("12345")).map(lambda item: f"* * {item[0]}#{item[1]}"),
    st.integers(0, 6).map(lambda day: f"* * {day}L"),
    st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda days: f"* * {days[0]},{days[1]}L,3#1"),
    st.tuples(st.integers(1, 12), st.integers(0, 6)).map(lambda item: f"* {item[0]} {item[1]}#5"),
)


@forms(150, 10_000)
def test_letters_mean_what_they_mean_to_cronsim(size: int) -> None:
    for_all(size, check_cronsim, LETTERS, st.integers(0, 146_097))


def check_cronsim(days: str, day: int) -> None:
    after = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(days=day)
    theirs = CronSim(f"30 9 {days}", after)
    schedules = [(with_letters(sets), zone("UTC")) for sets in parse_cron(f"30 9 {days}")]
    ours = merge_runs(schedules, int(after.timestamp()), 12)
    assert ours == [int(next(theirs).timestamp()) for _ in range(12)]


def with_letters(sets: CronSets) -> Schedule:
    """Return the schedule of sets that are more than five."""
    schedule = compiled(rule_of(sets._replace(monthdays=())))
    rule = DayRule(sets.monthdays or None, sets.nth, sets.workdays, sets.roll)
    texts = [flags(frozenset(given), of) for given, of in zip(sets[:5], OF)]
    minutes, hours, weekdays, _, months = texts
    return schedule._replace(
        wall_minutes=compile_wall_minutes(minutes, hours, weekdays, "{}", months, (), (), None, rule)
    )


OF = (range(60), range(24), range(7), range(1, 33), range(1, 13))
