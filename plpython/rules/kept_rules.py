"""Compiled rules that a session keeps. They take so many bytes at most; then those that were kept first go.

Rules that other rows can change are only held: while one statement asks for them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple, TypedDict

from .schedule import Instant, Schedule
from .zones import Zone

Rule = tuple[Schedule, Zone]

MOST_BYTES = 32 * 2**20
# Of a rule with nothing but its five sets, and for each of the days and times that exceptions and calendars name.
RULE_BYTES, DAY_BYTES = 1000, 100


class Version(TypedDict):
    """The version of the rows that a rule is read from, as the trigger names it to firing()."""

    s_ctid: str
    s_xmin: str
    s_cmin: str
    options: str | None
    default_zone: str


class Kept(NamedTuple):
    """A rule: for any t with since <= t < until, the next firing is until; *micros* is that, None for never."""

    jobid: int
    version: Hashable  # of the rows that the rule was compiled from
    rule: Rule
    since: float
    until: Instant
    micros: int | None


# By jscid. An OrderedDict finds its first entry at once; a dict goes by all that were deleted before it.
_rules: OrderedDict[int, Kept] = OrderedDict()
_bytes = 0
# Jobs of which the rules were read. A job goes with the first of its rules.
_jobs: OrderedDict[int, None] = OrderedDict()


def kept(jscid: int, version: Hashable) -> Kept | None:
    """Return the rule of a schedule if it was compiled from these rows."""
    found = _rules.get(jscid)
    return found if found and found.version == version else None


def keep(jscid: int, entry: Kept) -> None:
    """Keep a rule in place of the schedule's former one."""
    global _bytes
    former = _rules.get(jscid)
    if former and former.rule is entry.rule:  # only its next run is another
        _rules[jscid] = entry
        return
    if former:
        _bytes -= _size(_rules.pop(jscid))
    _rules[jscid] = entry
    _bytes += _size(entry)
    while _bytes > MOST_BYTES:
        _, oldest = _rules.popitem(last=False)
        _bytes -= _size(oldest)
        _jobs.pop(oldest.jobid, None)


def _size(entry: Kept) -> int:
    minutes = entry.rule[0].wall_minutes
    days = len(minutes.blocked_days) + len(minutes.blocked_times) + len(minutes.only_days or ())
    return RULE_BYTES + DAY_BYTES * days


# By jscid: the job, the version and the rule.
_held: dict[int, tuple[int, Hashable, Rule]] = {}


def hold(jscid: int, jobid: int, version: Hashable, rule: Rule) -> None:
    """Hold a rule that may not be kept, until let_go()."""
    _held[jscid] = jobid, version, rule


def held(jscid: int, version: Hashable) -> tuple[int, Rule, bool] | None:
    """Return a schedule's job and rule, and that it may not be kept, if it is held and was compiled from these rows."""
    jobid, of, rule = _held.get(jscid) or (0, None, None)
    return (jobid, rule, False) if rule and of == version else None


def let_go() -> None:
    """Hold no rule any more."""
    _held.clear()


def is_read(jobid: int) -> bool:
    """Return whether the rules of a job were read, as far as they may be kept."""
    return jobid in _jobs


def note_read(jobid: int) -> None:
    """Note that the rules of a job were read."""
    _jobs[jobid] = None
    while len(_jobs) > MOST_BYTES // RULE_BYTES:
        _jobs.popitem(last=False)
