"""Next runs of jobs and schedules: reads the rules from the tables, asks schedule.py when they fire.

All times are epoch seconds (UTC, float), whatever the session's TimeZone and DateStyle are.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .plan import run
from .schedule import Schedule, compile_schedule, merge_runs
from .schedule import next_run as next_firing
from .zones import Zone, get_zone

Rule = tuple[Schedule, Zone]

# Which rows a rule is made of, cheaply: ctid and xmin name one version of a row, so a rule once read in a session need not
# be read, nor its 135 flags be converted, again. A rule that hangs on rows of other tables too is read whole each time.
FIND_RULES = """
SELECT s.jscjobid, s.jscid, s.ctid AS s_ctid, s.xmin AS s_xmin, o.ctid AS o_ctid, o.xmin AS o_xmin,
       (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone') AS default_zone,
       EXISTS (SELECT FROM pgagent.pga_exception e WHERE e.jexscid = s.jscid) AS varies
  FROM pgagent.pga_schedule s
  LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid
 WHERE s.jscjobid = ANY ($1) AND s.jscenabled
"""
READ_RULES = "SELECT r.* FROM pgagent_py.schedule_rule r WHERE r.jscid = ANY ($1)"
# What the role that asks may see.
READ_SCHEDULE = "SELECT r.* FROM pgagent_py.visible_schedule_rule r WHERE r.jscid = $1"
READ_JOB = "SELECT r.* FROM pgagent_py.visible_schedule_rule r WHERE r.jscjobid = $1 AND r.jscenabled"

_CACHE_SIZE = 4096
_rules: OrderedDict[tuple[Any, ...], Rule] = OrderedDict()


def rules_of_jobs(plpy: Any, jobids: Sequence[int]) -> dict[int, list[Rule]]:
    """Return the rules of each job's enabled schedules."""
    rules: dict[int, list[Rule]] = {jobid: [] for jobid in jobids}
    unread: dict[int, tuple[Any, ...] | None] = {}
    for row in run(plpy, FIND_RULES, ["int4[]"], [jobids]):
        key = None if row["varies"] else tuple(row.values())
        rule = _rules.get(key) if key else None
        if rule is None:
            unread[row["jscid"]] = key
        else:
            rules[row["jscjobid"]].append(rule)
    if unread:
        for row in run(plpy, READ_RULES, ["int4[]"], [list(unread)]):
            rule = _rule(plpy, row)
            rules[row["jscjobid"]].append(rule)
            _remember(unread[row["jscid"]], rule)
    return rules


def _remember(key: tuple[Any, ...] | None, rule: Rule) -> None:
    if key:
        _rules[key] = rule
        if len(_rules) > _CACHE_SIZE:
            _rules.popitem(last=False)


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
        row["jscstart"],
        row["jscend"],
        row["jsctimezone"],
        exceptions,
    )
    return schedule, zone


def earliest(rules: Iterable[Rule], after: float) -> float | None:
    """Return the first firing of any of *rules* later than *after*, None when there is none."""
    firings = [next_firing(schedule, zone, after) for schedule, zone in rules]
    return min((firing for firing in firings if firing is not None), default=None)


def next_runs_of_jobs(plpy: Any, jobids: Sequence[int]) -> list[float]:
    """Return the next run of each job from now on, infinity for a job that has none.

    "Now" is the clock, not the transaction's start: what fell due in between is not owed.
    """
    after = time.time()
    rules = rules_of_jobs(plpy, jobids)
    found = (earliest(rules[jobid], after) for jobid in jobids)
    return [float("inf") if firing is None else firing for firing in found]


def set_next_run(plpy: Any, td: dict[str, Any]) -> str:
    """Set jobnextrun of the pga_job row that is being updated (trigger pga_job_next_run); infinity stands for none."""
    (firing,) = next_runs_of_jobs(plpy, [td["new"]["jobid"]])
    td["new"] = {"jobnextrun": timestamp(firing)}  # the other columns need not be converted back
    return "MODIFY"


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
    return [timestamp(firing) for firing in merge_runs(rules, after, count)]
