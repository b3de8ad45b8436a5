"""Cron expressions as pgAgent's five sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..ground.errors import invalid

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
LAST_DAY = 32
LONGEST = 1000  # characters: all minutes, hours, days and months are fewer

FIELDS_HINT = (
    "Five fields are needed: minute hour day-of-month month day-of-week, such as '30 9 * * mon-fri', "
    f"or one of {', '.join(ALIASES)}."
)

# What some reader of cron expressions knows and the five sets cannot say: field, pattern, why, what to do.
ANY_FIELD = None
DAY_OF_MONTH = 2
DAY_OF_WEEK = 4
UNSAYABLE = (
    (ANY_FIELD, r"#", "'#' (the n-th weekday of a month) is not supported",
     "Give the sets, which must all match: weekdays 5 with monthdays 8 to 14 is the second Friday."),
    (ANY_FIELD, r"\?", "'?' is not supported", "Write * for a field that does not matter."),
    (ANY_FIELD, r"(^|,)[hr]($|[(/,])", "H and R (hashed and random values) are not supported",
     "Write the value itself."),
    (DAY_OF_MONTH, r"(^|,)(\d+w|w\d+|lw|wl)($|,)", "W (the nearest working day) is not supported",
     "Use day of the month or weekday."),
    (DAY_OF_MONTH, r"(^|,)l[-/]", "L-n (days before the last one) is not supported",
     "L alone in day-of-month is the last day of the month."),
    (DAY_OF_WEEK, r"(^|,)(l\d*|\d+l|[a-z]{3}l|l[a-z]{3})($|,)",
     "L (the last weekday of a month) is not supported in day-of-week",
     "L alone in day-of-month is the last day of the month."),
)  # fmt: skip


class Field(NamedTuple):
    """What one field may hold: numbers from *first* to *last*, and names, the first of which is *first*."""

    first: int
    last: int
    names: tuple[str, ...] = ()


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (Field(0, 59), Field(0, 23), Field(1, 31), Field(1, 12, MONTHS), Field(0, 6, DAYS))
BOTH_DAYS = 'cron "{}": a day must match both day fields, since one begins with *'
ITEM = re.compile(r"(?:(?P<any>\*)|(?P<low>[a-z0-9]+)(?:-(?P<high>[a-z0-9]+))?)(?:/(?P<step>[0-9]+))?")


class CronSets(NamedTuple):
    """One schedule's five sets; an empty one means any. Weekday 0 is Sunday, monthday 32 the last day."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    weekdays: tuple[int, ...]
    monthdays: tuple[int, ...]
    months: tuple[int, ...]


def is_reboot(text: str) -> bool:
    """Return whether *text* is ``@reboot``, which is no time and so has no sets."""
    return text.strip().lower() == REBOOT


def parse_cron(text: str) -> list[CronSets]:
    """Return the schedules that together fire as the cron expression *text* does.

    There are two if both day fields restrict the days, for cron then means either. But if one of them begins with ``*``, such as
    ``*/2``, cron means both, and so do pgAgent's sets.
    Raise PgAgentError for what is no cron expression and for what the five sets cannot say.
    """
    expression = text.strip().lower()
    if expression == REBOOT:
        raise invalid("cron", f"{REBOOT} is not a time", "It stands alone, when a job or schedule is added.")
    fields = ALIASES.get(expression, expression).split()
    _check_fields(text, fields)
    try:
        minutes, hours, monthdays, months, weekdays = map(_members, fields, FIELDS)
    except ValueError:
        raise invalid("cron", f'"{text}" is not a cron expression', FIELDS_HINT) from None
    if _means_both(fields):
        return [CronSets(minutes, hours, weekdays, monthdays, months)]
    if monthdays and weekdays:
        return [
            CronSets(minutes, hours, (), monthdays, months),
            CronSets(minutes, hours, weekdays, (), months),
        ]
    # either of both, and one of them names every day, such as 1-31
    return [CronSets(minutes, hours, (), (), months)]


def _means_both(fields: Sequence[str]) -> bool:
    """Return whether a day must match both day fields: one begins with a star, as cron's own readers look at it."""
    return any(fields[day].startswith("*") for day in (DAY_OF_MONTH, DAY_OF_WEEK))


def both_days(text: str) -> str:
    """Return a sentence if the cron expression *text* restricts both day fields and means both, else ''."""
    fields = text.split()
    if len(fields) != 5 or not _means_both(fields):
        return ""
    (sets,) = parse_cron(text)
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


def _members(text: str, field: Field) -> tuple[int, ...]:
    """Return the numbers that the field *text* names, in order; none if that is all. Raise ValueError if it is wrong."""
    members: set[int] = set()
    for item in text.split(","):
        members |= {LAST_DAY} if item == "l" and field is FIELDS[DAY_OF_MONTH] else _item(item, field)
    return () if members >= set(range(field.first, field.last + 1)) else tuple(sorted(members))


def _item(text: str, field: Field) -> set[int]:
    """Return the numbers that one item names, such as ``*/2``, ``5/20`` (from 5 on) or ``fri-mon`` (a range may go round)."""
    item = ITEM.fullmatch(text)
    if item is None:
        raise ValueError(text)
    first, last, _ = field
    size = last - first + 1
    low = first if item["any"] else _number(item["low"], field)
    if item["high"]:
        high = last if item["high"] == "l" and field is FIELDS[DAY_OF_MONTH] else _number(item["high"], field)
        high += size if high < low else 0
    else:
        low = (low - first) % size + first  # 7 is the Sunday that a week begins with
        high = last if item["any"] or item["step"] else low
    return {(n - first) % size + first for n in range(low, high + 1, int(item["step"] or 1))}


def _number(text: str, field: Field) -> int:
    """Return the number or name *text*; a week may end with 7, too."""
    number = field.first + field.names.index(text) if text in field.names else int(text)
    if not field.first <= number <= field.last + (field.names is DAYS):
        raise ValueError(text)
    return number
