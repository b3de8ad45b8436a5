"""Compiles the rows of the view schedule_rule."""

from __future__ import annotations

from typing import TypedDict, TypeVar

from ..ground.plpy import Plpy
from .day_rules import SATURDAY_AND_SUNDAY, DayRule, Recurs
from .kept_rules import Rule, Version
from .schedule import MICRO, Instant, compile_schedule, in_seconds
from .spread import key_of
from .zones import Zone, get_zone

T = TypeVar("T")

NEVER = float("inf")


class RuleRow(TypedDict):
    """A row of the view schedule_rule."""

    jscid: int
    jscjobid: int
    jscenabled: bool
    jscminutes: str
    jschours: str
    jscweekdays: str
    jscmonthdays: str
    jscmonths: str
    jscstart: float
    jscend: float | None
    jsctimezone: str
    jscevery: int | None
    jscat: float | None
    jscreboot: bool
    exception_days: list[int | None] | None
    exception_minutes: list[int | None] | None
    blocked_days: list[int] | None
    only_days: list[int] | None
    varies: bool
    start_micros: int | None
    end_micros: int | None
    at_micros: int | None
    days: list[int] | None
    nth: list[int] | None
    workdays: list[int] | None
    roll: str | None
    recurs: str | None
    weekend: list[int] | None
    spread: int | None
    jscname: str | None
    jobname: str | None


class VersionedRuleRow(RuleRow, Version):
    """A row of the view schedule_rule with its version."""


def rule_of(plpy: Plpy, row: RuleRow) -> Rule:
    """Compile a row of the view schedule_rule."""
    zone = get_zone(plpy, row["jsctimezone"])
    exceptions = tuple(zip(row["exception_days"] or (), row["exception_minutes"] or ()))
    schedule = compile_schedule(
        row["jscminutes"],
        row["jschours"],
        row["jscweekdays"],
        row["jscmonthdays"],
        row["jscmonths"],
        NEVER
        if row["jscreboot"]
        else exact(row["start_micros"], row["jscstart"]),  # what a launcher's start sets off fires at no time
        exact(row["end_micros"], row["jscend"]),
        row["jsctimezone"],
        exceptions,
        row["jscevery"],
        exact(row["at_micros"], row["jscat"]),
        tuple(row["blocked_days"] or ()),
        None if row["only_days"] is None else tuple(row["only_days"]),
        _day_rule(row, zone),
        key_of(row["jobname"] or "", row["jscname"] or "") % row["spread"] if row["spread"] else 0,
    )
    return schedule, zone


def _day_rule(row: RuleRow, zone: Zone) -> DayRule | None:
    """Return what a schedule's options say of its days, None if nothing."""
    if not (row["days"] or row["nth"] or row["workdays"] or row["roll"] or row["recurs"]):
        return None
    recurs = None
    if row["recurs"]:
        number, unit = row["recurs"].split()
        start = 0 if row["start_micros"] is None else row["start_micros"] // MICRO
        day = (start + zone.segment(start)[2]) // 86400
        recurs = Recurs(int(number), unit.rstrip("s"), day)
    return DayRule(
        tuple(row["days"]) if row["days"] else None,
        tuple(row["nth"] or ()),
        tuple(row["workdays"] or ()),
        row["roll"] or "",
        recurs,
        SATURDAY_AND_SUNDAY if row["weekend"] is None else tuple(row["weekend"]),
    )


def exact(micros: int | None, otherwise: T) -> Instant | T:
    """Return microseconds as seconds, without loss; *otherwise* if there are none, as of an infinite time."""
    return otherwise if micros is None else in_seconds(micros)
