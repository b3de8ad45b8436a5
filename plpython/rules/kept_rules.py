"""Compiled rules that a session keeps. They take so many bytes at most; then those that were kept first go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from .schedule import Schedule
from .zones import Zone

Rule = tuple[Schedule, Zone]

MOST_BYTES = 32 * 2**20
# Of a rule with nothing but its five sets, and for each of the days and times that exceptions and calendars name.
RULE_BYTES, DAY_BYTES = 1000, 100


class Kept(NamedTuple):
    """A rule: for any t with since <= t < until, the next firing is until."""

    jobid: int
    version: Hashable  # of the rows that the rule was compiled from
    rule: Rule
    since: float
    until: float


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
    if jscid in _rules:
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


def is_read(jobid: int) -> bool:
    """Return whether the rules of a job were read, as far as they may be kept."""
    return jobid in _jobs


def note_read(jobid: int) -> None:
    """Note that the rules of a job were read."""
    _jobs[jobid] = None
    while len(_jobs) > MOST_BYTES // RULE_BYTES:
        _jobs.popitem(last=False)
