"""Adding and changing schedules. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.checks import check_job, check_name, check_schedule
from ..ground.errors import invalid
from ..ground.plan import run
from ..ground.vocabulary import SETS
from ..rules.zones import check_zone
from .cron import is_reboot, parse_cron

INSERT_SCHEDULE = """
INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths,
                                  jscstart, jscend, jscenabled, jscdesc)
VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()), $9, coalesce($10, true), coalesce($11, ''))
RETURNING jscid"""

# NULL leaves as it is; what takes an option away: '' a time zone, 0 an interval, infinity an instant.
SET_OPTIONS = """
INSERT INTO pgagent_py.schedule_option AS o (jscid, jsctimezone, jscevery, jscat, jscreboot)
VALUES ($1, nullif($2, ''), nullif($3, interval '0'), nullif($4, 'infinity'), coalesce($5, false))
    ON CONFLICT (jscid) DO UPDATE
   SET jsctimezone = CASE WHEN $2 IS NULL THEN o.jsctimezone ELSE excluded.jsctimezone END,
       jscevery = CASE WHEN $3 IS NULL THEN o.jscevery ELSE excluded.jscevery END,
       jscat = CASE WHEN $4 IS NULL THEN o.jscat ELSE excluded.jscat END,
       jscreboot = coalesce($5, o.jscreboot)"""

ALTER_SCHEDULE = """
UPDATE pgagent.pga_schedule
   SET jscname = coalesce($2, jscname), jscenabled = coalesce($3, jscenabled), jscdesc = coalesce($4, jscdesc),
       jscstart = coalesce($5, jscstart), jscend = CASE WHEN $6 IS NULL THEN jscend ELSE nullif($6, 'infinity') END,
       jscminutes = coalesce($7, jscminutes), jschours = coalesce($8, jschours), jscweekdays = coalesce($9, jscweekdays),
       jscmonthdays = coalesce($10, jscmonthdays), jscmonths = coalesce($11, jscmonths)
 WHERE jscid = $1"""


def add_schedule(
    plpy: Any,
    caller: str,
    job: int | None = None,
    name: str | None = None,
    cron: str | None = None,
    start: str | None = None,
    end: str | None = None,
    timezone: str | None = None,
    enabled: bool | None = None,
    description: str | None = None,
    every: str | None = None,
    at: str | None = None,
    **sets: Sequence[int] | None,
) -> list[int]:
    """Add a schedule to *job*, by cron, the five sets, every or at; return its id, or two where cron's days mean either-or."""
    check_name(name)
    check_job(plpy, job)
    check_zone(plpy, timezone)
    _check_one_way(cron, every, at, sets)
    _check_range(plpy, start, end)
    if every is not None and not check_every(plpy, every):
        raise invalid("every", f"every can't be {every}", "Give whole seconds, one or more.")
    if at is not None and not _check_at(plpy, at):
        raise invalid("at", f"at can't be {at}", "Give the time at which it is to fire.")
    reboot = cron is not None and is_reboot(cron)
    ids = []
    for flags in _flags(None if reboot else cron, sets):
        types = ["int4", "text", *["bool[]"] * 5, "timestamptz", "timestamptz", "bool", "text"]
        (row,) = run(plpy, INSERT_SCHEDULE, types, [job, name, *flags, start, end, enabled, description])
        ids.append(row["jscid"])
        if timezone or every or at or reboot:
            _set_options(plpy, row["jscid"], timezone, every, at, reboot)
    return ids


def alter_schedule(
    plpy: Any,
    caller: str,
    schedule: int | None = None,
    name: str | None = None,
    cron: str | None = None,
    start: str | None = None,
    end: str | None = None,
    timezone: str | None = None,
    enabled: bool | None = None,
    description: str | None = None,
    every: str | None = None,
    at: str | None = None,
    **sets: Sequence[int] | None,
) -> None:
    """Change what is given of *schedule*; the next run of its job follows. Of cron, every and at, one takes the others' place."""
    check_schedule(plpy, schedule)
    if name is not None:
        check_name(name)
    check_zone(plpy, timezone or None)
    _check_one_way(cron, every, at, sets)
    reboot = None if cron is None else is_reboot(cron)
    if check_every(plpy, every) | _check_at(plpy, at) | (cron is not None):
        every, at, reboot = every or "0", at or "infinity", bool(reboot)
    flags: list[list[bool] | None] = [None] * len(SETS)
    if cron is not None or any(value is not None for value in sets.values()):
        ways = _flags(None if reboot else cron, sets)
        if len(ways) > 1:
            raise invalid(
                "cron", "cron restricts both day fields, which takes two schedules", "Add a second schedule."
            )
        flags = [
            flag if cron or sets.get(key) is not None else None
            for key, flag in zip(SETS, ways[0], strict=True)
        ]
    types = ["int4", "text", "bool", "text", "timestamptz", "timestamptz", *["bool[]"] * 5]
    run(plpy, ALTER_SCHEDULE, types, [schedule, name, enabled, description, start, end, *flags])
    if start is not None or end is not None:
        find = (
            "SELECT s.jscstart::text AS s, s.jscend::text AS e FROM pgagent.pga_schedule s WHERE s.jscid = $1"
        )
        (row,) = run(plpy, find, ["int4"], [schedule])
        _check_range(plpy, row["s"], row["e"])
    if any(value is not None for value in (timezone, every, at, reboot)):
        _set_options(plpy, schedule, timezone, every, at, reboot)


def _set_options(
    plpy: Any,
    schedule: int | None,
    timezone: str | None,
    every: str | None,
    at: str | None,
    reboot: bool | None,
) -> None:
    types = ["int4", "text", "interval", "timestamptz", "bool"]
    run(plpy, SET_OPTIONS, types, [schedule, timezone, every, at, reboot])


def _flags(cron: str | None, sets: Mapping[str, Sequence[int] | None]) -> list[list[list[bool]]]:
    """Return the five arrays of flags of each schedule that is asked for."""
    if cron is None:
        given = [{argument: _check_set(argument, sets.get(argument)) for argument in SETS}]
    else:
        given = [{argument: getattr(parsed, argument) for argument in SETS} for parsed in parse_cron(cron)]
    return [
        [[n in numbers[argument] for n in range(first, last + 1)] for argument, (first, last) in SETS.items()]
        for numbers in given
    ]


def _check_one_way(
    cron: str | None, every: str | None, at: str | None, sets: Mapping[str, Sequence[int] | None]
) -> None:
    ways = [name for name, value in (("cron", cron), ("every", every), ("at", at)) if value is not None]
    if len(ways) > 1:
        raise invalid(ways[1], f"both {ways[0]} and {ways[1]} are given", "Give one of cron, every and at.")
    for argument, value in sets.items():
        if argument not in SETS:
            raise invalid(
                argument, f"{argument} is no argument of a schedule", "Look at \\df+ pgagent_py.add_schedule."
            )
        if value is not None and cron is not None:
            raise invalid(argument, f"both cron and {argument} are given", "Give cron, or the five sets.")


def _check_set(argument: str, numbers: Sequence[int] | None) -> Sequence[int]:
    first, last = SETS[argument]
    for number in numbers or ():
        if not isinstance(number, int) or not first <= number <= last:
            shown = "NULL" if number is None else number
            raise invalid(argument, f"{argument} can't be {shown}", f"Give numbers from {first} to {last}.")
    return numbers or ()


def _check_range(plpy: Any, start: str | None, end: str | None) -> None:
    check = "SELECT $2 < coalesce($1, now()) AS reversed"
    if run(plpy, check, ["timestamptz", "timestamptz"], [start, end])[0]["reversed"]:
        raise invalid(
            "end", f"end {end} is before start {start or 'now'}", "Give an end that is later than start."
        )


def check_every(plpy: Any, every: str | None) -> bool:
    """Return whether an interval is given, not the 0 that takes one away.

    Months and years have no fixed length; the rule counts whole seconds.
    """
    if every is None:
        return False
    check = """
        SELECT extract(year FROM $1) <> 0 OR extract(month FROM $1) <> 0 AS months, $1 <> interval '0' AS given,
               extract(epoch FROM $1) < 1 AND $1 <> interval '0' OR extract(epoch FROM $1) % 1 <> 0 AS uneven"""
    (row,) = run(plpy, check, ["interval"], [every])
    if row["months"]:
        raise invalid(
            "every", f"every can't be {every}: months have no fixed length", "Give days or less, or cron."
        )
    if row["uneven"]:
        raise invalid("every", f"every can't be {every}", "Give whole seconds, one or more.")
    return bool(row["given"])


def _check_at(plpy: Any, at: str | None) -> bool:
    """Return whether an instant is given, not the infinity that takes one away."""
    if at is None:
        return False
    (row,) = run(plpy, "SELECT $1 <= now() AS past, $1 <> 'infinity' AS given", ["timestamptz"], [at])
    if row["past"]:
        raise invalid("at", f"at {at} is in the past", "Give a later time, or use run_now.")
    return bool(row["given"])
