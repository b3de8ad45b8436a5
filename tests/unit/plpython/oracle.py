"""When a rule fires, found out by walking over every minute: slow, and too simple to be wrong.

It shares nothing with plpython.rules.schedule: plain sets, datetime, and Python's own time zone database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

from plpython.rules.schedule import Schedule, compile_schedule
from plpython.rules.zones import Zone

UTC = timezone.utc
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIX_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class Rule:
    """A schedule as a user thinks of it. Empty sets mean any; monthday 32 is the last day; Sunday is 0."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    monthdays: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    start: float | None = None
    end: float | None = None
    zone: str = "UTC"
    exceptions: tuple[tuple[date | None, time | None], ...] = ()
    only: frozenset[date] | None = None


def on(*members: int) -> frozenset[int]:
    """Return one of the sets of a rule."""
    return frozenset(members)


def matches(rule: Rule, wall: datetime) -> bool:
    """Return whether the five sets and the exceptions let the wall-clock minute *wall* (naive) fire."""
    return (
        (not rule.minutes or wall.minute in rule.minutes)
        and (not rule.hours or wall.hour in rule.hours)
        and date_matches(rule, wall.date())
        and not any(blocks(exception, wall) for exception in rule.exceptions)
    )


def date_matches(rule: Rule, day: date) -> bool:
    """Return whether weekdays, monthdays, months and the calendar of only days let *day* match."""
    return (
        (not rule.months or day.month in rule.months)
        and (not rule.weekdays or day.isoweekday() % 7 in rule.weekdays)
        and (not rule.monthdays or day.day in rule.monthdays or (32 in rule.monthdays and is_last(day)))
        and (rule.only is None or day in rule.only)
    )


def is_last(day: date) -> bool:
    """Return whether *day* is the last of its month."""
    return (day + timedelta(days=1)).month != day.month


def blocks(exception: tuple[date | None, time | None], wall: datetime) -> bool:
    """Return whether an exception keeps the minute *wall* from firing."""
    on_date, at_time = exception
    if on_date is None and at_time is None:
        return False
    return (on_date is None or on_date == wall.date()) and (
        at_time is None or (at_time.hour, at_time.minute) == (wall.hour, wall.minute)
    )


def any_hour(rule: Rule) -> bool:
    """Return whether the hours do not matter."""
    return len(rule.hours) in (0, 24)


def within_limits(rule: Rule, instant: int) -> bool:
    """Return whether *instant* lies between start, counted from the begin of its minute, and end."""
    if rule.start is not None:
        second = int(rule.start // 1)
        if instant < second - wall_clock(rule.zone, second).second:
            return False
    return rule.end is None or instant <= rule.end


def wall_clock(zone: str, instant: int) -> datetime:
    """Return what the clock of *zone* shows at *instant* (epoch seconds), without a zone."""
    return (EPOCH + timedelta(seconds=instant)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def clock_minutes(zone: str, begin: int, count: int) -> list[tuple[int, datetime, list[datetime]]]:
    """Return the instant of each of *count* real minutes from *begin* on, its wall time, and what is new.

    New are the wall minutes that the clock has not shown or jumped over before: none while it repeats
    itself after it was set back, several right after it was set forth.
    """
    highest = max(wall_clock(zone, begin - minute * 60) for minute in range(1, 2 * 1440))
    walked = []
    for instant in range(begin, begin + count * 60, 60):
        wall = wall_clock(zone, instant)
        new = []
        while highest < wall:
            highest += MINUTE
            new.append(highest)
        walked.append((instant, wall, new))
    return walked


def walk(rule: Rule, begin: int, count: int) -> list[int]:
    """Return the instants at which *rule* fires within *count* minutes from *begin*, a whole minute."""
    fired = []
    hours_matter = not any_hour(rule)
    for instant, wall, new in clock_minutes(rule.zone, begin, count):
        for minute in new if hours_matter else [wall]:
            if matches(rule, minute) and within_limits(rule, instant):
                fired.append(instant)
                break
    return fired


def walk_days(rule: Rule, after: int, count: int, days: int) -> list[int]:
    """Return the first *count* instants later than *after* at which *rule* fires, within so many days."""
    found: set[int] = set()
    first = wall_clock(rule.zone, after).date() - timedelta(days=2)
    day, end = first, first + timedelta(days=days)
    while day < end:
        if rule.months and day.month not in rule.months:
            day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            continue
        if date_matches(rule, day):
            for hour in rule.hours or range(24):
                for minute in rule.minutes or range(60):
                    wall = datetime(day.year, day.month, day.day, hour, minute)
                    if matches(rule, wall):
                        found.update(instants(rule, wall))
            found = {at for at in found if at > after and within_limits(rule, at)}
            if len(found) >= count:
                # Clocks that are set back may still put others in between.
                end = min(end, day + timedelta(days=3))
        day += timedelta(days=1)
    return sorted(found)[:count]


def instants(rule: Rule, wall: datetime) -> list[int]:
    """Return when the matching wall-clock minute *wall* fires."""
    moments = [wall.replace(tzinfo=ZoneInfo(rule.zone), fold=fold) for fold in (0, 1)]
    shown = sorted(
        {int(at.timestamp()) for at in moments if wall_clock(rule.zone, int(at.timestamp())) == wall}
    )
    if any_hour(rule):
        return shown
    if shown:
        return shown[:1]
    at = min(int(moment.timestamp()) for moment in moments) - 86_400
    while wall_clock(rule.zone, at) < wall:
        at += 60
    return [at]


def compiled(rule: Rule) -> Schedule:
    """Return *rule* as the columns of pga_schedule would be compiled."""
    return compile_schedule(
        flags(rule.minutes, range(60)),
        flags(rule.hours, range(24)),
        flags(rule.weekdays, range(7)),
        flags(rule.monthdays, range(1, 33)),
        flags(rule.months, range(1, 13)),
        rule.start,
        rule.end,
        rule.zone,
        tuple((day_number(on_date), minute_of(at_time)) for on_date, at_time in rule.exceptions),
        only_days=None if rule.only is None else tuple((day - UNIX_DAY).days for day in rule.only),
    )


def flags(members: frozenset[int], of: range) -> str:
    """Return a bool[] column as PostgreSQL writes it."""
    return "{" + ",".join("t" if number in members else "f" for number in of) + "}"


def day_number(on_date: date | None) -> int | None:
    """Return *on_date* in days since 1970-01-01."""
    return None if on_date is None else (on_date - UNIX_DAY).days


def minute_of(at_time: time | None) -> int | None:
    """Return *at_time* in minutes since midnight."""
    return None if at_time is None else at_time.hour * 60 + at_time.minute


@cache
def zone(name: str) -> Zone:
    """Return the zone *name* with the offsets of Python's time zone database."""

    def offset(instant: int) -> int:
        moment = EPOCH + timedelta(seconds=min(max(instant, -62_135_500_000), 253_402_200_000))
        shift = moment.astimezone(ZoneInfo(name)).utcoffset()
        assert shift is not None
        return int(shift.total_seconds())

    def changes(low: int, high: int) -> Iterator[tuple[int, int]]:
        yield low, offset(low)
        for day in range(low, high, 86_400):
            before, after = day, min(day + 86_400, high)
            if offset(before) != offset(after):
                while after - before > 1:
                    middle = (before + after) // 2
                    if offset(middle) == offset(before):
                        before = middle
                    else:
                        after = middle
                yield after, offset(after)

    return Zone(name, changes)


def instant_of(text: str, zone_name: str = "UTC", fold: int = 0) -> int:
    """Return the instant at which the clock of a zone shows *text*, the second time with *fold* 1."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone_name), fold=fold)
    return int(moment.timestamp())
