"""Schedules of SQL Server Agent, as msdb's sysschedules has them, in the arguments of add_schedule. Pure: no server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..ground.vocabulary import SETS
from .rrule_days import weeks_of

Arguments = dict[str, Any]

_, _, WEEKDAYS, _, _ = SETS

ONCE, DAILY, WEEKLY, MONTHLY, MONTHLY_RELATIVE, AT_START, WHEN_IDLE = 1, 4, 8, 16, 32, 64, 128
AT_TIME, SECONDS, MINUTES, HOURS = 1, 2, 4, 8  # freq_subday_type
PLACES = {1: 1, 2: 2, 4: 3, 8: 4, 16: -1}  # freq_relative_interval: first to fourth, last
DAY, WEEKDAY, WEEKEND_DAY = 8, 9, 10  # freq_interval of a relative month, beside 1 (Sunday) to 7
FOREVER = 99991231
LAST_SECOND = 235959
# What each of these may be at most: the times of a day are counted one by one.
MOST = {
    "active_start_date": FOREVER,
    "active_end_date": FOREVER,
    "active_start_time": LAST_SECOND,
    "active_end_time": LAST_SECOND,
}
ALL_DAY = 24 * 60  # minutes
# The n-th weekend day of a month: a month that begins on a Sunday, or ends on a Saturday, has a lone one there.
SATURDAY, SUNDAY = 6, 0
WEEKEND = {
    1: [(SATURDAY, range(1, 7)), (SUNDAY, [1])],
    2: [(SUNDAY, range(2, 8)), (SATURDAY, [7])],
    3: [(SATURDAY, range(8, 14)), (SUNDAY, [8])],
    4: [(SUNDAY, range(9, 15)), (SATURDAY, [14])],
    -1: [(SUNDAY, range(-6, 0)), (SATURDAY, [-1])],
}


class CannotCarryError(Exception):
    """What there is no schedule for."""


def read_schedule(row: Mapping[str, Any]) -> tuple[list[Arguments], list[str]]:
    """Return the arguments of the schedules that *row* becomes, and notes on what they do differently."""
    for name, most in MOST.items():
        if not 0 <= (row.get(name) or 0) <= most:
            raise CannotCarryError(f"{name} is out of range")
    notes: list[str] = []
    type_ = row.get("freq_type")
    start = row.get("active_start_date") or 0
    if type_ == AT_START:
        return [{"cron": "@reboot"}], notes
    if type_ == ONCE:
        return [{"at": f"{_date(start)} {_time(row.get('active_start_time') or 0)}"}], notes
    if type_ not in (DAILY, WEEKLY, MONTHLY, MONTHLY_RELATIVE):
        why = (
            "it starts when the processor is idle" if type_ == WHEN_IDLE else f"freq_type {type_} is unknown"
        )
        raise CannotCarryError(why)
    bounds: Arguments = {}
    if start:
        bounds["start"] = f"{_date(start)} 00:00:00"
    if row.get("active_end_date") and row["active_end_date"] < FOREVER:
        bounds["end"] = f"{_date(row['active_end_date'])} 23:59:59"
    days = _days(row, notes)
    return [day | bounds | times for day in days for times in _times(row, notes)], notes


def _days(row: Mapping[str, Any], notes: list[str]) -> list[Arguments]:
    """Return the days on which it fires: schedules of which each day is one's."""
    interval = row.get("freq_interval") or 0
    factor = row.get("freq_recurrence_factor") or 1
    if row["freq_type"] == DAILY:
        return [{"recurs": f"{interval} days"} if interval > 1 else {}]
    if row["freq_type"] == WEEKLY:
        weekdays = [day for day in range(7) if interval >> day & 1]
        if not weekdays:
            raise CannotCarryError("it has no weekday")
        if factor > 1 and not _weeks_agree(row.get("active_start_date") or 0, factor, weekdays):
            raise CannotCarryError(
                f"its weeks begin on Sunday: every {factor} weeks would be other weeks here"
            )
        return [{WEEKDAYS: weekdays} | ({"recurs": f"{factor} weeks"} if factor > 1 else {})]
    recurs = {"recurs": f"{factor} months"} if factor > 1 else {}
    if row["freq_type"] == MONTHLY:
        if interval > 28:
            notes.append(f"it does not fire in months without a day {interval}")
        return [{"monthdays": [interval]} | recurs]
    return [day | recurs for day in _relative(interval, row.get("freq_relative_interval"))]


def _relative(interval: int, relative: int | None) -> list[Arguments]:
    place = PLACES.get(relative or 0)
    if place is None:
        raise CannotCarryError(f"freq_relative_interval {relative} is unknown")
    if 1 <= interval <= 7:
        return [{WEEKDAYS: [interval - 1], "nth": [place]}]
    if interval == DAY:
        return [{"monthdays": [place]}]
    if interval == WEEKDAY:
        return [{"workdays": [place]}]
    if interval == WEEKEND_DAY:
        return [{WEEKDAYS: [weekday], "monthdays": list(days)} for weekday, days in WEEKEND[place]]
    raise CannotCarryError(f"freq_interval {interval} is unknown")


def _times(row: Mapping[str, Any], notes: list[str]) -> list[Arguments]:
    """Return hours and minutes at which it fires: schedules, where they are no cross product."""
    kind, step = row.get("freq_subday_type") or AT_TIME, row.get("freq_subday_interval") or 0
    first, last = row.get("active_start_time") or 0, row.get("active_end_time") or LAST_SECOND
    start, end = _minute(first), _minute(last)
    if kind in (0, AT_TIME):
        if first % 100:
            notes.append("it fires at second 0")
        return [{"hours": [start // 60], "minutes": [start % 60]}]
    if kind not in (SECONDS, MINUTES, HOURS) or step < 1:
        raise CannotCarryError(f"freq_subday_type {kind} with interval {step} is unknown")
    if end < start:
        if row["freq_type"] != DAILY or (row.get("freq_interval") or 0) > 1:
            raise CannotCarryError("its times go on past midnight")
        end += ALL_DAY
    if kind == SECONDS:
        begin = row.get("active_start_date")
        every: Arguments = {"every": f"{step} seconds"}
        every |= {"start": f"{_date(begin)} {_time(first)}"} if begin else {}
        if 60 * ALL_DAY % step:
            notes.append("its seconds are counted from its first day on, not from each day's first time")
        whole = (start, end) == (0, ALL_DAY - 1)
        return [group | every for group in ([{}] if whole else _groups(range(start, end + 1)))]
    minutes = range(start, end + 1, step if kind == MINUTES else 60 * step)
    if first % 100:
        notes.append("it fires at second 0")
    return _groups(minutes)


def _groups(minutes: Iterable[int]) -> list[Arguments]:
    """Return hours and minutes for these minutes of the day, and of the next; hours with the same minutes go together."""
    of_hour: dict[int, list[int]] = {}
    for minute in sorted({minute % ALL_DAY for minute in minutes}):
        of_hour.setdefault(minute // 60, []).append(minute % 60)
    hours: dict[tuple[int, ...], list[int]] = {}
    for hour, found in of_hour.items():
        hours.setdefault(tuple(found), []).append(hour)
    return [
        ({} if len(found) == 24 else {"hours": found}) | ({} if len(at) == 60 else {"minutes": list(at)})
        for at, found in hours.items()
    ]


def _date(number: int) -> str:
    return f"{number // 10000:04}-{number // 100 % 100:02}-{number % 100:02}"


def _time(number: int) -> str:
    return f"{number // 10000:02}:{number // 100 % 100:02}:{number % 100:02}"


def _minute(time: int) -> int:
    return time // 10000 * 60 + time // 100 % 100


DAYS_TO_SUNDAY = 6


def _weeks_agree(start: int, factor: int, weekdays: Sequence[int]) -> bool:
    """Return whether weeks that begin on Sunday, as there, and on Monday, as here, are the same days from the date *start* on."""
    try:
        begin = datetime(start // 10000, start // 100 % 100, start % 100)
    except ValueError:  # no date
        return False
    return weeks_of(begin, factor, weekdays, 0) == weeks_of(begin, factor, weekdays, DAYS_TO_SUNDAY)
