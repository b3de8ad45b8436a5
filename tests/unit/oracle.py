"""When a rule fires, found out by walking over every minute: slow, and too simple to be wrong.

It shares nothing with plpython.schedule: plain sets, datetime, and Python's own time zone database.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from plpython.schedule import Schedule, compile_schedule
from plpython.zones import Zone

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


def matches(rule: Rule, wall: datetime) -> bool:
    """Return whether the five sets and the exceptions let the wall-clock minute *wall* (naive) fire."""
    last = (wall + timedelta(days=1)).month != wall.month
    return (
        (not rule.minutes or wall.minute in rule.minutes)
        and (not rule.hours or wall.hour in rule.hours)
        and (not rule.weekdays or wall.isoweekday() % 7 in rule.weekdays)
        and (not rule.monthdays or wall.day in rule.monthdays or (last and 32 in rule.monthdays))
        and (not rule.months or wall.month in rule.months)
        and not any(blocks(exception, wall) for exception in rule.exceptions)
    )


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
    """Return whether *instant* lies between start, counted from its minute, and end."""
    if rule.start is not None and instant < rule.start:
        wall = wall_clock(rule.zone, instant)
        if wall != wall_clock(rule.zone, int(rule.start // 1)).replace(second=0):
            return False
    return rule.end is None or instant <= rule.end


def wall_clock(zone: str, instant: int) -> datetime:
    """Return what the clock of *zone* shows at *instant* (epoch seconds), without a zone."""
    return (EPOCH + timedelta(seconds=instant)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def clock_minutes(zone: str, begin: int, count: int) -> list[tuple[int, list[datetime]]]:
    """Return, for each of *count* real minutes from instant *begin* on, the instant and its new wall minutes.

    The last of them is what the clock shows; others come before it if the clock has just jumped over
    them; there is none if the clock shows again what it has shown before.
    """
    highest = max(wall_clock(zone, begin - minute * 60) for minute in range(1, 2 * 1440))
    walked = []
    for instant in range(begin, begin + count * 60, 60):
        wall = wall_clock(zone, instant)
        new = []
        while highest < wall:
            highest += MINUTE
            new.append(highest)
        walked.append((instant, new))
    return walked


def walk(rule: Rule, begin: int, count: int) -> list[int]:
    """Return the instants at which *rule* fires within *count* minutes from *begin*, a whole minute."""
    fired = []
    for instant, new in clock_minutes(rule.zone, begin, count):
        walls = [wall_clock(rule.zone, instant)] if any_hour(rule) else new
        if any(matches(rule, wall) for wall in walls) and within_limits(rule, instant):
            fired.append(instant)
    return fired


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


def without(rule: Rule, **changes: object) -> Rule:
    """Return *rule* with other values for some of its fields."""
    return replace(rule, **changes)  # type: ignore[arg-type]
