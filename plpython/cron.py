"""Cron expressions as pgAgent's five sets, read by croniter."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .errors import PgAgentError, invalid

try:
    from croniter import croniter
except ImportError:
    croniter = None  # type: ignore[assignment, misc]

__all__ = ["REBOOT", "CronSets", "is_reboot", "parse_cron"]

REBOOT = "@reboot"
ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
FEATURE_NOT_SUPPORTED = "0A000"
LAST_DAY = 32

FIELDS_HINT = (
    "Five fields are needed: minute hour day-of-month month day-of-week, such as '30 9 * * mon-fri', "
    f"or one of {', '.join(ALIASES)}."
)

# What croniter reads, or some version of it, and the five sets cannot say: field, pattern, why, what to do.
ANY_FIELD = None
DAY_OF_MONTH = 2
DAY_OF_WEEK = 4
UNSAYABLE = (
    (ANY_FIELD, r"#", "'#' (the n-th weekday of a month) is not supported",
     "Name the days of the month that it can fall on, for example days 1-7 for the first week."),
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

    There are two if day of month and day of week are both given, for cron then means either. What counts
    as given is croniter's reading: ``*`` and ``*/1`` do not, ``*/2`` does.
    Raise PgAgentError for what is no cron expression and for what the five sets cannot say.
    """
    expression = text.strip().lower()
    if expression == REBOOT:
        raise invalid("cron", f"{REBOOT} is not a time", "It stands alone, when a job or schedule is added.")
    if expression not in ALIASES:
        _check_fields(text, expression.split())
        expression = " ".join(_plain(field) for field in expression.split())
    minutes, hours, monthdays, months, weekdays = (_values(field) for field in _expand(text, expression))
    if monthdays and weekdays:
        return [
            CronSets(minutes, hours, (), monthdays, months),
            CronSets(minutes, hours, weekdays, (), months),
        ]
    return [CronSets(minutes, hours, weekdays, monthdays, months)]


def _check_fields(text: str, fields: list[str]) -> None:
    """Refuse what is not five fields, and what the five sets cannot say."""
    if len(fields) != 5 or not text.isascii():
        raise invalid("cron", f'"{text}" is not a cron expression', FIELDS_HINT)
    for position, pattern, problem, hint in UNSAYABLE:
        for index, field in enumerate(fields):
            if position in (ANY_FIELD, index) and re.search(pattern, field):
                raise invalid("cron", f'"{text}": {problem}', hint)


def _plain(field: str) -> str:
    """Return *field* with each range of one value, such as 5-5, as that value, and ``*/1`` as ``*``.

    Versions of croniter disagree on them; newer ones take 5-5 for the whole cycle.
    """
    field = re.sub(r"(^|,)(\w+)-\2(/\d+)?(?=$|,)", r"\1\2", field)
    return re.sub(r"(^|,)\*/1(?=$|,)", r"\1*", field)


def _expand(text: str, expression: str) -> list[list[Any]]:
    if croniter is None:
        raise PgAgentError(
            "cron: the Python module croniter is missing on the server",
            "Install it for the server's Python: apt-get install python3-croniter (or pip install croniter).",
            FEATURE_NOT_SUPPORTED,
        )
    try:
        fields, _ = croniter.expand(expression)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        raise invalid("cron", f'"{text}" is not a cron expression', FIELDS_HINT) from None
    return list(fields)


def _values(field: list[Any]) -> tuple[int, ...]:
    """Return a field as croniter expands it: numbers, 'l' for the last day, '*' for any."""
    if "*" in field:
        return ()
    return tuple(sorted(LAST_DAY if value == "l" else int(value) for value in field))
