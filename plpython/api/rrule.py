"""Recurrence rules, RRULE of RFC 5545 and Oracle's spelling of them, as the arguments of add_schedule. Pure: no server.

What cannot be said exactly is refused by the name of its part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..ground.errors import PgAgentError, invalid
from ..ground.vocabulary import SETS
from .rrule_days import Rule, day_rules

MINUTES, HOURS = tuple(SETS)[:2]
LONGEST = 1000
ALL_DAY = range(1440)
STEPS = {"MINUTELY": 1, "HOURLY": 60}  # in minutes

HINTS = {
    "COUNT": "Give end, or UNTIL: how often a schedule has fired is not kept.",
    "EXDATE": "Use add_exception, or attach a calendar.",
    "RDATE": "Add a schedule with at.",
    "DTSTART": "Give start.",
    "BYSECOND": "A schedule fires at full minutes; every takes seconds.",
}
FREQUENCIES = ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
LISTS = {
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31),
    "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
    "BYYEARDAY": (-366, 366),
}
WORDS = ("FREQ", "INTERVAL", "UNTIL", "WKST", "BYDAY", "BYDATE", "BYTIME", "EXCLUDE", "INCLUDE", "INTERSECT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
UNTIL = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")


class Recurrence(NamedTuple):
    """What a rule stands for: the arguments of each schedule, and what they have in common."""

    ways: list[Rule]
    until: datetime | None
    until_utc: bool
    exclude: list[str]
    intersect: list[str]


def refuse(part: str, problem: str = "can't be said exactly", hint: str | None = None) -> PgAgentError:
    """Return the error that names a *part* of the rule."""
    return invalid(
        "rrule", f"rrule: {part} {problem}", hint or "Use the sets, nth, workdays, roll and recurs."
    )


def read_rrule(text: str, start: datetime | None, anchor: datetime | None = None) -> Recurrence:
    """Return what *text* stands for; *start* is that of the schedule on its wall clock, None if it is not given.

    *anchor* is the start that the schedule will have, given or not.
    """
    parts = _parts(text)
    frequency = parts.get("FREQ", "").upper()
    if frequency not in FREQUENCIES:
        hint = f"Give {', '.join(FREQUENCIES)}; every takes seconds."
        raise refuse("FREQ", "is missing or unknown", hint)
    lists = {name: _numbers(name, parts[name]) for name in LISTS if name in parts}
    interval = _number("INTERVAL", parts.get("INTERVAL", "1"), 1, 9999)
    times = _times(frequency, interval, lists, parts.get("BYTIME"), start)
    frequency, interval = _whole_days(frequency, interval)
    days = day_rules(frequency, interval, parts, lists, (start, start or anchor), refuse, len(times) == 1)
    by_minutes = _cross_products(times)
    ways = [day | time for day in days for time in by_minutes]
    until = UNTIL.fullmatch(parts.get("UNTIL", "").upper().replace("-", ""))
    if "UNTIL" in parts and until is None:
        raise refuse("UNTIL", "is no date or time", "Give it as 20271231 or 20271231T180000Z.")
    calendars = {name: [c for c in parts.get(name, "").split(",") if c] for name in ("EXCLUDE", "INTERSECT")}
    ways += [
        time | {"only": name} for name in parts.get("INCLUDE", "").split(",") if name for time in by_minutes
    ]
    return Recurrence(
        ways,
        _until(until) if until else None,
        bool(until and until[7]),
        calendars["EXCLUDE"],
        calendars["INTERSECT"],
    )


def _parts(text: str) -> dict[str, str]:
    """Return the parts NAME=VALUE of a rule, the names in capitals."""
    if len(text) > LONGEST:
        raise invalid("rrule", f"rrule has {len(text)} characters", f"Give {LONGEST} at most.")
    rule = re.sub(r"(?i)^\s*RRULE:", "", text)
    parts: dict[str, str] = {}
    for item in filter(None, (item.strip() for item in re.split(r"[;\n]", rule))):
        name, equals, value = item.partition("=")
        name = re.split(r"[:;]", name.strip().upper())[0]
        if name in HINTS and (name, value.strip()) != ("BYSECOND", "0"):
            raise refuse(name, "is not supported", HINTS[name])
        if name == "BYSECOND":
            continue
        if name not in WORDS and name not in LISTS:
            raise refuse(name, "is not known or not supported")
        if not equals or not value.strip() or name in parts:
            raise refuse(name, "has no value, or is there twice", "Write NAME=VALUE;NAME=VALUE.")
        parts[name] = value.strip()
    return parts


def _number(part: str, text: str, low: int, high: int) -> int:
    text = text.strip().lstrip("+")
    if part == "BYMONTH" and text.upper() in MONTHS:
        text = str(MONTHS.index(text.upper()) + 1)
    if not re.fullmatch(r"-?[0-9]{1,4}", text) or not low <= int(text) <= high:
        raise refuse(part, f'can\'t be "{text}"', f"Give whole numbers from {low} to {high}.")
    return int(text)


def _numbers(part: str, text: str) -> list[int]:
    low, high = LISTS[part]
    numbers = sorted({_number(part, item, low, high) for item in text.split(",")})
    if low < 0 and 0 in numbers:
        raise refuse(part, "can't be 0", "Numbers count from 1, or from -1 backwards.")
    return numbers


def _until(found: re.Match[str]) -> datetime:
    """Return UNTIL; a date means all of that day."""
    numbers = [int(found[n] or 0) for n in range(1, 7)]
    try:
        until = datetime(*numbers)  # type: ignore[arg-type]
    except ValueError:
        raise refuse("UNTIL", "is no date or time", "Give it as 20271231 or 20271231T180000Z.") from None
    return until if found[4] else until + timedelta(days=1, minutes=-1)


def _times(
    frequency: str, interval: int, lists: dict[str, list[int]], by_time: str | None, start: datetime | None
) -> list[int]:
    """Return the minutes of the day at which the rule fires."""
    if by_time is not None:
        return sorted({_time(item) for item in by_time.split(",")})
    first = start.hour * 60 + start.minute if start else 0
    hours, minutes = lists.get("BYHOUR"), lists.get("BYMINUTE")
    step = STEPS.get(frequency, 0) * interval or 1
    if step % len(ALL_DAY) == 0:
        step = len(ALL_DAY)
    if len(ALL_DAY) % step:
        raise refuse("INTERVAL", f"{interval} of {frequency} does not divide a day", "See every.")
    if frequency not in ("MINUTELY", "HOURLY") and hours is None:
        hours = [first // 60]
    if frequency != "MINUTELY" and minutes is None:
        minutes = [first % 60]
    if frequency == "HOURLY":  # whole hours count
        first -= first % 60
    unit = 60 if frequency == "HOURLY" else 1
    return [
        at
        for at in ALL_DAY
        if (at // unit * unit - first) % step == 0
        and (hours is None or at // 60 in hours)
        and (minutes is None or at % 60 in minutes)
    ]


def _whole_days(frequency: str, interval: int) -> tuple[str, int]:
    """Return frequency and interval; so many hours or minutes are days if they are whole days."""
    days, rest = divmod(STEPS.get(frequency, 0) * interval, len(ALL_DAY))
    return ("DAILY", days) if days and not rest else (frequency, interval)


def _time(text: str) -> int:
    found = re.fullmatch(r"\s*([0-9]{2})([0-9]{2})([0-9]{2})\s*", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or found[3] != "00":
        raise refuse("BYTIME", f'can\'t be "{text}"', "Give hours, minutes and 00 seconds, such as 183000.")
    return 60 * int(found[1]) + int(found[2])


def _cross_products(times: Iterable[int]) -> list[dict[str, Any]]:
    """Return minutes and hours that together name the *times*; several pairs where they are no cross product."""
    by_hour: dict[int, list[int]] = {}
    for at in times:
        by_hour.setdefault(at // 60, []).append(at % 60)
    pairs: dict[tuple[int, ...], list[int]] = {}
    for hour, minutes in by_hour.items():
        pairs.setdefault(tuple(minutes), []).append(hour)
    if not pairs:
        raise refuse("BYHOUR", "leaves no time", "Give a time that comes.")
    return [
        {MINUTES: list(minutes) if len(minutes) < 60 else [], HOURS: hours if len(hours) < 24 else []}
        for minutes, hours in pairs.items()
    ]
