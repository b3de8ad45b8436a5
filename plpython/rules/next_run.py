"""Next runs of jobs and schedules: reads the rules from the tables, asks schedule.py when they fire.

All times are epoch seconds (UTC, float), whatever the session's TimeZone and DateStyle are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Optional

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import forget_problems, is_passing, note_problem
from .cancels import heeding_cancels
from .clock import now_or_last_run
from .kept_rules import Kept, Rule, Version, held, is_read, keep, kept, note_read
from .read_plain import read_plain, read_plain_of
from .rule_row import RuleRow, VersionedRuleRow, rule_of
from .schedule import MICRO, Instant, NextRun, Schedule, in_seconds, merge_runs
from .schedule import next_run as next_firing
from .skipped import Skipped
from .zones import Zone

NEVER = float("inf")
# The values of a Version, as the trigger names them.
SeenVersion = tuple[str, str, str, Optional[str], str]


class ReadRow(RuleRow):
    """A row of the view schedule_rule, and whether a problem of the schedule is noted."""

    noted: bool


READ_RULE = Statement(
    """
SELECT r.*, EXISTS (SELECT FROM pgagent_py.problem p WHERE p.jobid = r.jscjobid AND p.jscid = r.jscid) AS noted
  FROM pgagent_py.schedule_rule r WHERE r.jscid = $1""",
    "int4",
    row=ReadRow,
)


def firing(
    plpy: Plpy,
    jscid: int,
    version: SeenVersion,
    exceptions: bool,
    last_run: float | None = None,
    after: float | None = None,
) -> int | None:
    """Return when a schedule fires next, in microseconds, None when never: from now on, or from *after* on if that is given.

    *version* identifies the row versions that its rule was compiled from, so that a session can use a rule again.
    A next run is later than the clock, not than the transaction's start: a firing between the two is not owed.
    A schedule that makes the server fail, for example in a time zone that is gone, never fires: that is noted. An error here
    would keep other jobs from ending, and this one from being repaired.
    """
    now = after if after is not None else time.time() if last_run is None else now_or_last_run(last_run)
    known = None if exceptions else kept(jscid, version) or _read_ahead(plpy, jscid, version)
    if known and known.since <= now < known.until:
        return known.micros
    try:
        if known:
            jobid, rule, may_keep = known.jobid, known.rule, True
        else:
            jobid, rule, may_keep = held(jscid, version) or _read_rule(plpy, jscid)
        found = next_firing(*rule, now)
    except Exception as error:
        if is_passing(plpy, error):
            raise
        note_problem(plpy, None, jscid, str(error))
        return None
    next_ = NEVER if found is None else found
    micros = _micros(next_)
    if may_keep:
        keep(jscid, Kept(jobid, version, rule, now, next_, micros))
    return micros


MOST_MICROS = (1 << 63) - 1  # of a bigint: the year 294247


def _micros(instant: Instant) -> int | None:
    return None if instant > MOST_MICROS // MICRO else round(instant * MICRO)


def _read_rule(plpy: Plpy, jscid: int) -> tuple[int, Rule, bool]:
    """Return a schedule's job and rule, and whether that may be kept: it depends only on the rows that the version names."""
    (row,) = READ_RULE(plpy, jscid)
    rule = rule_of(plpy, row)
    if row["noted"]:
        next_firing(*rule, time.time())  # it may still fail there
        forget_problems(plpy, [row["jscjobid"]], jscid)
    return row["jscjobid"], rule, not row["varies"]


# What is read ahead. A schedule with a problem is left to READ_RULE, which forgets the problem when it is over.
READ_VERSIONS = """
SELECT r.*, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone
  FROM pgagent_py.schedule_version v JOIN pgagent_py.schedule_rule r ON r.jscid = ANY (ARRAY[v.jscid])
 WHERE v.jscenabled AND NOT EXISTS (SELECT FROM pgagent_py.problem p WHERE p.jobid = v.jscjobid AND p.jscid = v.jscid) AND"""
# Without those whose rules are not kept.
READ_KEPT = f"{READ_VERSIONS} NOT v.exceptions AND NOT r.varies AND"
READ_JOBS = Statement(
    f"{READ_KEPT} v.options IS NOT NULL AND v.jscjobid = ANY ($1)", "int4[]", row=VersionedRuleRow
)
# $1 schedule, $2 how many from there on.
READ_FOLLOWING = Statement(
    f"""{READ_KEPT} v.options IS NOT NULL AND
       v.jscid = ANY (ARRAY(
           SELECT s.jscid FROM pgagent.pga_schedule s WHERE s.jscid >= $1 AND s.jscenabled ORDER BY s.jscid LIMIT $2))
 ORDER BY v.jscid""",
    "int4",
    "int4",
    row=VersionedRuleRow,
)
# The last schedule whose rule was read, and how many were read with it.
_last, _together = 0, 1
FEWEST_TOGETHER, MOST_TOGETHER, GAP = 8, 256, 8


def read_rules(plpy: Plpy, jobids: Sequence[int]) -> None:
    """Read the rules of jobs that will need their next runs, all that this session has never seen in one go.

    It only saves time: the trigger would have each rule read when it asks for it.
    """
    new = [jobid for jobid in jobids if not is_read(jobid)]
    if len(new) < 2:
        return
    rows: Iterable[Any] = chain(read_plain_of(plpy, new), READ_JOBS(plpy, new))
    for row in rows:
        _keep_rule(plpy, row)
    for jobid in new:
        note_read(jobid)


def _read_ahead(plpy: Plpy, jscid: int, version: SeenVersion) -> Kept | None:
    """Read the rule of a schedule and of the following ones if a statement asks for them in turn, as bulk changes do.

    Two hundred in one go take a third of the time. Return the schedule's own, None if it is to be read by itself.
    """
    global _last, _together
    _together = min(2 * _together, MOST_TOGETHER) if _last < jscid <= _last + GAP else 1
    _last, several = jscid, _together >= FEWEST_TOGETHER
    is_plain = version[3] is None  # no options
    if is_plain:
        read: Iterable[Any] = read_plain(plpy, jscid, _together if several else 1)
    elif several:
        read = READ_FOLLOWING(plpy, jscid, _together)
    else:
        return None
    rows = list(read)
    for row in rows:
        _keep_rule(plpy, row)
        _last = row["jscid"]
    if several and len(rows) < _together // 2:
        _together = 1  # there are no more to read ahead
    found = kept(jscid, version)
    if is_plain:
        return found
    if not found:  # it has exceptions or calendars, and so may have the following ones
        _together = 0
    return found


def _keep_rule(plpy: Plpy, row: VersionedRuleRow) -> None:
    try:
        keep(row["jscid"], Kept(row["jscjobid"], version_of(row), rule_of(plpy, row), NEVER, NEVER, None))
    except Exception as error:  # the trigger finds it, too, and notes it
        if is_passing(plpy, error):
            raise


def version_of(row: Version) -> SeenVersion:
    """Return what identifies the row versions that a rule is read from, as the trigger names it to firing()."""
    return row["s_ctid"], row["s_xmin"], row["s_cmin"], row["options"], row["default_zone"]


def read_instant(text: str) -> Instant:
    """Return the seconds of what is microseconds, or seconds with a fraction, or infinity, as text."""
    return in_seconds(int(text)) if text.lstrip("-").isdecimal() else float(text)


def timestamp(epoch: Instant) -> str:
    """Return *epoch* as timestamptz text that every DateStyle reads alike, of any year."""
    if epoch in (NEVER, -NEVER):
        return f"{epoch}inity"
    second, micros = divmod(round(epoch * MICRO), MICRO)
    days, second = divmod(second, 86400)
    return f"J{days + 2440588} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{micros:06}+00"


# Both give what the role that asks may see.
READ_SCHEDULE = Statement(
    "SELECT r.* FROM pgagent_py.visible_schedule_rule r WHERE r.jscid = $1", "int4", row=RuleRow
)
READ_JOB = Statement(
    "SELECT r.* FROM pgagent_py.visible_schedule_rule r WHERE r.jscjobid = $1 AND r.jscenabled",
    "int4",
    row=RuleRow,
)


def next_run(plpy: Plpy, schedule: int, after: str) -> str | None:
    """Return when *schedule*, which exists, fires first, strictly later than *after*; None when it never does."""
    found = _first_firings(plpy, READ_SCHEDULE(plpy, schedule), read_instant(after))
    return timestamp(found[0][1]) if found and found[0][1] is not None else None


def _first_firings(plpy: Plpy, rows: Iterable[RuleRow], after: Instant) -> list[tuple[Rule, Instant | None]]:
    """Return rules with when they fire first. Those that make the server fail are left out, with a warning."""
    found = []
    for row in rows:
        try:
            rule = rule_of(plpy, row)
            found.append((rule, next_firing(*rule, after)))
        except Exception as error:
            if is_passing(plpy, error):
                raise
            plpy.warning(
                f"pgagent_py: schedule {row['jscid']} of job {row['jscjobid']} has no next run: {error}"
            )
    return found


PAGE = 1000  # runs that are looked for in one go


def next_runs(plpy: Plpy, job: int, count: int, after: str) -> list[str]:
    """Return the next *count* runs of *job* later than *after*: its enabled schedules merged, without repeats."""
    rules = [rule for rule, _ in _first_firings(plpy, READ_JOB(plpy, job), read_instant(after))]
    last = read_instant(after)
    skipped, find = Skipped(plpy, job), heeding_cancels(plpy)
    runs: list[str] = []
    while len(runs) < count:
        asked = min(PAGE, count - len(runs))
        page = merge_runs(rules, last, asked, find)
        runs += [timestamp(run) for run in page if not skipped.has(job, run)]
        if len(page) < asked:
            break
        last = page[-1]
    return runs


def read_time(micros: str) -> str:
    """Return as timestamptz text what is in microseconds since 1970."""
    return timestamp(read_instant(micros))


def runs_between(plpy: Plpy, job: int, after: str, until: str, most: int) -> list[str]:
    """Return at most *most* times of the enabled schedules of *job*, later than *after*, not later than *until*."""
    last, end = read_instant(after), read_instant(until)
    rules = [rule for rule, _ in _first_firings(plpy, READ_JOB(plpy, job), last)]
    find = _not_later_than(end, heeding_cancels(plpy))
    return [timestamp(run) for run in merge_runs(rules, last, most, find) if run <= end]


def _not_later_than(end: Instant, find_next: NextRun) -> NextRun:
    """Return *find_next* that finds nothing behind *end*."""

    def find(schedule: Schedule, zone: Zone, after: Instant) -> Instant | None:
        found = find_next(schedule, zone, after)
        return None if found is None or found > end else found

    return find
