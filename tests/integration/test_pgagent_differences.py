"""Next runs against pgAgent's own function: every difference is one of those in docs/next-run.md."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from plpython.rules.schedule import next_run
from tests.helpers import PATIENCE, forms
from tests.unit.plpython.oracle import (
    Rule,
    blocks,
    compiled,
    flags,
    instant_of,
    matches,
    walk_days,
    wall_clock,
    zone,
)

Connection = psycopg.Connection[Any]
Answer = int | str | None
"""What pgAgent answers: an instant, none, or how it fails."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "next-run.md"
ERROR = "error"
NEVER_RETURNS = "never returns"

FIRST_DAY = instant_of("2051-01-01")
DAYS = 3 * 365

PGAGENT_NEXT_RUN = """
SELECT extract(epoch FROM pgagent.pga_next_schedule(jscid, to_timestamp(%(begin)s), to_timestamp(%(end)s),
       %(minutes)s::bool[], %(hours)s::bool[], %(weekdays)s::bool[], %(monthdays)s::bool[], %(months)s::bool[]))::bigint
  FROM pgagent.pga_schedule
"""


@pytest.fixture
def pgagent(bare_database: str) -> Iterator[Connection]:
    """Return a connection to a database with plain pgagent and one schedule, to hang exceptions on."""
    with psycopg.connect(bare_database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pgagent")
        connection.execute(
            "INSERT INTO pgagent.pga_job (jobjclid, jobname, jobenabled) VALUES (1, 'job', false)"
        )
        connection.execute(
            "INSERT INTO pgagent.pga_schedule (jscjobid, jscname) SELECT jobid, 'x' FROM pgagent.pga_job"
        )
        yield connection


def ask_pgagent(pgagent: Connection, rule: Rule, begin: int) -> Answer:
    """Return pgAgent's next run from the minute *begin* on, in a session of the rule's time zone.

    A search that ends takes it milliseconds. Where it is known not to end, it gets half a second, else as long as it needs.
    """
    answer = ask_pgagent_within(pgagent, rule, begin, "500ms")
    if answer == NEVER_RETURNS and not (rule.exceptions and ask_us(rule, begin) is None):
        return ask_pgagent_within(pgagent, rule, begin, f"{PATIENCE}s")
    return answer


def ask_pgagent_within(pgagent: Connection, rule: Rule, begin: int, timeout: str) -> Answer:
    """Return what pgAgent answers within *timeout*."""
    pgagent.execute("SELECT set_config('statement_timeout', %s, false)", [timeout])
    pgagent.execute("SELECT set_config('timezone', %s, false)", [rule.zone])
    pgagent.execute("DELETE FROM pgagent.pga_exception")
    for on_date, at_time in rule.exceptions:
        insert = "INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime) SELECT jscid, %s, %s FROM pgagent.pga_schedule"
        pgagent.execute(insert, [on_date, at_time])
    values = {
        "begin": begin,
        "end": rule.end,
        "minutes": flags(rule.minutes, range(60)),
        "hours": flags(rule.hours, range(24)),
        "weekdays": flags(rule.weekdays, range(7)),
        "monthdays": flags(rule.monthdays, range(1, 33)),
        "months": flags(rule.months, range(1, 13)),
    }
    try:
        row = pgagent.execute(PGAGENT_NEXT_RUN, values).fetchone()
    except psycopg.errors.DatetimeFieldOverflow:
        return ERROR
    except psycopg.errors.QueryCanceled:
        return NEVER_RETURNS
    assert row
    answer: int | None = row[0]
    return answer


def ask_us(rule: Rule, begin: int) -> float | None:
    """Return the next run from the minute *begin* on."""
    found = next_run(compiled(replace(rule, start=float(begin))), zone(rule.zone), begin - 1)
    return None if found is None else float(found)


def some(rng: random.Random, of: range, chance: float) -> frozenset[int]:
    """Return none of a set with a chance, else a few of it, half of it, or all."""
    if rng.random() > chance:
        return frozenset()
    size = rng.choice([1, 1, 1, 2, 2, 3, 3, len(of) // 2, len(of)])
    return frozenset(rng.sample(of, min(size, len(of))))


def random_rule(rng: random.Random, begin: int) -> Rule:
    """Return a schedule, exceptions near *begin* included."""
    monthdays = frozenset({32}) if rng.random() < 0.2 else some(rng, range(1, 33), 0.4)
    rule = Rule(
        some(rng, range(60), 0.8),
        some(rng, range(24), 0.7),
        some(rng, range(7), 0.3),
        monthdays,
        some(rng, range(1, 13), 0.3),
        end=float(begin + rng.randrange(90 * 86_400)) if rng.random() < 0.3 else None,
    )
    wall = wall_clock("UTC", int(ask_us(rule, begin) or begin))
    near = wall.date() + timedelta(days=rng.randrange(20))
    exceptions: list[tuple[date | None, time | None]] = [
        (wall.date(), wall.time()),
        (wall.date(), None),
        (None, wall.time()),
        (wall.date(), wall.time().replace(second=15)),
        (near, None),
        (None, time(rng.randrange(24), rng.randrange(60))),
    ]
    return replace(rule, exceptions=tuple(rng.sample(exceptions, rng.choice([0, 0, 0, 1, 3]))))


def difference(pgagent: Connection, rule: Rule, begin: int, theirs: Answer, ours: float | None) -> int | None:
    """Return the number that the page gives to this difference, None if it is not one of those."""
    if theirs == ERROR:
        return 3 if rule.monthdays & {29, 30, 31} else None
    if theirs == NEVER_RETURNS:
        return 5 if ours is None and rule.exceptions else None
    if theirs is None and rule.end is not None:
        # Over, since its next run is later than the end; which difference made it so late?
        endless = replace(rule, end=None)
        return difference(pgagent, endless, begin, ask_pgagent(pgagent, endless, begin), ours)
    if not isinstance(theirs, int):
        return None
    wall = wall_clock("UTC", theirs)
    if any(blocks(exception, wall) for exception in rule.exceptions):
        return 6 if all(at and at.second for day, at in rule.exceptions if blocks((day, at), wall)) else None
    if ours is None or theirs < ours or not matches(rule, wall):
        return None
    if not (rule.minutes or rule.hours or rule.monthdays or rule.months):
        return 2
    if 32 in rule.monthdays and 1 < len(rule.monthdays) < 32:
        return 4
    return (
        1
        if len(rule.minutes) > 1 and missed_the_first_minutes(pgagent, rule, begin, theirs, int(ours))
        else None
    )


def missed_the_first_minutes(pgagent: Connection, rule: Rule, begin: int, theirs: int, ours: int) -> bool:
    """Return if pgAgent passed *ours* for a later minute of its hour, be it one that an exception sent on to *theirs*."""
    found = theirs
    if rule.exceptions:
        answer = ask_pgagent(pgagent, replace(rule, exceptions=()), begin)
        assert isinstance(answer, int)
        found = answer
    if found < ours:
        return found < theirs and missed_the_first_minutes(pgagent, rule, found + 60, theirs, ours)
    return found // 3600 == ours // 3600


@forms(1_500, 15_000)
def test_every_difference_is_listed(pgagent: Connection, size: int) -> None:
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    found: Counter[int] = Counter()
    for _ in range(size):
        begin = FIRST_DAY + rng.randrange(DAYS * 1440) * 60
        rule = random_rule(rng, begin)
        theirs, ours = ask_pgagent(pgagent, rule, begin), ask_us(rule, begin)
        if theirs != ours:
            number = difference(pgagent, rule, begin, theirs, ours)
            case = f"seed {seed}: from {wall_clock('UTC', begin)} pgAgent {theirs}, ours {ours}: {rule}"
            assert number, case
            # It is pgAgent that is wrong: the walk over all minutes finds what we find.
            walked = walk_days(replace(rule, start=float(begin)), begin - 1, 1, 41 * 366)
            assert walked == ([] if ours is None else [ours]), case
            found[number] += 1
    print(f"seed {seed}, {size} cases, differences by number: {sorted(found.items())}")
    assert set(found) >= {1, 2, 3, 4, 5, 6}


CLOCK_ZONES = (
    "Europe/Paris",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
    "Pacific/Chatham",
    "Antarctica/Troll",
)


def clock_changes(name: str) -> list[int]:
    """Return the instants of a year at which the clock of zone *name* is set."""
    year = range(FIRST_DAY, FIRST_DAY + 366 * 86_400, 1_800)
    return [at for at in year if since(name, at - 1_800, at) != timedelta(minutes=30)]


def since(name: str, before: int, instant: int) -> timedelta:
    """Return how far the clock of zone *name* has moved from *before* to *instant*."""
    return wall_clock(name, instant) - wall_clock(name, before)


def clock_difference(rule: Rule, theirs: int, ours: int) -> int | None:
    """Return the number that the page gives to a difference in a night in which the clock is set."""
    shifts = [sign * minutes * 60 for minutes in (30, 60, 120) for sign in (1, -1)]
    if any(since(rule.zone, at + shift, at) == timedelta(0) for at in (theirs, ours) for shift in shifts):
        return 8
    return 7 if since(rule.zone, ours - 3_600, ours) > timedelta(hours=1) else None


@forms(1_500, 15_000)
def test_every_difference_is_listed_when_clocks_change(pgagent: Connection, size: int) -> None:
    """One minute of chosen hours or of any: the differences left are those of the clock."""
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    changes = [(name, at) for name in CLOCK_ZONES for at in clock_changes(name)]
    found: Counter[int] = Counter()
    for _ in range(size):
        name, change = rng.choice(changes)
        begin = change + rng.randrange(-26 * 60, 3 * 60) * 60
        hour = wall_clock(name, change - 60).hour
        rule = Rule(
            frozenset({rng.choice((0, 15, 30, 45, rng.randrange(60)))}),
            frozenset((hour + later) % 24 for later in range(-1, 4) if rng.random() < rng.choice((0, 0.6))),
            some(rng, range(7), 0.2),
            zone=name,
        )
        theirs, ours = ask_pgagent(pgagent, rule, begin), ask_us(rule, begin)
        if theirs != ours:
            case = f"seed {seed}: from {wall_clock(name, begin)} pgAgent {theirs}, ours {ours}: {rule}"
            assert isinstance(theirs, int), case
            assert ours is not None, case
            number = clock_difference(rule, theirs, int(ours))
            assert number, case
            assert walk_days(replace(rule, start=float(begin)), begin - 1, 1, 41 * 366) == [ours], case
            found[number] += 1
    print(f"seed {seed}, {size} cases, differences by number: {sorted(found.items())}")
    assert set(found) == {7, 8}


ROW = re.compile(r"\| \[?(\d)\S* \| (.*?) \| (\S+) \| (\S+ \S+) \| (.*?) \| (.*?) \|$", re.MULTILINE)
EXAMPLES = ROW.findall(PAGE.read_text())


def test_every_listed_difference_has_an_example() -> None:
    numbers = {int(number) for number in re.findall(r"^### (\d)\. ", PAGE.read_text(), re.MULTILINE)}
    assert numbers == set(range(1, 10))
    assert numbers - {int(example[0]) for example in EXAMPLES} == {
        9
    }  # test_pgagents_next_run_depends_on_the_session


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{row[0]}: {row[1]} from {row[3]}" for row in EXAMPLES])
def test_examples_of_the_page_are_true(pgagent: Connection, example: tuple[str, ...]) -> None:
    _, schedule, zone_name, begin_text, theirs, ours = example
    begin = parse_instant(begin_text, zone_name)
    rule = parse_rule(schedule, zone_name)
    assert show(ask_pgagent(pgagent, rule, begin), zone_name) == theirs
    assert show(ask_us(rule, begin), zone_name) == ours


def parse_rule(text: str, zone_name: str) -> Rule:
    """Return the schedule that the page describes."""
    values: dict[str, Any] = {"zone": zone_name}
    for part in [] if text == "nothing chosen" else text.split("; "):
        name, _, value = part.partition(" ")
        if name == "except":
            *on_date, at_time = value.split()
            blocked = (date.fromisoformat(on_date[0]) if on_date else None, time.fromisoformat(at_time))
            values["exceptions"] = (blocked,)
        elif name == "end":
            values["end"] = float(parse_instant(value, zone_name))
        else:
            values[name] = frozenset(int(number) for number in value.split(", "))
    return Rule(**values)


def parse_instant(text: str, zone_name: str) -> int:
    """Return the instant; without an offset it is of the zone, the first if there are two."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone_name))).timestamp())


def show(answer: float | str | None, zone_name: str) -> str:
    """Return an answer as the page writes it: with the offset, unless that is 0."""
    if answer is None or isinstance(answer, str):
        return answer or "none"
    moment = datetime.fromtimestamp(answer, ZoneInfo(zone_name))
    return moment.strftime("%Y-%m-%d %H:%M" + ("" if zone_name == "UTC" else "%z"))


def test_pgagents_next_run_depends_on_the_session(pgagent: Connection) -> None:
    noon = Rule(frozenset({0}), frozenset({12}))
    begin = instant_of("2050-01-01")
    assert show(ask_pgagent(pgagent, noon, begin), "UTC") == "2050-01-01 12:00"
    assert show(ask_pgagent(pgagent, replace(noon, zone="Asia/Tokyo"), begin), "UTC") == "2050-01-01 03:00"
