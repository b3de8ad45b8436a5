"""What a schedule looks like: as cron text, where it has one, and in words. Pure: no server."""

from __future__ import annotations

import json
import re
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
LENGTH = re.compile(r"(?:(\d+ days?) )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
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


def cron_text(
    plpy: Plpy, minutes: str, hours: str, weekdays: str, monthdays: str, months: str, options: str
) -> str | None:
    """Return the cron expression of the five sets and the rules of days in *options*, a JSON object; None if there is none."""
    sets = read_sets((minutes, hours, weekdays, monthdays, months))
    given = json.loads(options)
    if not _has_rules(given):
        return None if given.get("roll") else as_cron(sets)
    days = _rule_items(sets[WEEKDAYS], given)
    if days is None:
        return None
    fields = {name: _field(name, sets[name], stars=True) for name in (MINUTES, HOURS, MONTHS)}
    return f"{fields[MINUTES]} {fields[HOURS]} {days[0]} {fields[MONTHS]} {days[1]}"


def _rule_items(weekdays: Sequence[int], given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return cron's two day fields for rules of days, in Quartz's letters; None if it has no such letters."""
    days, nth, workdays, roll = (given.get(name) for name in ("days", "nth", "workdays", "roll"))
    if workdays == [-1] and not (days or nth or roll or weekdays):
        return "LW", "*"
    if nth and not (days or workdays or roll):
        numbered = [f"{day}L" if n == -1 else f"{day}#{n}" for n in nth for day in weekdays]
        return ("*", ",".join(numbered)) if weekdays and all(n == -1 or n > 0 for n in nth) else None
    if days and not (nth or workdays or weekdays) and roll in (None, "nearest"):
        letter = "W" if roll else ""
        items = [
            "L" if day == LAST_DAY else f"L-{-1 - day}" if day < 0 else str(day)
            for day in sorted(days, key=lambda day: (day < 0, day))
        ]
        return (
            (",".join(f"{item}{letter}" for item in items), "*") if not (roll and LAST_DAY in days) else None
        )
    return None


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
        parts = [f"every {_length(given['every'])} from {given['start']}", *limits]
    else:
        parts = [_times(sets)]
    days = "" if _has_rules(given) else _days(sets)
    parts += [part for part in (days, *_rules(sets, given), _months(sets)) if part]
    text = " ".join(parts)
    if given.get("timezone"):
        text += f" ({given['timezone']})"
    if given.get("end"):
        text += f", until {given['end']}"
    return text


def _has_rules(given: Mapping[str, Any]) -> bool:
    """Return whether pgAgent's days of the month are only the days on which the rules may fire."""
    return any(given.get(name) for name in ("days", "nth", "workdays"))


ORDINALS = ("", "first", "second", "third", "fourth", "fifth")
ROLLS = {
    "skip": "unless that is no working day",
    "forward": "or the next working day",
    "backward": "or the working day before",
    "nearest": "or the nearest working day",
    "in_month": "or the next working day of that month, else the one before",
}


def _ordinal(number: int) -> str:
    """Return a number of a list as a word, a negative one as counted from the end."""
    last = number < 0
    count = abs(number)
    word = ORDINALS[count] if count < len(ORDINALS) else f"{count}th"
    return word if not last else "last" if count == 1 else f"{word} last"


def _rules(sets: Sets, given: Mapping[str, Any]) -> list[str]:
    """Return what the rules of days say."""
    rules = []
    weekdays = " or ".join(DAY_NAMES[day] for day in sets[WEEKDAYS])
    if numbers := given.get("days"):
        named = [
            f"day {n}" if 0 < n < LAST_DAY else f"the {_ordinal(-1 if n > 0 else n)} day" for n in numbers
        ]
        rules.append(
            f"on {' and '.join(named)} of the month"
            + (f" if that is a {weekdays}" if weekdays and not given.get("nth") else "")
        )
    if numbers := given.get("nth"):
        rules.append(f"on the {' and '.join(map(_ordinal, numbers))} {weekdays} of the month")
    if numbers := given.get("workdays"):
        rules.append(f"on the {' and '.join(map(_ordinal, numbers))} working day of the month")
    if given.get("roll"):
        rules.append(ROLLS.get(given["roll"], given["roll"]))
    if given.get("recurs"):
        rules.append(f"every {given['recurs']}")
    return rules


def _length(text: str) -> str:
    """Return an interval as PostgreSQL writes it in units: 1 hour 30 minutes."""
    found = LENGTH.fullmatch(text)
    if not found:
        return text
    parts = [found[1]] if found[1] else []
    for number, unit in zip(found.groups()[1:], ("hour", "minute", "second")):
        if float(number):
            shown = f"{float(number):g}"
            parts.append(f"{shown} {unit}{'s' * (shown != '1')}")
    return " ".join(parts)


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
