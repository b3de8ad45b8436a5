"""What cron and rrule stand for: the arguments of one or several schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import SETS
from ..rules.spread import key_of
from .cron import both_days, is_reboot, parse_cron
from .options import Values
from .rrule import read_rrule


def check_one_way(cron: str | None, given: Mapping[str, Any], rrule: str | None = None) -> None:
    """Refuse more than one of cron, rrule, every and at, and cron or rrule beside what they say themselves."""
    ways = {"cron": cron, "rrule": rrule, "every": given.get("every"), "at": given.get("at")}
    first, *others = [name for name, value in ways.items() if value is not None] or [""]
    if others:
        hint = "Give one of cron, rrule, every and at."
        raise invalid(others[0], f"both {first} and {others[0]} are given", hint)
    said = {"cron": SETS, "rrule": (*SETS, "nth", "workdays", "recurs")}.get(first, ())
    for argument in said:
        if given.get(argument) is not None:
            hint = f"Give {first}, or the sets and their like."
            raise invalid(argument, f"both {first} and {argument} are given", hint)


NAME_OF_JOB = Statement("SELECT j.jobname FROM pgagent.pga_job j WHERE j.jobid = $1", "int4")
NAMES = Statement(
    """
SELECT j.jobname, s.jscname FROM pgagent.pga_schedule s JOIN pgagent.pga_job j ON j.jobid = s.jscjobid WHERE s.jscid = $1""",
    "int4",
)


def key_of_new(plpy: Plpy, job: int | None, name: str) -> int:
    """Return what settles H in the cron expression of a new schedule."""
    return key_of(NAME_OF_JOB(plpy, job)[0]["jobname"], name)


def key_of_schedule(plpy: Plpy, schedule: int | None, name: str | None) -> int:
    """Return the same for a schedule, which may be getting another *name*."""
    (names,) = NAMES(plpy, schedule)
    return key_of(names["jobname"], name or names["jscname"])


def schedule_ways(
    plpy: Plpy, schedule: int | None, cron: str | None, rrule: str | None, given: Values
) -> list[Values]:
    """Return the arguments of each schedule that is asked for, with what cron or rrule stands for.

    *key* of *given* returns what settles H. @reboot stands for empty sets.
    """
    key = given.pop("key")
    # Each takes the place of all that it could say.
    empty: Values = dict.fromkeys(SETS, ()) | {"nth": (), "workdays": (), "roll": ""}
    rest = {name: value for name, value in given.items() if value is not None}
    if rrule is not None:
        return [empty | {"recurs": ""} | way | rest for way in _read_rrule(plpy, schedule, rrule, given)]
    if cron is None:
        return [given]
    if said := both_days(cron):
        plpy.notice(said)
    ways = [{}] if is_reboot(cron) else [way._asdict() for way in parse_cron(cron, key())]
    for name in ("nth", "workdays", "roll"):
        if rest.get(name) and any(way.get(name) for way in ways):
            raise invalid(
                name,
                f"both cron and {name} are given",
                f"Its letters in cron say {name}, too: leave one out.",
            )
    return [empty | way | rest for way in ways]


# The wall clock of a schedule: $3 its new time zone, $4 its id.
ZONE = """coalesce(nullif($3, ''), (SELECT o.jsctimezone FROM pgagent_py.schedule_option o WHERE o.jscid = $4 AND $3 IS NULL),
                   pgagent_py.default_timezone())"""
ON_WALL = Statement(
    f"""
SELECT ($1 AT TIME ZONE {ZONE})::text AS start, ($2 AT TIME ZONE {ZONE})::text AS until,
       (coalesce($1, (SELECT s.jscstart FROM pgagent.pga_schedule s WHERE s.jscid = $4), now())
        AT TIME ZONE {ZONE})::text AS anchor""",
    "timestamptz",
    "timestamp",
    "text",
    "int4",
)


def _read_rrule(plpy: Plpy, schedule: int | None, rrule: str, given: Values) -> list[Values]:
    """Return the arguments of the schedules that *rrule* stands for; calendars is [(name, only_days)]."""
    zone = given.get("timezone")
    (wall,) = ON_WALL(plpy, given.get("start"), None, zone, schedule)
    start = _read_wall(wall["start"])
    if wall["start"] and start is None:
        raise invalid("start", f"start {given['start']} is too far for rrule", "Give a nearer one.")
    found = read_rrule(rrule, start, _read_wall(wall["anchor"]))
    common: Values = {}
    if found.until is not None:
        if given.get("end") is not None:
            raise invalid("end", "both end and UNTIL of rrule are given", "Give one of them.")
        until = found.until.isoformat(" ")
        in_zone = ON_WALL(plpy, None, until, "UTC" if found.until_utc else zone, schedule)[0]["until"]
        common["end"] = in_zone
    excluded = [(name, False) for name in found.exclude]
    intersected = [(name, True) for name in found.intersect]
    ways: list[Values] = []
    for way in found.ways:
        included = way.pop("only", None)
        calendars = excluded + ([(included, True)] if included else intersected)
        ways.append(common | way | {"calendars": calendars})
    return ways


def _read_wall(text: str | None) -> datetime | None:
    """Return a time of the wall clock; None if there is none that Python can say."""
    try:
        return datetime.fromisoformat(text[:19]) if text else None
    except ValueError:
        return None
