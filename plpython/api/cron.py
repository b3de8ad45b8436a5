"""Cron expressions as pgAgent's five sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..ground.errors import invalid
from .cron_days import MONTHDAYS, WEEKDAYS, Rule, monthday_rules, weekday_rules

__all__ = ["REBOOT", "CronSets", "both_days", "is_reboot", "parse_cron"]

REBOOT = "@reboot"
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST = 1000  # characters: all minutes, hours, days and months are fewer

FIELDS_HINT = (
    "Five fields are needed: minute hour day-of-month month day-of-week, such as '30 9 * * mon-fri', "
    f"or one of {', '.join(ALIASES)}."
)

# What some reader of cron expressions knows and a schedule cannot say: field, pattern, why, what to do.
ANY_FIELD = None
DAY_OF_MONTH = 2
DAY_OF_WEEK = 4
UNSAYABLE = (
    (ANY_FIELD, r"(^|,)r($|[(/,])", "R (random values) is not supported",
     "Write H, which is settled by the names of job and schedule, or the value itself."),
    (DAY_OF_WEEK, r"(^|,)l($|,)", "L alone is not supported in day-of-week", "Write 5L for the last Friday, or 6 for Saturdays."),
)  # fmt: skip


class Field(NamedTuple):
    """What one field may hold: numbers from *first* to *last*, and names, the first of which is *first*.

    *hashed*: up to where H goes, since not every month has a 31st.
    """

    first: int
    last: int
    names: tuple[str, ...] = ()
    hashed: int = 0


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (
    Field(0, 59, (), 59),
    Field(0, 23, (), 23),
    Field(1, 31, (), 28),
    Field(1, 12, MONTHS, 12),
    Field(0, 6, DAYS, 6),
)
BOTH_DAYS = 'cron "{}": a day must match both day fields, since one begins with *'
ITEM = re.compile(r"(?:(?P<any>\*)|(?P<low>[a-z0-9]+)(?:-(?P<high>[a-z0-9]+))?)(?:/(?P<step>[0-9]+))?")
HASHED = re.compile(r"h(?:\((?P<low>[0-9]+)-(?P<high>[0-9]+)\))?(?:/(?P<step>[0-9]+))?")


class CronSets(NamedTuple):
    """One schedule's five sets, and what else says which days. An empty set means any. Monthday 32 is the last day."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    weekdays: tuple[int, ...]
    monthdays: tuple[int, ...]
    months: tuple[int, ...]
    nth: tuple[int, ...] = ()
    workdays: tuple[int, ...] = ()
    roll: str = ""


def is_reboot(text: str) -> bool:
    """Return whether *text* is ``@reboot``, which is no time and so has no sets."""
    return text.strip().lower() == REBOOT


def parse_cron(text: str, key: int = 0) -> list[CronSets]:
    """Return the schedules that together fire as the cron expression *text* does; *key* settles H.

    There are several if both day fields restrict the days, for cron then means either, or if their items need different rules.
    But if one of the fields begins with ``*``, such as ``*/2``, cron means both, and so does a schedule.
    Raise PgAgentError for what is no cron expression and for what a schedule cannot say.
    """
    return list(_parse(text, key if "h" in text.lower() else 0))


# Bulk changes give the same expressions again and again.
@lru_cache(maxsize=256)
def _parse(text: str, key: int) -> tuple[CronSets, ...]:
    expression = text.strip().lower()
    if expression == REBOOT:
        raise invalid("cron", f"{REBOOT} is not a time", "It stands alone, when a job or schedule is added.")
    fields = ALIASES.get(expression, expression).split()
    _check_fields(text, fields)
    for day in (DAY_OF_MONTH, DAY_OF_WEEK):
        fields[day] = "*" if fields[day] == "?" else fields[day]
    try:
        minutes, hours, months = (_members(fields[n], FIELDS[n], key) for n in (0, 1, 3))
        by_month, by_week = (_day_rules(fields[n], n, key) for n in (DAY_OF_MONTH, DAY_OF_WEEK))
    except ValueError:
        raise invalid("cron", f'"{text}" is not a cron expression', FIELDS_HINT) from None
    return tuple(
        CronSets(minutes, hours, *_days(rule, months)) for rule in _either_or_both(fields, by_month, by_week)
    )


def _days(rule: Rule, months: tuple[int, ...]) -> tuple[Any, ...]:
    """Return what follows minutes and hours in CronSets."""
    weekdays, monthdays, nth, workdays = (
        rule.get(name, ()) for name in (WEEKDAYS, MONTHDAYS, "nth", "workdays")
    )
    return weekdays, monthdays, months, nth, workdays, rule.get("roll", "")


def _either_or_both(fields: list[str], by_month: list[Rule], by_week: list[Rule]) -> list[Rule]:
    """Return the rules of the schedules; an empty list of rules restricts nothing."""
    if _means_both(fields):
        return [one | other for one in by_month or [{}] for other in by_week or [{}]]
    # either of both; one of them may name every day, such as 1-31
    return [*by_month, *by_week] if by_month and by_week else [{}]


def _day_rules(text: str, position: int, key: int) -> list[Rule]:
    """Return the rules of a day field; none if it lets every day match."""
    field = FIELDS[position]
    rules = monthday_rules if position == DAY_OF_MONTH else weekday_rules
    found = rules(text.split(","), lambda item: _item(item, field, key))
    every_day = set(range(field.first, field.last + 1))
    name = MONTHDAYS if position == DAY_OF_MONTH else WEEKDAYS
    return [] if any(rule.keys() == {name} and every_day <= {*rule[name]} for rule in found) else found


def _means_both(fields: Sequence[str]) -> bool:
    """Return whether a day must match both day fields: one begins with a star, as cron's own readers look at it."""
    return any(fields[day].startswith("*") for day in (DAY_OF_MONTH, DAY_OF_WEEK))


def both_days(text: str) -> str:
    """Return a sentence if the cron expression *text* restricts both day fields and means both, else ''."""
    fields = text.split()
    if (
        len(fields) != 5
        or not _means_both(fields)
        or {"*", "?"} & {fields[DAY_OF_MONTH], fields[DAY_OF_WEEK]}
    ):
        return ""
    sets, *_ = parse_cron(text)
    return BOTH_DAYS.format(text.strip()) if sets.monthdays and sets.weekdays else ""


def _check_fields(text: str, fields: list[str]) -> None:
    """Refuse what is not five fields, and what the five sets cannot say."""
    if len(text) > LONGEST:
        raise invalid("cron", f"cron has {len(text)} characters", f"Give {LONGEST} at most.")
    if len(fields) != 5 or not text.isascii():
        raise invalid("cron", f'"{text}" is not a cron expression', FIELDS_HINT)
    for position, pattern, problem, hint in UNSAYABLE:
        for index, field in enumerate(fields):
            if position in (ANY_FIELD, index) and re.search(pattern, field):
                raise invalid("cron", f'"{text}": {problem}', hint)


def _members(text: str, field: Field, key: int) -> tuple[int, ...]:
    """Return the numbers that the field *text* names, in order; none if that is all. Raise ValueError if it is wrong."""
    members = {number for item in text.split(",") for number in _item(item, field, key)}
    return () if members >= set(range(field.first, field.last + 1)) else tuple(sorted(members))


def _item(text: str, field: Field, key: int) -> set[int]:
    """Return the numbers that one item names, such as ``*/2``, ``5/20`` (from 5 on) or ``fri-mon`` (a range may go round)."""
    if hashed := HASHED.fullmatch(text):
        return _hashed(hashed, field, key)
    item = ITEM.fullmatch(text)
    if item is None:
        raise ValueError(text)
    first, last = field.first, field.last
    size = last - first + 1
    low = first if item["any"] else _number(item["low"], field)
    if item["high"]:
        high = last if item["high"] == "l" and field is FIELDS[DAY_OF_MONTH] else _number(item["high"], field)
        high += size if high < low else 0
    else:
        low = (low - first) % size + first  # 7 is the Sunday that a week begins with
        high = last if item["any"] or item["step"] else low
    return {(n - first) % size + first for n in range(low, high + 1, int(item["step"] or 1))}


def _hashed(item: re.Match[str], field: Field, key: int) -> set[int]:
    """Return the numbers of H, H(a-b), H/n or H(a-b)/n: *key* says which."""
    low = field.first if item["low"] is None else _number(item["low"], field)
    high = field.hashed if item["high"] is None else _number(item["high"], field)
    step = int(item["step"] or high - low + 1)
    if high < low or step < 1 or high > field.last:
        raise ValueError(item[0])
    numbers = range(low + key % min(step, high - low + 1), high + 1, step)
    return set(numbers)


def _number(text: str, field: Field) -> int:
    """Return the number or name *text*; a week may end with 7, too."""
    number = field.first + field.names.index(text) if text in field.names else int(text)
    if not field.first <= number <= field.last + (field.names is DAYS):
        raise ValueError(text)
    return number
