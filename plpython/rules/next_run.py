"""Next runs of jobs and schedules: reads the rules from the tables, asks schedule.py when they fire.

All times are epoch seconds (UTC, float), whatever the session's TimeZone and DateStyle are.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

from ..ground.plan import run
from .clock import now_or_last_run
from .schedule import NextRun, Schedule, compile_schedule, merge_runs
from .schedule import next_run as next_firing
from .zones import Zone, get_zone

Rule = tuple[Schedule, Zone]
Kept = TypeVar("Kept")

READ_RULE = "SELECT r.* FROM pgagent_py.schedule_rule r WHERE r.jscid = $1"
# What the role that asks may see.
READ_SCHEDULE = "SELECT r.* FROM pgagent_py.visible_schedule_rule r WHERE r.jscid = $1"
READ_JOB = "SELECT r.* FROM pgagent_py.visible_schedule_rule r WHERE r.jscjobid = $1 AND r.jscenabled"

# The enabled schedules of some jobs with their versions, as the trigger gives them to firing().
READ_JOBS = """
SELECT r.*, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone
  FROM pgagent_py.schedule_version v JOIN pgagent_py.schedule_rule r ON r.jscid = v.jscid
 WHERE v.jscjobid = ANY ($1) AND v.jscenabled AND NOT v.exceptions AND NOT r.varies"""

NEVER = float("inf")
# As the trigger names it.
VERSION = ("s_ctid", "s_xmin", "s_cmin", "options", "default_zone")
PAGE = 1000
HEED_EVERY = 0.02  # seconds
_CACHE_SIZE = 20_000  # about 1 KiB each
# By jscid: the version of the rows that the rule was read from, the rule, and a span: asked from (its first) on and before
# (its second), the answer is the second. What has been there longest goes first.
_rules: dict[int, tuple[Hashable, Rule, float, float]] = {}
_read_jobs: dict[int, None] = {}  # jobs whose rules have been read in one go


def firing(plpy: Any, jscid: int, version: Hashable, exceptions: bool, last_run: float | None) -> float:
    """Return when a schedule fires next, infinity when never; *version* names the rows that its rule was read from.

    From now on means from the clock, not from the transaction's start: what fell due in between is not owed.
    """
    now = now_or_last_run(last_run)
    known = None if exceptions else _rules.get(jscid)
    if known and known[0] == version:
        if known[2] <= now < known[3]:
            return known[3]
        rule, varies = known[1], False
    else:
        (row,) = run(plpy, READ_RULE, ["int4"], [jscid])
        rule, varies = _rule(plpy, row), row["varies"]
    found = next_firing(*rule, now)
    next_ = NEVER if found is None else found
    if not varies:  # what it hangs on besides would not show in the version
        _keep(_rules, jscid, (version, rule, now, next_))
    return next_


def read_rules(plpy: Any, jobids: Sequence[int]) -> None:
    """Read the rules of jobs that will need their next runs, in one go those that this session has never seen.

    Nothing hangs on it but speed: one by one, the trigger would have each read when it asks for it.
    """
    new = [jobid for jobid in jobids if jobid not in _read_jobs]
    if len(new) < 2:
        return
    for row in run(plpy, READ_JOBS, ["int4[]"], [new]):
        version = tuple(row[column] for column in VERSION)
        _keep(_rules, row["jscid"], (version, _rule(plpy, row), NEVER, NEVER))
    for jobid in new:
        _keep(_read_jobs, jobid, None)


def _keep(cache: dict[int, Kept], key: int, value: Kept) -> None:
    if len(cache) >= _CACHE_SIZE and key not in cache:
        del cache[next(iter(cache))]
    cache[key] = value


def _rule(plpy: Any, row: Mapping[str, Any]) -> Rule:
    """Compile a row of the view schedule_rule."""
    zone = get_zone(plpy, row["jsctimezone"])
    exceptions = tuple(zip(row["exception_days"] or (), row["exception_minutes"] or (), strict=True))
    schedule = compile_schedule(
        row["jscminutes"],
        row["jschours"],
        row["jscweekdays"],
        row["jscmonthdays"],
        row["jscmonths"],
        NEVER if row["jscreboot"] else row["jscstart"],  # what a launcher's start sets off fires at no time
        row["jscend"],
        row["jsctimezone"],
        exceptions,
        row["jscevery"],
        row["jscat"],
        tuple(row["blocked_days"] or ()),
        None if row["only_days"] is None else tuple(row["only_days"]),
    )
    return schedule, zone


def timestamp(epoch: float) -> str:
    """Return *epoch* as timestamptz text that every DateStyle reads alike, of any year."""
    if epoch == float("inf"):
        return "infinity"
    days, seconds = divmod(epoch, 86400)
    return f"J{int(days) + 2440588} {int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{seconds % 60:09.6f}+00"


def next_run(plpy: Any, schedule: int, after: float) -> str | None:
    """Return when *schedule*, which exists, fires first, strictly later than *after*; None when it never does."""
    (row,) = run(plpy, READ_SCHEDULE, ["int4"], [schedule])
    firing = next_firing(*_rule(plpy, row), after)
    return None if firing is None else timestamp(firing)


def next_runs(plpy: Any, job: int, count: int, after: float) -> list[str]:
    """Return the next *count* runs of *job* later than *after*: its enabled schedules merged, without repeats."""
    rules = [_rule(plpy, row) for row in run(plpy, READ_JOB, ["int4"], [job])]
    find = _heeding_cancels(plpy)
    runs: list[str] = []
    while len(runs) < count:
        page = merge_runs(rules, after, min(PAGE, count - len(runs)), find)
        runs += map(timestamp, page)
        if len(page) < PAGE:
            break
        after = page[-1]
    return runs


def _heeding_cancels(plpy: Any) -> NextRun:
    """Return next_firing that goes by the server now and then: Python alone would not notice a cancel or a timeout."""
    heeded = time.monotonic()

    def find(schedule: Schedule, zone: Zone, after: float) -> int | float | None:
        nonlocal heeded
        if time.monotonic() > heeded + HEED_EVERY:
            run(plpy, "SELECT")
            heeded = time.monotonic()
        return next_firing(schedule, zone, after)

    return find
