"""The two day fields of a cron expression, with Quartz's letters: L, W and #."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..ground.vocabulary import SETS

WEEKDAYS, MONTHDAYS = tuple(SETS)[2:4]
LAST_DAY = 32
LAST = re.compile(r"l(?:-([0-9]{1,2}))?(w)?")
NEAR = re.compile(r"([0-9]{1,2})w|w([0-9]{1,2})")
NTH = re.compile(r"([a-z0-9]+)#([1-5])")
LAST_NTH = re.compile(r"([a-z0-9]+)l|l([a-z0-9]+)")

# What one schedule has of days, by the arguments of add_schedule.
Rule = dict[str, Any]
Read = Callable[[str], set[int]]


def monthday_rules(items: list[str], read: Read) -> list[Rule]:
    """Return the rules that the items of day-of-month name, a schedule each; *read* reads an item without letters.

    Items that need the same rule share one.
    """
    plain: set[int] = set()
    near: set[int] = set()
    last_workday = False
    for item in items:
        found = NEAR.fullmatch(item)
        last = LAST.fullmatch(item)
        if item in ("lw", "wl"):
            last_workday = True
        elif found:
            near |= read(found[1] or found[2])
        elif last:
            number = _from_end(last[1])
            (near if last[2] else plain).add(number)
        else:
            plain |= read(item)
    rules: list[Rule] = []
    if plain:
        rules.append({MONTHDAYS: tuple(sorted(plain))})
    if near:
        rules.append({MONTHDAYS: tuple(sorted(near)), "roll": "nearest"})
    if last_workday:
        rules.append({"workdays": (-1,)})
    return rules


def _from_end(days_before: str | None) -> int:
    """Return what L or L-n is among the days of the month."""
    if not int(days_before or "0"):
        return LAST_DAY
    number = -1 - int(days_before or "0")
    if number < -31:
        raise ValueError(days_before)
    return number


def weekday_rules(items: list[str], read: Read) -> list[Rule]:
    """Return the rules that the items of day-of-week name, as monthday_rules."""
    plain: set[int] = set()
    nth: dict[int, set[int]] = {}
    for item in items:
        numbered, last = NTH.fullmatch(item), LAST_NTH.fullmatch(item)
        if numbered:
            nth.setdefault(int(numbered[2]), set()).update(read(numbered[1]))
        elif last:
            nth.setdefault(-1, set()).update(read(last[1] or last[2]))
        else:
            plain |= read(item)
    rules: list[Rule] = [{WEEKDAYS: tuple(sorted(plain))}] if plain else []
    return rules + [{WEEKDAYS: tuple(sorted(days)), "nth": (n,)} for n, days in sorted(nth.items())]
