"""Adding and changing schedules. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..ground.bounds import check_count
from ..ground.checks import check_job, check_name, check_schedule, not_blank
from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import SETS
from ..rules.zones import check_zone
from .calendars import attach_calendar
from .cron import REBOOT, is_reboot
from .options import (
    BOOLEAN,
    FLAGS,
    INSTANT,
    INTEGER,
    INTEGERS,
    INTERVAL,
    TEXT,
    Column,
    Columns,
    Kind,
    New,
    Options,
    Values,
    checked,
    insert,
)
from .schedule_days import (
    Days,
    check_numbers,
    check_recurs,
    check_roll,
    read_days,
    settle,
    superset,
)
from .schedule_ways import check_one_way, key_of_new, key_of_schedule, schedule_ways
from .settings import not_too_long

# In an array of a set, which has 60 at most, each once.
MOST_NUMBERS = 1000


def flags(plpy: Plpy, argument: str, numbers: Sequence[int]) -> list[bool]:
    """Return the array of flags for the set *argument* of *numbers*."""
    if argument == "monthdays":
        numbers = superset(Days(monthdays=check_numbers(plpy, argument, numbers)))
    first, last = SETS[argument]
    if len(numbers) > MOST_NUMBERS:
        raise invalid(
            argument, f"{argument} has {len(numbers)} numbers", f"Give each from {first} to {last} once."
        )
    for number in numbers:
        if not isinstance(number, int) or not first <= number <= last:
            shown = "NULL" if number is None else number
            raise invalid(argument, f"{argument} can't be {shown}", f"Give numbers from {first} to {last}.")
    return flags_of(argument, numbers)


def flags_of(argument: str, numbers: Sequence[int]) -> list[bool]:
    """Return the array of flags for the set *argument* of *numbers*."""
    first, last = SETS[argument]
    return [number in numbers for number in range(first, last + 1)]


def check_timezone(plpy: Plpy, argument: str, name: str) -> str:
    """Refuse a time zone that the server does not know; '' takes one away."""
    check_zone(plpy, name or None, argument)
    return name


# Months and years have no fixed length; the rule counts whole seconds.
READ_EVERY = Statement(
    """
    SELECT extract(year FROM $1) <> 0 OR extract(month FROM $1) <> 0 AS months,
           extract(epoch FROM $1) < 1 AND $1 <> interval '0' OR extract(epoch FROM $1) % 1 <> 0 AS uneven""",
    "interval",
)


def check_every(plpy: Plpy, argument: str, every: str) -> str:
    """Refuse an interval that schedules can't count; 0 takes one away."""
    (read,) = READ_EVERY(plpy, every)
    if read["months"]:
        hint = "Give days or less, or cron."
        raise invalid("every", f"every can't be {every}: months have no fixed length", hint)
    if read["uneven"]:
        raise invalid("every", f"every can't be {every}", WHOLE_SECONDS)
    return not_too_long(plpy, "every", every)


def check_spread(plpy: Plpy, argument: str, spread: str) -> str:
    """Refuse an interval that is no number of whole seconds; 0 takes one away."""
    (read,) = READ_EVERY(plpy, spread)
    if read["months"] or read["uneven"]:
        raise invalid("spread", f"spread can't be {spread}", WHOLE_SECONDS)
    return not_too_long(plpy, "spread", spread)


WHOLE_SECONDS = "Give whole seconds, one or more."

IS_PAST = Statement("SELECT $1 <= now() AS past", "timestamptz")


def check_at(plpy: Plpy, argument: str, at: str) -> str:
    """Refuse an instant that is past; infinity takes one away."""
    if IS_PAST(plpy, at)[0]["past"]:
        raise invalid("at", f"at {at} is in the past", "Give a later time, or use run_now.")
    return at


SCHEDULE = Columns(
    "pgagent.pga_schedule",
    "jscid",
    Column("jscjobid", INTEGER),
    Column("jscname", TEXT, "name", not_blank),
    Column("jscdesc", TEXT, "description"),
    Column("jscenabled", BOOLEAN, "enabled"),
    Column("jscstart", INSTANT, "start"),
    Column("jscend", INSTANT, "end", optional=True),
    *(Column(f"jsc{argument}", FLAGS, argument, flags) for argument in SETS),
)
OPTIONS = Options(
    "pgagent_py.schedule_option",
    "jscid",
    Column("jsctimezone", TEXT, "timezone", check_timezone, optional=True),
    Column("jscevery", INTERVAL, "every", check_every, optional=True),
    Column("jscat", INSTANT, "at", check_at, optional=True),
    Column("jscreboot", BOOLEAN),
    Column("jscdays", Kind("int4[]", nothing="'{0}'"), optional=True),
    Column("jscnth", INTEGERS, "nth", check_numbers, optional=True),
    Column("jscworkdays", INTEGERS, "workdays", check_numbers, optional=True),
    Column("jscroll", TEXT, "roll", check_roll, optional=True),
    Column("jscrecurs", TEXT, "recurs", check_recurs, optional=True),
    Column("jscspread", INTERVAL, "spread", check_spread, optional=True),
)


def add_schedule(
    plpy: Plpy,
    caller: str,
    job: int | None = None,
    name: str | None = None,
    cron: str | None = None,
    rrule: str | None = None,
    **given: Any,
) -> list[int]:
    """Add a schedule to *job*, by cron, the five sets, every or at; return its id, or two where cron's days mean either-or."""
    check_name(name)
    check_job(plpy, job)
    given |= {"key": lambda: key_of_new(plpy, job, str(name))}
    ids = []
    for new, calendars in new_schedules(plpy, name, cron, rrule, given):
        new.values["jscjobid"] = job
        schedule = insert(plpy, new)
        for calendar, only in calendars:
            attach_calendar(plpy, caller, schedule, calendar, only)
        ids.append(schedule)
    check_count(plpy, job, schedules=len(ids))
    return ids


def new_schedules(
    plpy: Plpy, name: str | None, cron: str | None, rrule: str | None, given: Values
) -> Iterator[tuple[New, list[tuple[str, bool]]]]:
    """Return the rows of the new schedules that are asked for, each with its calendars; *given* as for schedule_ways()."""
    check_one_way(cron, given, rrule)
    _check_something(plpy, given)
    _notice_every(plpy, given)
    for way in schedule_ways(plpy, None, cron, rrule, given):
        calendars = way.pop("calendars", [])
        _check_range(plpy, way.get("start"), way.get("end"))
        values, options = checked(plpy, way, SCHEDULE, OPTIONS)
        if cron is not None and is_reboot(cron):
            options["jscreboot"] = True
        _settle_days(plpy, Days(), _special("", options), way, values, options)
        parts = (New(OPTIONS, options, "jscid"),) if OPTIONS.given(options) else ()
        yield New(SCHEDULE, values | {"jscname": name}, parts=parts), calendars


FIND_RANGE = Statement(
    "SELECT s.jscstart::text AS jscstart, s.jscend::text AS jscend FROM pgagent.pga_schedule s WHERE s.jscid = $1",
    "int4",
)


def alter_schedule(
    plpy: Plpy,
    caller: str,
    schedule: int | None = None,
    cron: str | None = None,
    rrule: str | None = None,
    **given: Any,
) -> None:
    """Change what is given of *schedule*; the next run of its job follows. Of cron, every and at, one takes the others' place."""
    check_schedule(plpy, schedule)
    check_one_way(cron, given, rrule)
    key = {"key": lambda: key_of_schedule(plpy, schedule, given.get("name"))}
    way, *more = schedule_ways(plpy, schedule, cron, rrule, given | key)
    if more:
        said = "cron" if cron is not None else "rrule"
        raise invalid(
            said, f"{said} takes {1 + len(more)} schedules", "Add a schedule for each of the others."
        )
    calendars = way.pop("calendars", [])
    values, options = checked(plpy, way, SCHEDULE, OPTIONS)
    before = read_days(plpy, schedule)
    if cron is not None or rrule is not None or any(are_set(plpy, given).values()):
        reboot = cron is not None and is_reboot(cron)
        options = {"jscevery": "0", "jscat": "infinity", "jscreboot": reboot} | options
    _notice_every(plpy, given)
    _settle_days(plpy, before, _special(before.special, options), way, values, options)
    SCHEDULE.write(plpy, schedule, values)
    if "jscstart" in values or "jscend" in values:
        (now,) = FIND_RANGE(plpy, schedule)
        _check_range(plpy, now["jscstart"], now["jscend"])
    OPTIONS.write(plpy, schedule, options)
    for calendar, only in calendars:
        attach_calendar(plpy, caller, schedule, calendar, only)


def _special(before: str, options: Values) -> str:
    """Return what will make the schedule one without days."""
    reboot = options.get("jscreboot", before == REBOOT)
    at = options["jscat"] != "infinity" if "jscat" in options else before == "at"
    return REBOOT if reboot else "at" if at else ""


def _settle_days(
    plpy: Plpy, before: Days, special: str, given: Mapping[str, Any], values: Values, options: Values
) -> None:
    """Check how the days of a schedule go together; add to *values* and *options* what holds them."""
    new = {name: value for name in Days._fields if (value := given.get(name)) is not None}
    if "recurs" in new:
        new["recurs"] = options["jscrecurs"]
    if "spread" in new and not are_set(plpy, {"every": new["spread"]})["every"]:
        new["spread"] = ""
    monthdays = settle(plpy, before, new | {"special": special}, options)
    if monthdays is not None:
        values["jscmonthdays"] = flags_of("monthdays", monthdays)


# Nothing shorter is mistaken for a rule of days.
LONG_EVERY = Statement("SELECT coalesce($1 >= interval '7 days', false) AS long", "interval")
EVERY_NOTICE = "every {} is elapsed time, so its time of day moves when clocks change; recurs, such as '2 weeks', keeps it"


def _notice_every(plpy: Plpy, given: Mapping[str, Any]) -> None:
    if given.get("every") is not None and LONG_EVERY(plpy, given["every"])[0]["long"]:
        plpy.notice(EVERY_NOTICE.format(given["every"]))


ARE_SET = Statement(
    "SELECT coalesce($1 <> '0', false) AS every, coalesce($2 <> 'infinity', false) AS at",
    "interval",
    "timestamptz",
)


def are_set(plpy: Plpy, given: Mapping[str, Any]) -> Mapping[str, bool]:
    """Return whether every and at are given, and are not what takes them away."""
    every, at = given.get("every"), given.get("at")
    return {"every": False, "at": False} if every is None and at is None else ARE_SET(plpy, every, at)[0]


def _check_something(plpy: Plpy, given: Mapping[str, Any]) -> None:
    """Refuse what takes an option away: a new schedule has none."""
    if given.get("timezone") == "":
        check_zone(plpy, "")
    given_ways = are_set(plpy, given)
    if given.get("every") is not None and not given_ways["every"]:
        raise invalid("every", f"every can't be {given['every']}", WHOLE_SECONDS)
    if given.get("at") is not None and not given_ways["at"]:
        raise invalid("at", f"at can't be {given['at']}", "Give the time at which it is to fire.")


IS_REVERSED = Statement("SELECT $2 < coalesce($1, now()) AS reversed", "timestamptz", "timestamptz")


def _check_range(plpy: Plpy, start: str | None, end: str | None) -> None:
    if end is not None and IS_REVERSED(plpy, start, end)[0]["reversed"]:
        hint = "Give an end that is later than start."
        raise invalid("end", f"end {end} is before start {start or 'now'}", hint)
