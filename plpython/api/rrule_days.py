"""The days of a recurrence rule, as the arguments of add_schedule: see rrule.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from ..ground.errors import PgAgentError
from ..ground.vocabulary import SETS

WEEKDAYS, MONTHDAYS, MONTHS = tuple(SETS)[2:]
DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
LONG_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
WORKING_WEEK = [1, 2, 3, 4, 5]
UNITS = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months"}

Rule = dict[str, Any]
Lists = Mapping[str, Sequence[int]]
Refuse = Callable[..., PgAgentError]


def day_rules(
    frequency: str,
    interval: int,
    parts: Mapping[str, str],
    lists: Lists,
    starts: tuple[datetime | None, datetime | None],
    refuse: Refuse,
    one_time: bool,
) -> list[Rule]:
    """Return what the rule says of days, for each schedule; *one_time*: it fires once a day.

    *starts*: the start that is given, and the one that there will be.
    """
    start = starts[0]
    ordinals = _read_by_day(parts.get("BYDAY", ""), refuse)
    numbered = [n for n, _ in ordinals if n]
    if numbered and frequency not in ("MONTHLY", "YEARLY"):
        raise refuse("BYDAY", f"has a number with FREQ={frequency}", "Numbers are for MONTHLY and YEARLY.")
    rules = _dates(frequency, parts, lists, refuse)
    if rules is None:
        rules = _by_period(frequency, lists, ordinals, start, refuse)
        if "BYSETPOS" in lists:
            rules = _positions(frequency, rules, list(lists["BYSETPOS"]), one_time, refuse)
    elif ordinals or "BYSETPOS" in lists:
        raise refuse("BYDAY" if ordinals else "BYSETPOS")
    recurs = _recurs(frequency, interval, parts, rules, starts, refuse)
    return [rule | recurs for rule in rules]


def _read_by_day(text: str, refuse: Refuse) -> list[tuple[int, int]]:
    """Return the number, 0 for none, and the weekday of each item of BYDAY."""
    found = []
    for item in filter(None, text.upper().split(",")):
        match = re.fullmatch(r"\s*([+-]?[0-9]{1,2})?\s*([A-Z]{2,3})\s*", item)
        names = match and (DAYS if len(match[2]) == 2 else LONG_DAYS)
        if not match or not names or match[2] not in names:
            raise refuse("BYDAY", f'can\'t be "{item}"', "Give MO, TU and so on, or 2MO, -1FR.")
        found.append((int(match[1] or 0), names.index(match[2])))
    return found


def _dates(frequency: str, parts: Mapping[str, str], lists: Lists, refuse: Refuse) -> list[Rule] | None:
    """Return the rules of BYDATE and BYYEARDAY, dates that are the same in all years; None if there are none."""
    if "BYDATE" not in parts and "BYYEARDAY" not in lists:
        return None
    if frequency != "YEARLY" or any(name in lists for name in ("BYMONTH", "BYMONTHDAY")):
        raise refuse("BYDATE" if "BYDATE" in parts else "BYYEARDAY", "goes with FREQ=YEARLY alone")
    by_day: dict[int, list[int]] = {}
    for item in filter(None, parts.get("BYDATE", "").split(",")):
        found = re.fullmatch(r"\s*([0-9]{2})([0-9]{2})\s*", item)
        if not found or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= 31:
            raise refuse("BYDATE", f'can\'t be "{item}"', "Give month and day, such as 1231.")
        by_day.setdefault(int(found[2]), []).append(int(found[1]))
    for number in lists.get("BYYEARDAY", ()):
        if not (1 <= number <= 59 or -306 <= number <= -1):
            raise refuse("BYYEARDAY", f"can't be {number}", "In leap years it is another date.")
        first = date(2001, 1, 1) + timedelta(days=number - 1 if number > 0 else 365 + number)
        by_day.setdefault(first.day, []).append(first.month)
    return [{MONTHDAYS: [day], MONTHS: sorted(set(months))} for day, months in sorted(by_day.items())]


def _by_period(
    frequency: str, lists: Lists, ordinals: Sequence[tuple[int, int]], start: datetime | None, refuse: Refuse
) -> list[Rule]:
    """Return the rules of the other parts. What is missing is that of *start*."""
    months, monthdays = list(lists.get("BYMONTH", ())), list(lists.get("BYMONTHDAY", ()))
    plain = sorted({day for n, day in ordinals if not n})
    if frequency == "WEEKLY" and monthdays:
        raise refuse("BYMONTHDAY", "does not go with FREQ=WEEKLY", "Use FREQ=DAILY.")
    if frequency in ("WEEKLY", "MONTHLY", "YEARLY") and not (monthdays or ordinals):
        if start is None:
            raise refuse("BYDAY", "and BYMONTHDAY are missing", "Name the day, or give start.")
        if frequency == "WEEKLY":
            plain = [start.isoweekday() % 7]
        else:
            monthdays = [start.day]
            if frequency == "YEARLY":
                months = months or [start.month]
    common = {MONTHDAYS: monthdays, MONTHS: months}
    rules: list[Rule] = [{WEEKDAYS: plain, **common}] if plain or not ordinals else []
    for number in sorted({n for n, _ in ordinals if n}):
        weekdays = sorted({day for n, day in ordinals if n == number})
        if frequency == "YEARLY" and not months:
            if abs(number) > 4 or monthdays:
                raise refuse("BYDAY", f"can't count {number} in the year", "Give BYMONTH.")
            rules.append({WEEKDAYS: weekdays, "nth": [number], **common, MONTHS: [1 if number > 0 else 12]})
        elif abs(number) > 5:
            raise refuse("BYDAY", f"can't have the number {number}", "A month has five at most.")
        else:
            rules.append({WEEKDAYS: weekdays, "nth": [number], **common})
    return rules


def _positions(
    frequency: str, rules: list[Rule], positions: list[int], one_time: bool, refuse: Refuse
) -> list[Rule]:
    """Return the rules with BYSETPOS."""
    (rule, *others) = rules
    weekdays, monthdays, months = (rule.get(name) or [] for name in (WEEKDAYS, MONTHDAYS, MONTHS))
    in_months = frequency == "MONTHLY" or (frequency == "YEARLY" and len(months) == 1)
    if others or not one_time or "nth" in rule or not (in_months or frequency == "WEEKLY"):
        raise refuse("BYSETPOS")
    if frequency == "WEEKLY":
        if months:
            raise refuse("BYSETPOS", "does not go with BYMONTH")
        week = sorted(weekdays, key=lambda day: (day - 1) % 7)
        chosen = [week[p - 1 if p > 0 else p] for p in positions if -len(week) <= p - (p > 0) < len(week)]
        if not chosen:
            raise _never(refuse)
        return [rule | {WEEKDAYS: sorted(set(chosen))}]
    if monthdays and not weekdays:
        return [rule | {MONTHDAYS: _pick_dates(monthdays, positions, refuse)}]
    if monthdays:
        raise refuse("BYSETPOS", "does not go with BYDAY and BYMONTHDAY")
    name, most = (
        ("nth", 5)
        if len(weekdays) == 1
        else ("workdays", 23)
        if weekdays == WORKING_WEEK
        else (MONTHDAYS, 31)
    )
    if name == MONTHDAYS and len(weekdays) != 7:
        raise refuse("BYSETPOS", "of these weekdays can't be said exactly")
    if any(abs(position) > most for position in positions):
        raise _never(refuse)
    return [rule | ({} if name == "nth" else {WEEKDAYS: []}) | {name: positions}]


def _never(refuse: Refuse) -> PgAgentError:
    return refuse("BYSETPOS", "names a day that never comes", "Give a smaller number.")


def _pick_dates(monthdays: Iterable[int], positions: Iterable[int], refuse: Refuse) -> list[int]:
    """Return the days of the month that are in these positions among *monthdays*, whatever the month."""
    chosen: dict[int, set[int]] = {}
    for length in range(28, 32):
        days = sorted({n if n > 0 else length + 1 + n for n in monthdays if -length <= n <= length})
        chosen[length] = {
            days[p - 1 if p > 0 else p] for p in positions if -len(days) <= p - (p > 0) < len(days)
        }
    forward = {day for days in chosen.values() for day in days}
    if not forward:
        raise _never(refuse)
    if all({day for day in forward if day <= length} == days for length, days in chosen.items()):
        return sorted(forward)
    backward = {day - length - 1 for length, days in chosen.items() for day in days}
    if all({length + 1 + n for n in backward if n >= -length} == days for length, days in chosen.items()):
        return sorted(backward)
    raise refuse("BYSETPOS", "of these days of the month can't be said exactly")


def _recurs(
    frequency: str,
    interval: int,
    parts: Mapping[str, str],
    rules: list[Rule],
    starts: tuple[datetime | None, datetime | None],
    refuse: Refuse,
) -> Rule:
    """Return recurs for INTERVAL."""
    start, anchor = starts
    week_start = parts.get("WKST", "MO").upper()[:2]
    if week_start not in DAYS:
        raise refuse("WKST", f'can\'t be "{parts["WKST"]}"', "Give MO.")
    if interval == 1 or frequency in ("MINUTELY", "HOURLY"):
        return {}
    if frequency == "YEARLY":
        if start is None or any(rule.get(MONTHS) != [start.month] for rule in rules):
            raise refuse(
                "INTERVAL", "of years counts from the month of start alone", "Give start in that month."
            )
        return {"recurs": f"{12 * interval} months"}
    if frequency == "WEEKLY" and week_start != "MO":
        days = rules[0][WEEKDAYS]
        first = (DAYS.index(week_start) - 1) % 7
        if anchor is None or weeks_of(anchor, interval, days, 0) != weeks_of(anchor, interval, days, first):
            raise refuse(
                "WKST", "changes which weeks are meant: weeks begin on Monday", "Leave it out, or write MO."
            )
    return {"recurs": f"{interval} {UNITS[frequency]}"}


def weeks_of(start: datetime, interval: int, weekdays: Sequence[int], first: int) -> list[int]:
    """Return the days from *start* on, as numbers, that match when weeks begin *first* days after Monday."""
    begin = (start.weekday() - first) % 7
    days = range(0, 7 * interval * 2)
    return [n for n in days if (n + begin) // 7 % interval == 0 and (start.isoweekday() + n) % 7 in weekdays]
