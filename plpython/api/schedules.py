"""Adding and changing schedules. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ground.bounds import check_count
from ..ground.checks import check_job, check_name, check_schedule, not_blank
from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import SETS
from ..rules.spread import key_of
from ..rules.zones import check_zone
from .cron import REBOOT, both_days, is_reboot, parse_cron
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
    Options,
    Values,
    checked,
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
    **given: Any,
) -> list[int]:
    """Add a schedule to *job*, by cron, the five sets, every or at; return its id, or two where cron's days mean either-or."""
    check_name(name)
    check_job(plpy, job)
    check_one_way(cron, given)
    _check_range(plpy, given.get("start"), given.get("end"))
    _check_something(plpy, given)
    _notice_every(plpy, given)
    ids = []
    for way in _ways(plpy, cron, given, lambda: _key(plpy, job, str(name))):
        values, options = checked(plpy, way, SCHEDULE, OPTIONS)
        if cron is not None and is_reboot(cron):
            options["jscreboot"] = True
        _settle_days(plpy, Days(), _special("", options), way, values, options)
        schedule = SCHEDULE.insert(plpy, values | {"jscjobid": job, "jscname": name})
        OPTIONS.write(plpy, schedule, options)
        ids.append(schedule)
    check_count(plpy, job, "schedules")
    return ids


FIND_RANGE = Statement(
    "SELECT s.jscstart::text AS jscstart, s.jscend::text AS jscend FROM pgagent.pga_schedule s WHERE s.jscid = $1",
    "int4",
)


def alter_schedule(
    plpy: Plpy, caller: str, schedule: int | None = None, cron: str | None = None, **given: Any
) -> None:
    """Change what is given of *schedule*; the next run of its job follows. Of cron, every and at, one takes the others' place."""
    check_schedule(plpy, schedule)
    check_one_way(cron, given)
    way, *more = _ways(plpy, cron, given, lambda: _key_of_schedule(plpy, schedule, given.get("name")))
    if more:
        raise invalid(
            "cron", f"cron takes {1 + len(more)} schedules", "Add a schedule for each of the others."
        )
    values, options = checked(plpy, way, SCHEDULE, OPTIONS)
    before = read_days(plpy, schedule)
    if cron is not None or any(are_set(plpy, given).values()):
        reboot = cron is not None and is_reboot(cron)
        options = {"jscevery": "0", "jscat": "infinity", "jscreboot": reboot} | options
    _notice_every(plpy, given)
    _settle_days(plpy, before, _special(before.special, options), way, values, options)
    SCHEDULE.write(plpy, schedule, values)
    if "jscstart" in values or "jscend" in values:
        (now,) = FIND_RANGE(plpy, schedule)
        _check_range(plpy, now["jscstart"], now["jscend"])
    OPTIONS.write(plpy, schedule, options)


NAME_OF_JOB = Statement("SELECT j.jobname FROM pgagent.pga_job j WHERE j.jobid = $1", "int4")
NAMES = Statement(
    """
SELECT j.jobname, s.jscname FROM pgagent.pga_schedule s JOIN pgagent.pga_job j ON j.jobid = s.jscjobid WHERE s.jscid = $1""",
    "int4",
)


def _key(plpy: Plpy, job: int | None, name: str) -> int:
    """Return what settles H in the cron expression of a new schedule."""
    return key_of(NAME_OF_JOB(plpy, job)[0]["jobname"], name)


def _key_of_schedule(plpy: Plpy, schedule: int | None, name: str | None) -> int:
    """Return the same for a schedule, which may be getting another *name*."""
    (names,) = NAMES(plpy, schedule)
    return key_of(names["jobname"], name or names["jscname"])


def _ways(plpy: Plpy, cron: str | None, given: Mapping[str, Any], key: Callable[[], int]) -> list[Values]:
    """Return the arguments of each schedule that is asked for, with what cron stands for; @reboot stands for empty sets."""
    if cron is None:
        return [dict(given)]
    if said := both_days(cron):
        plpy.notice(said)
    # cron takes the place of all that it could say.
    empty: Values = dict.fromkeys(SETS, ()) | {"nth": (), "workdays": (), "roll": ""}
    rest = {name: value for name, value in given.items() if value is not None}
    ways = [{}] if is_reboot(cron) else [way._asdict() for way in parse_cron(cron, key())]
    return [empty | way | rest for way in ways]


def _special(before: str, options: Values) -> str:
    """Return what will make the schedule one without days."""
    reboot = options.get("jscreboot", before == REBOOT)
    at = options["jscat"] != "infinity" if "jscat" in options else before == "at"
    return REBOOT if reboot else "at" if at else ""


def _settle_days(
    plpy: Plpy, before: Days, special: str, given: Mapping[str, Any], values: Values, options: Values
) -> None:
    """Check how the days of a schedule go together; add to *values* and *options* what holds them."""
    if special and options.get("jscspread"):
        hint = f"Leave spread out: {special} is one time."
        raise invalid("spread", f"spread and {special} do not go together", hint)
    new = {name: value for name in Days._fields if (value := given.get(name)) is not None}
    if "recurs" in new:
        new["recurs"] = options["jscrecurs"]
    monthdays = settle(plpy, before, new | {"special": special}, options)
    if monthdays is not None:
        values["jscmonthdays"] = flags_of("monthdays", monthdays)


# Nothing shorter is mistaken for a rule of days.
LONG_EVERY = Statement("SELECT coalesce($1 >= interval '7 days', false) AS long", "interval")
EVERY_NOTICE = "every {} is elapsed time, so its time of day moves when clocks change; recurs, such as '2 weeks', keeps it"


def _notice_every(plpy: Plpy, given: Mapping[str, Any]) -> None:
    if LONG_EVERY(plpy, given.get("every"))[0]["long"]:
        plpy.notice(EVERY_NOTICE.format(given["every"]))


def check_one_way(cron: str | None, given: Mapping[str, Any]) -> None:
    """Refuse more than one of cron, every and at, and cron beside a set."""
    ways = {"cron": cron, "every": given.get("every"), "at": given.get("at")}
    first, *others = [name for name, value in ways.items() if value is not None] or [""]
    if others:
        hint = "Give one of cron, every and at."
        raise invalid(others[0], f"both {first} and {others[0]} are given", hint)
    for argument in SETS:
        if cron is not None and given.get(argument) is not None:
            raise invalid(argument, f"both cron and {argument} are given", "Give cron, or the five sets.")


ARE_SET = Statement(
    "SELECT coalesce($1 <> '0', false) AS every, coalesce($2 <> 'infinity', false) AS at",
    "interval",
    "timestamptz",
)


def are_set(plpy: Plpy, given: Mapping[str, Any]) -> Mapping[str, bool]:
    """Return whether every and at are given, and are not what takes them away."""
    return ARE_SET(plpy, given.get("every"), given.get("at"))[0]


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
    if IS_REVERSED(plpy, start, end)[0]["reversed"]:
        hint = "Give an end that is later than start."
        raise invalid("end", f"end {end} is before start {start or 'now'}", hint)
