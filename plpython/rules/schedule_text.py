"""What a schedule looks like: as cron text, where it has one, and in words. Pure: no server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.plpy import Plpy
from ..ground.vocabulary import SETS

MINUTES, HOURS, WEEKDAYS, MONTHDAYS, MONTHS = SETS
LAST_DAY = 32
DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MOST_TIMES = 6  # that words list one by one

Sets = Mapping[str, Sequence[int]]  # by their names; an empty one means any


def read_sets(flags: Sequence[str]) -> Sets:
    """Return the numbers of five columns of flags, as text ``{t,f,...}``, in the order of SETS."""
    sets: dict[str, Sequence[int]] = {}
    for (name, (first, last)), text in zip(SETS.items(), flags):
        numbers = [n for n, flag in enumerate(text.strip("{}").split(","), first) if flag == "t"]
        # A month has 31 days: the 32nd flag is the last of them once more.
        every = range(first, last + (name != MONTHDAYS))
        sets[name] = () if set(numbers) >= set(every) else tuple(numbers)
    return sets


def cron_text(plpy: Plpy, minutes: str, hours: str, weekdays: str, monthdays: str, months: str) -> str | None:
    """Return the cron expression of the five sets, None if there is none."""
    return as_cron(read_sets((minutes, hours, weekdays, monthdays, months)))


def as_cron(*schedules: Sets) -> str | None:
    """Return the cron expression that together makes *schedules*, None if there is none.

    Two are the two ways in which cron's day fields match: the one or the other.
    """
    sets = dict(schedules[0])
    either = len(schedules) == 2
    if either:
        other = schedules[1]
        if any(sets[name] != other[name] for name in (MINUTES, HOURS, MONTHS)):
            return None
        one, two = sorted(schedules, key=lambda way: bool(way[WEEKDAYS]))
        if not one[MONTHDAYS] or one[WEEKDAYS] or two[MONTHDAYS] or not two[WEEKDAYS]:
            return None
        sets |= {MONTHDAYS: one[MONTHDAYS], WEEKDAYS: two[WEEKDAYS]}
    elif len(schedules) > 2:
        return None
    fields = {name: _field(name, sets[name], stars=not either or "days" not in name) for name in SETS}
    if sets[MONTHDAYS] and sets[WEEKDAYS] and not either and not _has_star(fields):
        return None  # both must match: cron says so only by a field that begins with *
    return " ".join(fields[name] for name in (MINUTES, HOURS, MONTHDAYS, MONTHS, WEEKDAYS))


def _has_star(fields: dict[str, str]) -> bool:
    return fields[MONTHDAYS].startswith("*") or fields[WEEKDAYS].startswith("*")


def _field(name: str, numbers: Sequence[int], stars: bool) -> str:
    """Return a field of a cron expression. *stars*: it may begin with one."""
    if not numbers:
        return "*"
    first, last = SETS[name]
    last -= name == MONTHDAYS
    if stars and len(numbers) > 2:
        step = numbers[1] - numbers[0]
        if list(numbers) == list(range(first, last + 1, step)):
            return f"*/{step}"
    return ",".join(
        "L" if low == LAST_DAY == high and name == MONTHDAYS else _range(low, high)
        for low, high in _runs(numbers)
    )


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the ranges that sorted *numbers* consist of. The last day of the month stands alone."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1 and number != LAST_DAY:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}" if high > low + 1 else f"{low},{high}"


def words(
    plpy: Plpy, minutes: str, hours: str, weekdays: str, monthdays: str, months: str, options: str
) -> str:
    """Return what a schedule does in words. *options*: a JSON object of what is set, such as every."""
    given = json.loads(options)
    if given.get("reboot"):
        return "when a launcher starts"
    if given.get("at"):
        return f"once, at {given['at']}"
    sets = read_sets((minutes, hours, weekdays, monthdays, months))
    if given.get("every"):
        limits = [] if not (sets[MINUTES] or sets[HOURS]) else [_times(sets)]
        parts = [f"every {given['every']} from {given['start']}", *limits]
    else:
        parts = [_times(sets)]
    days = _days({**sets, MONTHDAYS: ()} if _has_rules(given) else sets)
    parts += [part for part in (days, *_rules(given), _months(sets)) if part]
    text = " ".join(parts)
    if given.get("timezone"):
        text += f" ({given['timezone']})"
    if given.get("end"):
        text += f", until {given['end']}"
    return text


def _has_rules(given: Mapping[str, Any]) -> bool:
    """Return whether pgAgent's days of the month are only the days on which the rules may fire."""
    return any(given.get(name) for name in ("days", "nth", "workdays"))


def _rules(given: Mapping[str, Any]) -> list[str]:
    """Return what the rules of days say, which count from the end of the month where a number is negative."""
    rules = []
    for name, noun in (("days", "days"), ("nth", "weekdays number"), ("workdays", "working days")):
        if numbers := given.get(name):
            rules.append(f"on {noun} {', '.join(map(str, numbers))} of the month")
    if given.get("roll"):
        rules.append(f"rolled {given['roll']}")
    if given.get("recurs"):
        rules.append(f"every {given['recurs']}")
    return rules


def _times(sets: Sets) -> str:
    minutes, hours = sets[MINUTES], sets[HOURS]
    if not minutes:
        return "every minute" + (f" of {_list('hour', hours)}" if hours else "")
    if hours and len(minutes) * len(hours) <= MOST_TIMES:
        return "at " + ", ".join(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
    step = minutes[1] - minutes[0] if len(minutes) > 1 else 0
    if step and list(minutes) == list(range(0, 60, step)):
        return f"every {step} minutes" + (f" of {_list('hour', hours)}" if hours else "")
    return f"at {_list('minute', minutes)} of " + (_list("hour", hours) if hours else "every hour")


def _list(noun: str, numbers: Sequence[int]) -> str:
    shown = ", ".join(_range(low, high).replace(",", ", ") for low, high in _runs(numbers))
    return f"{noun}{'s' if len(numbers) > 1 else ''} {shown}"


def _days(sets: Sets) -> str:
    weekdays, monthdays = list(sets[WEEKDAYS]), sets[MONTHDAYS]
    which = {(1, 2, 3, 4, 5): "Monday to Friday", (0, 6): "Saturday and Sunday"}.get(tuple(weekdays))
    named = which or ", ".join(DAY_NAMES[day] for day in weekdays)
    if not monthdays:
        return f"on {named}" if weekdays else ""
    numbers = [day for day in monthdays if day != LAST_DAY]
    days = [_list("day", numbers)] if numbers else []
    days += ["the last day"] if LAST_DAY in monthdays else []
    return f"on {' and '.join(days)} of the month" + (f" if that is a {named}" if weekdays else "")


def _months(sets: Sets) -> str:
    return "in " + ", ".join(MONTH_NAMES[month - 1] for month in sets[MONTHS]) if sets[MONTHS] else ""
